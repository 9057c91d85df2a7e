//! `pq-upgrade pin`: a release of a server of the test, signed by a key of the test, comes into an inventory's own pins; what is not what it
//! is said to be does not.

#![expect(clippy::unwrap_used, reason = "what the test itself cannot do ends it")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use pq_tests::tools;

const ARCHIVE: &[u8] = include_bytes!("pins/demo-1.1.tar.gz");
const SIGNATURE: &[u8] = include_bytes!("pins/demo-1.1.tar.gz.asc");
const MAKERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pins/makers.gpg");

/// SHA-256 of the archive, as sha256sum(1) says.
const DIGEST: &str = "7d4cb7b3f3cc2fd1995a660caa0e405604477cb0c0b1b05d71accf7af6e1ebf4";

/// A server that has these files; its address.
fn server(files: BTreeMap<&'static str, Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = lines.next().unwrap().unwrap();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let (status, body) = match files.get(first.split(' ').nth(1).unwrap()) {
                Some(body) => ("200 OK", body.as_slice()),
                None => ("404 Not Found", &b""[..]),
            };
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(&[head.as_bytes(), body].concat());
        }
    });
    at
}

/// An inventory with a recipe whose version 1.0 is pinned on that server.
fn inventory(dir: &Path, server: &str) {
    let app = dir.join("recipes/apps/demo");
    fs::create_dir_all(&app).unwrap();
    fs::write(dir.join("hosts"), "h\n").unwrap();
    fs::write(
        app.join("recipe.yml"),
        "app: demo\nabout: A demo\nweb: { kind: static }\nversion_probe: { file: VERSION, match: '(.*)' }\n",
    )
    .unwrap();
    let pin =
        format!("# by hand\n\"1.0\": {{ url: \"{server}/demo-1.0.tar.gz\", sha256: {} }}\n", "a".repeat(64));
    fs::write(app.join("pins.yml"), pin).unwrap();
}

fn pin(dir: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(tools().join("pq-upgrade"));
    command.arg("pin").args(words).arg("-i").arg(dir).env_remove("http_proxy").output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn pins(dir: &Path) -> String {
    fs::read_to_string(dir.join("recipes/apps/demo/pins.yml")).unwrap()
}

#[test]
fn a_version_is_pinned_with_who_vouches_for_it() {
    let sums = format!("{}  other\n{DIGEST}  demo-1.1.tar.gz\n", "0".repeat(64)).into_bytes();
    let (archive, signature) = ("/demo-1.1.tar.gz", "/demo-1.1.tar.gz.asc");
    for (files, words, trust) in [
        (vec![(archive, ARCHIVE.to_vec())], vec![], "nobody vouches for it"),
        (
            vec![(archive, ARCHIVE.to_vec()), ("/SHA256SUMS", sums)],
            vec![],
            "its digest is that of the same server",
        ),
        (
            vec![(archive, ARCHIVE.to_vec()), (signature, SIGNATURE.to_vec())],
            vec!["--keyring", MAKERS],
            "signed, by a key that was given",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        inventory(dir.path(), &server(files.into_iter().collect()));
        let before = pins(dir.path());
        let words = [&["demo", "1.1"], words.as_slice()].concat();
        let check = pin(dir.path(), &[words.as_slice(), &["--check"]].concat());
        assert!(check.status.code() == Some(3) && said(&check).contains(DIGEST), "{}", said(&check));
        assert_eq!(pins(dir.path()), before);
        let done = pin(dir.path(), &words);
        assert_eq!(done.status.code(), Some(0), "{}", said(&done));
        let after = pins(dir.path());
        assert!(after.starts_with(&before) && after.contains(trust) && after.contains(DIGEST), "{after}");
        let again = pin(dir.path(), &words);
        assert!(again.status.success() && said(&again).contains("is pinned already"), "{}", said(&again));
        assert_eq!(pins(dir.path()), after);
    }
}

#[test]
fn what_is_not_what_it_is_said_to_be_is_not_pinned() {
    let (archive, other) = ("/demo-1.1.tar.gz", b"another release\n".to_vec());
    let sums = format!("{DIGEST}\n").into_bytes();
    for (files, words, code, cause) in [
        (vec![], vec!["demo", "1.1"], 1, "404"),
        (
            vec![(archive, other.clone()), ("/demo-1.1.tar.gz.sha256", sums)],
            vec!["demo", "1.1"],
            1,
            "is not what its own server says that it is",
        ),
        (vec![(archive, ARCHIVE.to_vec())], vec!["demo", "1.1", "--keyring", MAKERS], 1, "is not signed"),
        (
            vec![(archive, other), ("/demo-1.1.tar.gz.asc", SIGNATURE.to_vec())],
            vec!["demo", "1.1", "--keyring", MAKERS],
            1,
            "is no signature of a key in",
        ),
        (vec![], vec!["none", "1.1"], 2, "there is no recipe of `none`"),
        (vec![], vec!["mattermost", "99.0"], 2, "parts of their own"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        inventory(dir.path(), &server(files.into_iter().collect()));
        let before = pins(dir.path());
        let run = pin(dir.path(), &words);
        assert_eq!(run.status.code(), Some(code), "{}", said(&run));
        assert!(said(&run).contains(cause), "{cause}: {}", said(&run));
        assert_eq!(pins(dir.path()), before);
    }
}
