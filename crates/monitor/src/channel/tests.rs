//! What each way sends, read by a server of a few lines.

use super::*;
use crate::Level;
use crate::event::Kind;
use crate::message::Message;
use crate::message::tests::event;
use jiff::tz::TimeZone;
use pq_items::MonitorStrategy;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

fn letter() -> Letter {
    let event = event(Kind::Began, "wiki/page", Level::Critical);
    let message = Message::of("web", 1_800_000_000, vec![event], BTreeMap::new()).unwrap();
    message.letter(false, &TimeZone::UTC).unwrap()
}

/// A server that tells of each request, its head in lower case and its body, and answers with a status.
fn serve(status: u16) -> (u16, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let line = line.trim_end().to_lowercase();
                if line.is_empty() {
                    break;
                }
                if let Some(number) = line.strip_prefix("content-length: ") {
                    length = number.parse().unwrap();
                }
                head.push_str(&line);
                head.push('\n');
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let mut stream: TcpStream = stream;
            write!(stream, "HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            tell.send((head, String::from_utf8(body).unwrap())).unwrap();
        }
    });
    (port, told)
}

/// The ways of a strategy; `DIR` is where secrets are, `PORT` where the server is.
fn ways_of(dir: &Path, port: u16, channel: &str) -> BTreeMap<String, Way> {
    let channel = channel.replace("DIR", &dir.display().to_string()).replace("PORT", &port.to_string());
    let text = format!(
        "{{ schedule: {{ run: '* * * * *', digest: '0 7 * * 1' }}, alerts: {{ remind_after: [4h], {channel} }}, thresholds: {{ damping: {{ failures: 3, of: 3 }}, disk: {{ warn: 85, critical: 95 }}, disk_full_within: 7d, certificate: {{ warn: 72, critical: 84 }} }} }}"
    );
    let strategy: MonitorStrategy =
        pq_items::read("x", "x", &text).unwrap_or_else(|error| panic!("{error}: {text}"));
    ways(&strategy.alerts)
}

fn secrets() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("token", "tk_secret\n");
    write("topic", "hidden-topic\n");
    dir
}

#[test]
fn each_way_over_http_says_it_with_its_id_and_its_token() {
    let dir = secrets();
    let (port, told) = serve(200);
    for (channel, words) in [
        (
            "webhook: { url: 'http://127.0.0.1:PORT/in', token_file: DIR/token }",
            vec!["post /in ", "bearer tk_secret", "\"level\":\"critical\"", "\"check\":\"wiki/page\""],
        ),
        (
            "ntfy: { url: 'http://127.0.0.1:PORT', topic_file: DIR/topic }",
            vec!["post / ", "\"topic\":\"hidden-topic\"", "\"priority\":5"],
        ),
        (
            "matrix: { url: 'http://127.0.0.1:PORT/', room: '!a:b.org', token_file: DIR/token }",
            vec![
                "put /_matrix/client/v3/rooms/%21a%3ab.org/send/m.room.message/wiki/page-began ",
                "bearer tk_secret",
                "m.text",
            ],
        ),
    ] {
        let ways = ways_of(dir.path(), port, &format!("channels: [{{ name: one, {channel} }}]"));
        ways["one"].send(&letter()).unwrap();
        let (head, body) = told.recv().unwrap();
        let all = format!("{head}{body}");
        for word in words.into_iter().chain(["idempotency-key: wiki/page-began", "connection refused"]) {
            assert!(all.contains(word), "{word}: {all}");
        }
    }
}

#[test]
fn mattermost_is_reached_by_an_address_that_no_error_tells() {
    let dir = secrets();
    let (port, told) = serve(500);
    let path = dir.path().join("url");
    fs::write(&path, format!("http://127.0.0.1:{port}/hooks/geheim\n")).unwrap();
    let ways = ways_of(dir.path(), port, "channels: [{ name: one, mattermost: { url_file: DIR/url } }]");
    let error = ways["one"].send(&letter()).unwrap_err();
    assert!(error.contains("may be read by others"), "{error}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let error = ways["one"].send(&letter()).unwrap_err();
    assert!(error.ends_with("answers 500") && !error.contains("geheim"), "{error}");
    assert!(told.recv().unwrap().1.contains("**[web] CRITICAL wiki/page"));
    fs::write(&path, "http://127.0.0.1:1/hooks/geheim\n").unwrap();
    let error = ways["one"].send(&letter()).unwrap_err();
    assert!(!error.contains("geheim"), "{error}");
}

#[test]
fn a_program_reads_the_letter_and_says_whether_it_took_it() {
    let dir = secrets();
    let taken = dir.path().join("taken");
    let exec = |script: &str| {
        ways_of(
            dir.path(),
            0,
            &format!("channels: [{{ name: one, from: critical, exec: {{ argv: [sh, -c, \"{script}\"] }} }}]"),
        )
    };
    exec("cat >DIR/taken")["one"].send(&letter()).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&fs::read(&taken).unwrap()).unwrap();
    assert_eq!(json["events"][0]["check"], "wiki/page");
    let error = exec("echo no >&2; exit 3")["one"].send(&letter()).unwrap_err();
    assert!(error.ends_with("ended with 3: no"), "{error}");
    assert!(exec("true")["one"].pressing());
}

/// A mail server that knows one conversation; it tells what it heard.
fn mail_server() -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut stream: TcpStream = stream;
            let (mut heard, mut data) = (String::new(), false);
            write!(stream, "220 test\r\n").unwrap();
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
                heard.push_str(&line);
                let answer = match line.trim_end() {
                    "." if data => {
                        data = false;
                        Some("250 taken")
                    }
                    _ if data => None,
                    "DATA" => {
                        data = true;
                        Some("354 go on")
                    }
                    "QUIT" => Some("221 bye"),
                    _ => Some("250 ok"),
                };
                if let Some(answer) = answer {
                    write!(stream, "{answer}\r\n").unwrap();
                }
                line.clear();
            }
            let _ = tell.send(heard);
        }
    });
    (port, told)
}

#[test]
fn a_mail_server_is_given_the_letter_under_its_id() {
    let (port, told) = mail_server();
    let dir = secrets();
    let text = "mail: [a@example.org, b@example.org], smtp: { host: 127.0.0.1, port: PORT, tls: none, from: web@example.org }";
    ways_of(dir.path(), port, text)[MAIL].send(&letter()).unwrap();
    let heard = told.recv().unwrap();
    for word in [
        "MAIL FROM:<web@example.org>",
        "RCPT TO:<a@example.org>",
        "RCPT TO:<b@example.org>",
        "Subject: [web] CRITICAL wiki/page: connection refused",
        "Message-ID: <wiki/page-began@web.pq-monitor>",
        "Auto-Submitted: auto-generated",
        "hint: look",
    ] {
        assert!(heard.contains(word), "{word}: {heard}");
    }
    assert!(!heard.contains("\nBcc:"), "{heard}");
    let text = "mail: [a@example.org], smtp: { host: 127.0.0.1, port: PORT, tls: starttls }";
    let error = ways_of(dir.path(), port, text)[MAIL].send(&letter()).unwrap_err();
    assert!(error.contains("does not take the mail"), "nothing is said in the open: {error}");
}
