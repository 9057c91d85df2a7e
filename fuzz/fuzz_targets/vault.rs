//! What `ansible-vault` is said to have encrypted, without a password and with one.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pq_secrets::{SecretError, VaultPasswords, is_ansible_vault};

static PASSWORDS: LazyLock<VaultPasswords> = LazyLock::new(|| {
    let file = std::env::temp_dir().join(format!("pq-fuzz-vault-{}", std::process::id()));
    std::fs::write(&file, "throw-away").expect("a password can be written");
    let passwords = VaultPasswords::load(std::slice::from_ref(&file));
    let _ = std::fs::remove_file(&file);
    passwords.expect("a password is one")
});

fuzz_target!(|text: &str| {
    match VaultPasswords::default().decrypt(text, "it") {
        Ok(_) => panic!("opened without a password"),
        // Whole as far as it shows without a password, which takes 10,000 rounds of a hash to try.
        Err(SecretError::NoVaultPassword { .. }) => {
            assert!(is_ansible_vault(text), "it does not begin as it must");
            if let Err(error) = PASSWORDS.decrypt(text, "it") {
                assert!(error.hint().is_some(), "{error}");
            }
        }
        Err(error) => assert!(error.hint().is_some(), "{error}"),
    }
});
