//! Another machine of the inventory: whether it is there, and is that machine. What is wrong with its pages, its own monitor tells.
//!
//! Whether it is gone, or this machine's own network is, nobody can tell from the silence alone: see `network`.

use std::time::Instant;

use pq_items::MonitorPeer;

use super::left;
use crate::{Answer, web};

/// Asks for it. Whatever it answers over https, it is there.
pub fn ask(peer: &MonitorPeer, until: Instant) -> Answer {
    let began = Instant::now();
    let agent = match web::agent(peer.ca.as_ref().map(|ca| ca.as_str()), None, left(until)) {
        Ok(agent) => agent,
        Err(why) => return Answer::unknown("authority", why),
    };
    match agent.get(peer.url.as_str()).call() {
        Ok(answer) => Answer::ok(format!("host `{}` answers ({})", peer.name, answer.status().as_u16()))
            .value(began.elapsed().as_secs_f64(), "s"),
        Err(error) => judge(peer, web::silent(&format!("`{}`", peer.url), &error)),
    }
}

/// What follows of why nothing was answered.
fn judge(peer: &MonitorPeer, silent: Answer) -> Answer {
    let (name, why) = (&peer.name, &silent.message);
    match silent.code.as_str() {
        "timeout" | "unreachable" => Answer::critical("gone", format!("host `{name}` is gone: {why}"))
            .hint("look at it from its provider's console; where it runs, the way to it is cut"),
        "refused" => Answer::critical(
            "refused",
            format!("host `{name}` is there, and its web server does not run: {why}"),
        ),
        "name" => Answer { message: format!("nobody says where host `{name}` is: {why}"), ..silent },
        _ => Answer { message: format!("who answers does not prove to be host `{name}`: {why}"), ..silent },
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use super::*;

    fn asked(url: &str) -> Answer {
        let peer = format!("{{ name: web2, url: '{url}' }}");
        let peer: MonitorPeer = pq_items::read("a peer", "x.yml", &peer).unwrap();
        ask(&peer, Instant::now() + Duration::from_millis(700))
    }

    #[test]
    fn a_host_that_is_gone_is_told_apart_from_one_whose_web_server_is() {
        let mute = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = mute.local_addr().unwrap().port();
        let answer = asked(&format!("https://127.0.0.1:{port}/"));
        assert_eq!(answer.code, "gone", "{answer:?}");
        assert!(answer.message.starts_with("host `web2` is gone"), "{answer:?}");
        drop(mute);
        assert_eq!(asked(&format!("https://127.0.0.1:{port}/")).code, "refused");
        assert_eq!(asked("https://nowhere.invalid/").code, "name");
    }

    #[test]
    fn anybody_can_answer_without_a_certificate_so_that_counts_for_nothing() {
        let plain = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = plain.local_addr().unwrap().port();
        std::thread::spawn(move || {
            use std::io::Write as _;
            for mut stream in plain.incoming().flatten() {
                let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n");
            }
        });
        let answer = asked(&format!("https://127.0.0.1:{port}/"));
        assert!(answer.level.is_bad() && answer.message.contains("does not prove"), "{answer:?}");
        let http = pq_items::read::<MonitorPeer>("a peer", "x.yml", "{ name: web2, url: 'http://web2/' }");
        assert!(http.unwrap_err().to_string().contains("no https address"));
    }
}
