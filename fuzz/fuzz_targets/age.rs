//! Bytes as an age file, as a file of identities and as one of recipients.
#![no_main]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pq_secrets::{Identities, Recipients, SecretError, is_age};

static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| Path::new("/dev/shm").join(format!("pq-fuzz-age-{}", std::process::id())));

static IDENTITIES: LazyLock<Identities> = LazyLock::new(|| {
    let key = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/secrets/tests/ed25519"));
    Identities::load(&[key]).expect("the key of the tests")
});

fuzz_target!(|bytes: &[u8]| {
    let told = |error: SecretError| assert!(error.hint().is_some(), "no hint: {error}");
    match IDENTITIES.decrypt(bytes, "it") {
        Ok(_) => assert!(is_age(bytes), "it does not begin as it must"),
        Err(error) => told(error),
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        match Recipients::parse(text, Path::new("recipients")) {
            Ok(recipients) if recipients.is_empty() => {}
            Ok(recipients) => {
                let sealed = recipients.encrypt(b"text", false).expect("what was parsed can be encrypted to");
                assert!(is_age(&sealed), "what was encrypted is no age file");
            }
            Err(error) => told(error),
        }
    }
    std::fs::write(&*FILE, bytes).expect("a file can be written");
    let loaded = Identities::load(std::slice::from_ref(&*FILE));
    let _ = std::fs::remove_file(&*FILE);
    match loaded {
        Ok(identities) => assert!(!identities.is_empty(), "a file without identities was taken"),
        Err(error) => told(error),
    }
});
