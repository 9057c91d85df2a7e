//! Pages that are as they should be, and hostile ones; from a real server of a few lines.

use super::*;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// A server that answers each request as the test says; ends with the test.
fn serve(answer: fn(&str, &mut TcpStream)) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut stream = stream;
                let mut bytes = [0; 4096];
                let read = stream.read(&mut bytes).unwrap_or_default();
                let request = String::from_utf8_lossy(&bytes[..read]).into_owned();
                answer(request.split(' ').nth(1).unwrap_or_default(), &mut stream);
            });
        }
    });
    port
}

fn page(stream: &mut TcpStream, head: &str, body: &str) {
    let _ = write!(
        stream,
        "HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
}

fn asked(port: u16, path: &str, keys: &str) -> (Answer, Duration) {
    let text = format!("{{ url: 'http://wiki.test:{port}{path}', at: '127.0.0.1:{port}', {keys} }}");
    let http: Http = pq_items::read("a page", "x.yml", &text).unwrap();
    let began = Instant::now();
    let answer = ask(&http, began + Duration::from_secs(3));
    (answer, began.elapsed())
}

fn usual(path: &str, stream: &mut TcpStream) {
    match path {
        "/well" => page(stream, "200 OK\r\nContent-Type: text/html; charset=utf-8", "DokuWiki 2025"),
        "/broken" => page(stream, "500 Internal Server Error", "Fatal error"),
        "/there" => page(stream, "301 Moved\r\nLocation: /well", ""),
        "/circle" => page(stream, "302 Found\r\nLocation: circle", ""),
        "/on" => page(stream, "302 Found\r\nLocation: /circle", ""),
        "/slow" => {
            thread::sleep(Duration::from_millis(1300));
            page(stream, "200 OK", "late");
        }
        "/hangs" => thread::sleep(Duration::from_secs(20)),
        "/drips" => {
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
            while write!(stream, "x").and_then(|()| stream.flush()).is_ok() {
                thread::sleep(Duration::from_millis(100));
            }
        }
        "/cut" => drop(write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")),
        "/large" => {
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
            let piece = [b'a'; 1 << 16];
            let mut sent = 0;
            while sent < (1 << 30) && stream.write_all(&piece).is_ok() {
                sent += piece.len();
            }
        }
        "/headers" => {
            let _ = write!(stream, "HTTP/1.1 200 OK\r\n");
            for at in 0..100_000 {
                if write!(stream, "X-{at}: {}\r\n", "y".repeat(100)).is_err() {
                    return;
                }
            }
        }
        "/aaaa" => page(stream, "200 OK", &"a".repeat(500_000)),
        _ => drop(write!(stream, "this is no HTTP\r\n\r\n")),
    }
}

#[test]
fn what_is_wrong_with_a_page_is_named() {
    let port = serve(usual);
    for (path, keys, code, word) in [
        (
            "/well",
            "body: DokuWiki, headers: { content-type: text/html }, matches: 'Wiki \\d{4}', without: Fatal",
            "ok",
            "200",
        ),
        ("/broken", "", "status", "answers 500, not 200"),
        ("/broken", "status: 500, without: Fatal error", "body", "with the text"),
        ("/well", "body: Nextcloud", "body", "without the text `Nextcloud`"),
        ("/well", "matches: '^Next'", "body", "does not match"),
        ("/well", "headers: { x-frame-options: DENY }", "header", "is missing"),
        ("/there", "", "status", "answers 301"),
        ("/there", "redirects: 2, body: DokuWiki", "ok", "200"),
        ("/circle", "redirects: 9", "loop", "in circles"),
        ("/on", "redirects: 1", "loop", "more than 1 times"),
        ("/slow", "within: 1s", "slow", "slowly: 1."),
        ("/cut", "", "broken", "broke off"),
        ("/odd", "", "protocol", "does not speak HTTP"),
    ] {
        let (answer, _) = asked(port, path, keys);
        assert_eq!(answer.code, code, "{path} {keys}: {answer:?}");
        assert!(answer.message.contains(word), "{path} {keys}: {answer:?}");
    }
}

#[test]
fn a_name_that_is_not_found_may_be_the_network_s_fault() {
    let http: Http = pq_items::read("a page", "x.yml", "{ url: 'https://nowhere.invalid/' }").unwrap();
    let answer = ask(&http, Instant::now() + Duration::from_secs(3));
    assert!(answer.code == "name" && crate::network::may_be(&answer), "{answer:?}");
}

#[test]
fn nobody_is_waited_for_for_ever_and_nothing_is_read_without_end() {
    let port = serve(usual);
    for path in ["/hangs", "/drips"] {
        let (answer, took) = asked(port, path, "");
        assert_eq!(answer.code, "timeout", "{path}: {answer:?}");
        assert!(took < Duration::from_secs(5), "{path}: {took:?}");
    }
    let (answer, _) = asked(port, "/large", "body: zzz");
    assert_eq!(answer.code, "body");
    assert!(answer.message.contains("in its first MiB"), "{answer:?}");
    let (answer, _) = asked(port, "/headers", "");
    assert!(answer.level.is_bad(), "{answer:?}");
    // An expression on which a backtracking matcher would take longer than the world has been there.
    let (answer, took) = asked(port, "/aaaa", "matches: '(a*)*(a*)*b$'");
    assert_eq!(answer.code, "body");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_redirection_is_joined_to_where_it_was_found() {
    let from = "https://a.org/x/y?z=1";
    for (to, is) in [
        ("/b", Some("https://a.org/b")),
        ("b", Some("https://a.org/x/b")),
        ("//c.org/d", Some("https://c.org/d")),
        ("http://c.org/", Some("http://c.org/")),
        ("https://a b/", None),
    ] {
        assert_eq!(joined(from, to).as_deref(), is, "{to}");
    }
    assert_eq!(joined("https://a.org", "b").as_deref(), Some("https://a.org/b"));
}
