use super::*;

/// Made with the `ansible-vault` of ansible-core 2.19 and the throw-away password `throw-away`.
const WHOLE: &str = include_str!("../tests/ansible_vault/whole-1.1.yml");
/// The same with the label `prod`.
const LABELLED: &str = include_str!("../tests/ansible_vault/whole-1.2.yml");
const PLAIN: &str = "---\n# a comment\ndb_password: correct horse battery\nn: 5\n";

fn decrypt(passwords: &[&str], text: &str) -> Result<String, SecretError> {
    let passwords = passwords.iter().map(|text| SecretString::from((*text).to_owned())).collect();
    VaultPasswords { passwords, ..VaultPasswords::default() }
        .decrypt(text, "`it`")
        .map(|plain| plain.expose_secret().to_owned())
}

fn damage(text: &str) -> String {
    match decrypt(&["throw-away"], text) {
        Err(SecretError::VaultDamaged { cause, .. }) => cause,
        other => format!("{other:?}"),
    }
}

#[test]
fn what_ansible_vault_made_is_opened_with_and_without_a_label() {
    assert_eq!(decrypt(&["throw-away"], WHOLE).unwrap(), PLAIN);
    assert_eq!(decrypt(&["other", "throw-away"], LABELLED).unwrap(), PLAIN);
    assert!(is_ansible_vault(WHOLE) && !is_ansible_vault(PLAIN));
    // White space around the parts of its first line is none of them.
    let spaced = WHOLE.replacen(';', " ; ", 3);
    assert!(is_ansible_vault(&spaced));
    assert_eq!(decrypt(&["throw-away"], &spaced).unwrap(), PLAIN);
}

#[test]
fn after_many_that_no_password_opens_none_is_tried_any_more() {
    let wrong = SecretString::from("wrong".to_owned());
    let passwords = VaultPasswords { passwords: vec![wrong], failures: AtomicUsize::new(MAX_FAILURES - 1) };
    let tried = |count: usize| {
        let begun = std::time::Instant::now();
        (0..count).for_each(|_| assert!(passwords.decrypt(WHOLE, "`it`").is_err()));
        begun.elapsed()
    };
    let (first, rest) = (tried(1), tried(10));
    assert!(rest < first, "{first:?}, then {rest:?}");
}

#[test]
fn a_wrong_password_none_and_a_damaged_file_are_told_apart() {
    let locked = |label: Option<&str>| SecretError::VaultLocked {
        what: "`it`".to_owned(),
        label: label.map(str::to_owned),
    };
    assert_eq!(decrypt(&["other"], WHOLE), Err(locked(None)));
    assert_eq!(decrypt(&["other"], LABELLED), Err(locked(Some("prod"))));
    assert_eq!(decrypt(&[], WHOLE), Err(SecretError::NoVaultPassword { what: "`it`".to_owned() }));
    assert_eq!(damage(&WHOLE[..WHOLE.trim_end().len() - 20]), "its end is cut off, or it was changed");
    assert_eq!(damage(&WHOLE.replacen('3', "x", 1)), "a character in it is no hex, or one is missing");
    assert!(damage(&WHOLE.replace("1.1", "1.0")).starts_with("it is of version 1.0"));
    assert!(damage("$ANSIBLE_VAULT;1.1;AES\n").starts_with("its first line"));
    assert!(damage("$ANSIBLE_VAULT;1.1;AES256\n").starts_with("its end"));
}

#[test]
fn a_changed_ciphertext_is_not_decrypted() {
    // The last two digits spell the last hex digit of the ciphertext.
    let text = WHOLE.trim_end();
    let (start, end) = text.split_at(text.len() - 2);
    let changed = format!("{start}{}", if end == "30" { "31" } else { "30" });
    assert!(matches!(decrypt(&["throw-away"], &changed), Err(SecretError::VaultLocked { .. })));
}

#[test]
fn padding_is_what_pkcs7_says() {
    assert_eq!(unpadded(&[7, 2, 2]), Some(&[7][..]));
    assert_eq!(unpadded(&[16; 16]), Some(&[][..]));
    for wrong in [&[][..], &[7, 0], &[7, 1, 2], &[9], &[17; 17]] {
        assert_eq!(unpadded(wrong), None, "{wrong:?}");
    }
}

#[test]
fn a_password_file_is_read_without_white_space_around_and_is_never_run() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    let load = || VaultPasswords::load(std::slice::from_ref(&file));
    assert!(matches!(load(), Err(SecretError::Read { .. })));
    fs::write(&file, "  throw-away\n\n").unwrap();
    assert_eq!(load().unwrap().decrypt(WHOLE, "`it`").unwrap().expose_secret(), PLAIN);
    assert_eq!(format!("{:?}", load().unwrap()), "VaultPasswords(1)");
    fs::write(&file, " \n").unwrap();
    assert!(matches!(load(), Err(SecretError::VaultPassword { cause: "it is empty", .. })));
    fs::write(&file, "#!/bin/sh\necho throw-away\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
    let error = load().unwrap_err();
    assert!(error.diagnostic().causes[0].starts_with("it is executable"), "{error:?}");
}
