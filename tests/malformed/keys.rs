//! What can be wrong with the keys: identities, recipients, passwords; and an age file's header, field by field.

use base64::Engine as _;

use crate::case::{CANARY, Case, Thing};
use crate::sealed::encrypt;

const FILE: &str = "group_vars/all.yml.age";
const OTHER: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";

/// Every one of them; all are errors that name the file which is wrong.
pub fn refused() -> Vec<Case> {
    let secret = format!("password: '{CANARY}'\n");
    let whole = encrypt(&secret, false);
    let mut cases = Vec::new();
    for (name, content, blames) in IDENTITIES {
        let mut case = Case::with(format!("the identity is {name}"), FILE, whole.clone(), blames)
            .calling("pq-inventory", &["--json", "--identity", "inventory/identity"]);
        case.files.push(("identity".to_owned(), content.as_bytes().to_vec()));
        cases.push(case);
    }
    for (name, thing) in [
        ("a directory", Some(Thing::Directory)),
        // One that somebody writes into is read: `--identity <(…)`.
        ("a named pipe that nobody writes into", Some(Thing::Pipe)),
        ("a link to a device", Some(Thing::Link("/dev/zero"))),
        ("a link to nothing", Some(Thing::Link("nothing"))),
        ("nowhere", None),
    ] {
        let mut case =
            Case::with(format!("the identity is {name}"), FILE, whole.clone(), "inventory/identity")
                .calling("pq-inventory", &["--json", "--identity", "inventory/identity"]);
        if let Some(thing) = thing {
            case = case.having("inventory/identity", thing);
        }
        cases.push(case);
    }
    let vaulted = include_bytes!("../../crates/secrets/tests/ansible_vault/whole-1.1.yml");
    for (name, thing) in [
        ("a directory", Thing::Directory),
        ("a named pipe that nobody writes into", Thing::Pipe),
        ("a link to a device", Thing::Link("/dev/zero")),
        ("a link to nothing", Thing::Link("nothing")),
    ] {
        let name = format!("the password of ansible-vault is {name}");
        let case = Case::with(name, "group_vars/all.yml", *vaulted, "inventory/password");
        let case = case.calling("pq-inventory", &["--json", "--vault-password-file", "inventory/password"]);
        cases.push(case.having("inventory/password", thing));
    }
    let none = Case::with("there is no identity", FILE, whole.clone(), FILE);
    cases.push(none.calling("pq-inventory", &["--json"]));
    for (name, content) in RECIPIENTS {
        let mut case =
            Case::with(format!("the recipients are {name}"), FILE, whole.clone(), ".age-recipients");
        case.files.push((".age-recipients".to_owned(), content.to_vec()));
        cases.push(case);
    }
    let recipients = |name: &str, thing| {
        let case = Case::with(format!("the recipients are {name}"), FILE, whole.clone(), ".age-recipients");
        case.having("inventory/.age-recipients", thing)
    };
    cases.push(recipients("a directory", Thing::Directory));
    cases.push(recipients("a named pipe", Thing::Pipe));
    cases.push(recipients("a link to a device", Thing::Link("/dev/zero")));
    cases.push(Case::with("nobody is a recipient", FILE, whole.clone(), ".age-recipients"));
    for (name, changed) in headers(&whole) {
        cases.push(Case::with(format!("age: {name}"), FILE, changed, FILE));
    }
    for (name, armor) in ARMORS {
        let body = base64::engine::general_purpose::STANDARD.encode(&whole);
        let lines: Vec<&str> =
            body.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        cases.push(Case::with(format!("age's armor: {name}"), FILE, armor(&lines), FILE));
    }
    for (name, text) in VAULTS {
        let mut case = Case::with(
            format!("ansible-vault: {name}"),
            "group_vars/all.yml",
            *text,
            "inventory/group_vars/all.yml:1",
        );
        case.files.push(("password".to_owned(), CANARY.as_bytes().to_vec()));
        case.environment.push(("ANSIBLE_VAULT_PASSWORD_FILE".to_owned(), "inventory/password".to_owned()));
        cases.push(case);
        let inline = text.lines().map(|line| format!("    {line}\n")).collect::<String>();
        let mut case = Case::with(
            format!("ansible-vault inline: {name}"),
            "group_vars/all.yml",
            format!("x: 1\npassword: !vault |\n{inline}"),
            "inventory/group_vars/all.yml:2",
        );
        case.files.push(("password".to_owned(), CANARY.as_bytes().to_vec()));
        case.environment.push(("ANSIBLE_VAULT_PASSWORD_FILE".to_owned(), "inventory/password".to_owned()));
        cases.push(case);
    }
    cases
}

/// A header with one field changed each.
fn headers(whole: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let end = whole.windows(5).position(|window| window == b"\n--- ").unwrap_or(0) + 1;
    let payload = end + whole[end..].iter().position(|byte| *byte == b'\n').unwrap_or(0) + 1;
    let head = String::from_utf8_lossy(&whole[..payload]).into_owned();
    let with = |head: &str| [head.as_bytes(), &whole[payload..]].concat();
    let lines: Vec<&str> = head.lines().collect();
    let (stanza, body, mac) = (lines[1], lines[2], lines[lines.len() - 1]);
    let words: Vec<&str> = stanza.split(' ').collect();
    let mut nonce = whole.to_vec();
    nonce[payload] ^= 1;
    let mut last = whole.to_vec();
    if let Some(byte) = last.last_mut() {
        *byte ^= 1;
    }
    vec![
        ("the version is another", with(&head.replace("/v1", "/v2"))),
        ("the version has no number", with(&head.replace("/v1", "/v"))),
        ("the version is followed by a space", with(&head.replace("/v1\n", "/v1 \n"))),
        ("its lines are those of Windows", with(&head.replace('\n', "\r\n"))),
        ("there is no stanza", with(&format!("{}\n{mac}\n", lines[0]))),
        ("the stanza's type is unknown", with(&head.replace(words[1], "nobodys"))),
        ("the stanza has no type", with(&head.replace(stanza, "->"))),
        ("the stanza has too few arguments", with(&head.replace(stanza, &words[..3].join(" ")))),
        ("the stanza has too many arguments", with(&head.replace(stanza, &format!("{stanza} more")))),
        ("an argument is no base64", with(&head.replace(words[3], "***"))),
        ("an argument is cut", with(&head.replace(words[3], &words[3][..words[3].len() - 4]))),
        ("an argument is of another key", with(&head.replace(words[2], "AAAAAA"))),
        ("the stanza's body is no base64", with(&head.replace(body, "***"))),
        ("the stanza's body is cut", with(&head.replace(body, &body[..body.len() - 4]))),
        ("the stanza's body is not there", with(&head.replace(&format!("{body}\n"), ""))),
        ("the stanza's body is padded", with(&head.replace(body, &format!("{body}=")))),
        ("there is no MAC", with(&head.replace(mac, "---"))),
        ("the MAC is no base64", with(&head.replace(mac, "--- ***"))),
        ("the MAC is cut", with(&head.replace(mac, &mac[..mac.len() - 4]))),
        ("the MAC is another", with(&head.replace(mac, &format!("--- {}", "A".repeat(43))))),
        ("a thousand stanzas", with(&head.replace(stanza, &format!("{stanza}\n{body}\n").repeat(1000)))),
        ("a stanza that does not end", with(&format!("{}\n-> X25519 {}", lines[0], "A".repeat(1_000_000)))),
        ("the payload is not there", whole[..payload].to_vec()),
        ("the nonce alone", whole[..payload + 16].to_vec()),
        ("the nonce is cut", whole[..payload + 9].to_vec()),
        ("the nonce is another", nonce),
        ("the last chunk is another", last),
        ("the last chunk is cut", whole[..whole.len() - 1].to_vec()),
        ("something follows the last chunk", [whole, b"more"].concat()),
        ("it stands there twice", [whole, whole].concat()),
    ]
}

type Armor = fn(&[&str]) -> String;

const BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
const END: &str = "-----END AGE ENCRYPTED FILE-----";

/// Armors that are wrong in one thing each.
const ARMORS: &[(&str, Armor)] = &[
    ("it does not end", |lines| format!("{BEGIN}\n{}\n", lines.join("\n"))),
    ("it ends as another thing", |lines| {
        format!("{BEGIN}\n{}\n-----END PGP MESSAGE-----\n", lines.join("\n"))
    }),
    ("it holds nothing", |_| format!("{BEGIN}\n{END}\n")),
    ("a line is missing", |lines| format!("{BEGIN}\n{}\n{END}\n", lines[1..].join("\n"))),
    ("a line is too long", |lines| format!("{BEGIN}\n{}\n{END}\n", lines.concat())),
    ("a line is no base64", |lines| format!("{BEGIN}\n***\n{}\n{END}\n", lines.join("\n"))),
    ("something follows it", |lines| format!("{BEGIN}\n{}\n{END}\nmore\n", lines.join("\n"))),
    ("it begins twice", |lines| format!("{BEGIN}\n{BEGIN}\n{}\n{END}\n", lines.join("\n"))),
];

/// Files of identities: what they are, their text, and what the error names.
const IDENTITIES: &[(&str, &str, &str)] = &[
    ("empty", "", "inventory/identity"),
    ("a comment", "# nothing\n", "inventory/identity"),
    ("a word", "hello\n", "inventory/identity"),
    ("a secret", "canary8gMeiseVogelX31\n", "inventory/identity"),
    ("a secret in a map", "password: canary8gMeiseVogelX31\n", "inventory/identity"),
    (
        "two, one of them mistyped",
        "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33\nAGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J34 x\n",
        "inventory/identity",
    ),
    ("a recipient", "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa\n", "inventory/identity"),
    ("an ssh key's public half", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== me\n", "inventory/identity"),
    ("cut", "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4\n", "inventory/identity"),
    (
        "mistyped",
        "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J34\n",
        "inventory/identity",
    ),
    ("a plugin's", "AGE-PLUGIN-YUBIKEY-1Q9778VQXMMJVE8SK7J6\n", "inventory/identity"),
    (
        "encrypted itself",
        "-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n-----END AGE ENCRYPTED FILE-----\n",
        "inventory/identity",
    ),
    (
        "an ssh key that is damaged",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
        "inventory/identity",
    ),
    (
        "another kind of key",
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n",
        "inventory/identity",
    ),
    ("an ssh key that does not end", "-----BEGIN OPENSSH PRIVATE KEY-----\n", "inventory/identity"),
    ("somebody else's", OTHER, FILE),
];

/// Files of recipients that are none.
const RECIPIENTS: &[(&str, &[u8])] = &[
    ("nobody", b""),
    ("comments", b"# nobody\n"),
    ("words", b"me and you\n"),
    ("a secret", b"canary8gMeiseVogelX31\n"),
    ("a secret behind `ssh-ed25519`", b"ssh-ed25519 canary8gMeiseVogelX31 me\n"),
    ("an identity that is cut", b"AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4\n"),
    ("cut", b"age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uas\n"),
    ("mistyped", b"age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pb\n"),
    ("an identity", b"AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33\n"),
    ("a key of RSA", b"ssh-rsa AAAAB3NzaC1yc2E= me\n"),
    ("a key of ed25519 that is cut", b"ssh-ed25519 AAAAC3NzaC1lZDI1 me\n"),
    ("a plugin's", b"age1yubikey1q9778vqxmmjve8sk7j6\n"),
    ("Latin-1", b"# caf\xe9\n"),
    ("two on a line", b"age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa\n"),
];

/// What begins as what ansible-vault encrypts.
const VAULTS: &[(&str, &str)] = &[
    ("the header alone", "$ANSIBLE_VAULT;1.1;AES256\n"),
    ("an old version", "$ANSIBLE_VAULT;1.0;AES\n6162\n"),
    ("a version of nobody", "$ANSIBLE_VAULT;9.9;AES256\n6162\n"),
    ("another cipher", "$ANSIBLE_VAULT;1.1;ROT13\n6162\n"),
    ("a header without a cipher", "$ANSIBLE_VAULT;1.1\n6162\n"),
    ("a body that is no hex", "$ANSIBLE_VAULT;1.1;AES256\nxyz\n"),
    ("a body of odd length", "$ANSIBLE_VAULT;1.1;AES256\n616\n"),
    ("a body without parts", "$ANSIBLE_VAULT;1.1;AES256\n61626364\n"),
    ("a body of empty parts", "$ANSIBLE_VAULT;1.1;AES256\n0a0a\n"),
    ("a body whose parts are no hex", "$ANSIBLE_VAULT;1.1;AES256\n7a7a0a7a7a0a7a7a\n"),
    (
        "another's password",
        "$ANSIBLE_VAULT;1.1;AES256\n61620a\
        36313631363136313631363136313631363136313631363136313631363136313631363136313631363136313631363136\n",
    ),
];
