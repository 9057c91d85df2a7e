//! Certificates of the machine's own authority, read by ourselves and by another implementation.

use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use pq_steps::{CertificateRequest, Error, Http, Probe, System};

use crate::{World, told};

fn request(world: &World) -> CertificateRequest {
    CertificateRequest {
        authority: world.at("authority"),
        names: vec!["wiki.demo.test".to_owned(), "cal.demo.test".to_owned()],
        chain: world.at("wiki.pem"),
        key: world.at("wiki.key"),
        days: 397,
    }
}

#[test]
fn an_issued_certificate_says_what_was_asked_for() {
    let mut world = World::new();
    let request = request(&world);
    assert_eq!(world.machine.certificate(&request.chain).unwrap(), None);
    world.machine.issue(&request).unwrap();
    assert_eq!(
        world.tree("."),
        [
            "authority/ 0755",
            "authority/ca.key 0600",
            "authority/ca.pem 0644",
            "wiki.key 0600",
            "wiki.pem 0644"
        ]
    );
    let leaf = world.machine.certificate(&request.chain).unwrap().unwrap();
    let ca = world.machine.certificate(&world.at("authority/ca.pem")).unwrap().unwrap();
    assert_eq!(leaf.names, ["cal.demo.test", "wiki.demo.test"]);
    assert_eq!(leaf.authority, ca.subject);
    assert!(!leaf.authority.is_empty() && leaf.key != ca.key);
    let now = SystemTime::now();
    assert!(leaf.not_before < now && leaf.not_after > now + Duration::from_secs(396 * 86_400));
    assert!(leaf.not_after < now + Duration::from_secs(398 * 86_400));
    assert!(ca.not_after > now + Duration::from_secs(3640 * 86_400));
}

#[test]
fn a_second_certificate_has_the_same_authority_and_the_same_key() {
    let mut world = World::new();
    let mut request = request(&world);
    world.machine.issue(&request).unwrap();
    let (ca, key) = (world.text("authority/ca.pem"), world.text("wiki.key"));
    let first = world.machine.certificate(&request.chain).unwrap().unwrap();
    request.names.truncate(1);
    world.machine.issue(&request).unwrap();
    let second = world.machine.certificate(&request.chain).unwrap().unwrap();
    assert_eq!((world.text("authority/ca.pem"), world.text("wiki.key")), (ca.clone(), key));
    assert_eq!((second.names.as_slice(), second.key), (&["wiki.demo.test".to_owned()][..], first.key));
    assert!(world.text("wiki.pem").ends_with(&ca));
}

#[test]
fn an_authority_killed_between_key_and_certificate_is_completed_and_one_without_key_is_refused() {
    let mut world = World::new();
    let request = request(&world);
    world.machine.issue(&request).unwrap();
    let key = world.text("authority/ca.key");
    std::fs::remove_file(world.real("authority/ca.pem")).unwrap();
    world.machine.issue(&request).unwrap();
    assert_eq!(world.text("authority/ca.key"), key);
    std::fs::remove_file(world.real("authority/ca.key")).unwrap();
    let said = told(world.machine.issue(&request).unwrap_err());
    assert!(said.contains("`ca.key` is not") && said.contains("put the key back"), "{said}");
}

#[test]
fn a_file_that_is_no_certificate_is_an_error() {
    let world = World::new();
    for content in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        std::fs::write(world.real("x.pem"), content).unwrap();
        let said = told(world.machine.certificate(&world.at("x.pem")).unwrap_err());
        assert!(said.contains("cannot read certificate"), "{said}");
    }
}

#[test]
fn openssl_agrees() {
    let mut world = World::new();
    world.machine.issue(&request(&world)).unwrap();
    let openssl = |arguments: &[&str]| {
        Command::new("openssl").args(arguments).current_dir(world.directory.path()).output()
    };
    let Ok(output) = openssl(&[
        "verify",
        "-x509_strict",
        "-purpose",
        "sslserver",
        "-verify_hostname",
        "cal.demo.test",
        "-CAfile",
        "authority/ca.pem",
        "wiki.pem",
    ]) else {
        return eprintln!("not tested: there is no `openssl` here");
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let public = |arguments: &[&str]| openssl(arguments).unwrap().stdout;
    let of_key = public(&["pkey", "-in", "wiki.key", "-pubout"]);
    assert!(!of_key.is_empty());
    assert_eq!(public(&["x509", "-in", "wiki.pem", "-noout", "-pubkey"]), of_key);
}

#[test]
fn a_served_certificate_is_trusted_by_its_authority_and_its_name_only() {
    let mut world = World::new();
    world.machine.issue(&request(&world)).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Command::new("openssl")
        .args([
            "s_server",
            "-www",
            "-quiet",
            "-accept",
            &port.to_string(),
            "-cert",
            "wiki.pem",
            "-key",
            "wiki.key",
        ])
        .current_dir(world.directory.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut server) = server else { return eprintln!("not tested: there is no `openssl` here") };
    let ask = |host: &str, ca: Option<&str>| {
        world.machine.http(&Http {
            url: format!("https://{host}:{port}/"),
            ca: ca.map(|name| world.at(name)),
            at: None,
            timeout: Duration::from_secs(5),
        })
    };
    let end = SystemTime::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() && SystemTime::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
    let good = ask("wiki.demo.test", Some("authority/ca.pem"));
    let other_name = ask("other.demo.test", Some("authority/ca.pem"));
    let other_authority = ask("wiki.demo.test", None);
    let no_authority = ask("wiki.demo.test", Some("none.pem"));
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(good.map(|reply| reply.status), Ok(200));
    let said = told(other_name.unwrap_err());
    assert!(said.contains("not valid for name"), "{said}");
    let said = told(other_authority.unwrap_err());
    assert!(said.contains("UnknownIssuer"), "{said}");
    assert_eq!(no_authority, Err(Error::absent("file", world.at("none.pem").as_str())));
}

#[test]
fn one_that_names_its_host_only_as_common_name_is_for_no_name() {
    let world = World::new();
    let openssl = |line: &str| {
        Command::new("openssl").args(line.split(' ')).current_dir(world.directory.path()).output()
    };
    let key =
        "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=wiki.demo.test -keyout own.key";
    let Ok(output) = openssl(&format!("req -x509 {key} -out own.pem")) else {
        eprintln!("skipped: there is no openssl here");
        return;
    };
    assert!(output.status.success(), "{output:?}");
    // What is signed without extensions is of version 1.
    for line in [&format!("req {key} -out own.csr"), "x509 -req -in own.csr -signkey own.key -out old.pem"] {
        assert!(openssl(line).unwrap().status.success(), "{line}");
    }
    for file in ["own.pem", "old.pem"] {
        let said = world.machine.certificate(&world.at(file)).unwrap().unwrap();
        assert_eq!((said.names.as_slice(), said.common_name.as_deref()), (&[][..], Some("wiki.demo.test")));
    }
}
