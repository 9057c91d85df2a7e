//! Downloads and requests, from a server of the test.

use std::time::Duration;

use pq_steps::{Download, Http, Probe, System};

use crate::server::{Server, answer};
use crate::{World, told};

/// SHA-256 of `abc`.
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn download(server: &Server) -> Download {
    Download { url: server.url("/x.tgz"), sha256: ABC.to_owned(), max_bytes: 1000 }
}

#[test]
fn a_file_gets_its_name_when_its_digest_is_right() {
    let (mut world, server) = (World::new(), Server::new(vec![answer("200 OK", b"abc")]));
    world.machine.download(&download(&server), &world.at("x.tgz")).unwrap();
    assert_eq!(world.tree("."), ["x.tgz 0644"]);
    assert_eq!(world.text("x.tgz"), "abc");
}

#[test]
fn another_digest_leaves_nothing_and_names_both() {
    let (mut world, server) = (World::new(), Server::new(vec![answer("200 OK", b"abd")]));
    let said = told(world.machine.download(&download(&server), &world.at("x.tgz")).unwrap_err());
    assert!(said.contains(ABC) && said.contains("(3 bytes)") && said.contains("pinned"), "{said}");
    assert!(world.tree(".").is_empty());
    assert_eq!(server.asked(), 1, "what is wrong once is not asked for again");
}

#[test]
fn a_server_that_stumbles_is_asked_again_and_a_missing_file_is_not() {
    let stumbles = vec![
        answer("503 Busy", b""),
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na".to_vec(),
        answer("200 OK", b"abc"),
    ];
    let (mut world, server) = (World::new(), Server::new(stumbles));
    world.machine.download(&download(&server), &world.at("x.tgz")).unwrap();
    assert_eq!((server.asked(), world.text("x.tgz").as_str()), (3, "abc"));
    let missing = Server::new(vec![answer("404 Not Found", b"")]);
    let said = told(world.machine.download(&download(&missing), &world.at("y.tgz")).unwrap_err());
    assert!(said.contains("404"), "{said}");
    assert_eq!(missing.asked(), 1);
}

#[test]
fn too_much_is_refused_whether_the_server_says_so_or_not() {
    let mut world = World::new();
    let honest = Server::new(vec![answer("200 OK", &[0; 1001])]);
    let mut lying = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    lying.extend_from_slice(&[0; 100_000]);
    for server in [honest, Server::new(vec![lying])] {
        let said = told(world.machine.download(&download(&server), &world.at("x.tgz")).unwrap_err());
        assert!(said.contains("larger than 1000 bytes"), "{said}");
        assert!(world.tree(".").is_empty());
    }
}

#[test]
fn a_few_bytes_of_which_nothing_is_known_are_fetched_and_not_more() {
    let mut world = World::new();
    let server =
        Server::new(vec![answer("502 Bad", b""), answer("200 OK", b"abc"), answer("200 OK", b"abcd")]);
    assert_eq!(world.machine.fetch(&server.url("/key"), 3).unwrap(), b"abc");
    let said = told(world.machine.fetch(&server.url("/key"), 3).unwrap_err());
    assert!(said.ends_with("/key` | it is larger than 3 bytes"), "{said}");
    assert_eq!(server.asked(), 3);
}

#[test]
fn a_request_goes_to_this_machine_whatever_the_host_is_called() {
    let redirect =
        b"HTTP/1.1 301 Moved\r\nLocation: http://elsewhere.invalid/\r\nContent-Length: 0\r\n\r\n".to_vec();
    let server = Server::new(vec![answer("404 No", b"nothing here"), redirect]);
    let request = Http {
        at: None,
        url: format!("http://wiki.demo.invalid:{}/doku.php", server.port),
        ca: None,
        timeout: Duration::from_secs(5),
    };
    let world = World::new();
    let reply = world.machine.http(&request).unwrap();
    assert_eq!((reply.status, reply.body.as_str()), (404, "nothing here"));
    assert_eq!(world.machine.http(&request).unwrap().status, 301, "redirects are answers");
    let nobody = Http { url: "http://wiki.demo.invalid:1/".to_owned(), ..request };
    let said = told(world.machine.http(&nobody).unwrap_err());
    assert!(said.contains("no answer from") && said.contains("refused"), "{said}");
}
