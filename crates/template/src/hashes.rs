//! Digests of texts. Of a secret there is none: what one may do with it is a sink.

use minijinja::{Error, Value};
use sha2::Digest;

use crate::arguments::{Given, Row};

/// What each is called, and what it takes. None may be given a secret.
pub(crate) const TABLE: &[Row] = &[
    ("hash", &["data", "hashtype"], |given| digest(given, &given.text_or(1, "sha1")?)),
    ("checksum", &["data"], |given| digest(given, "sha1")),
    ("sha1", &["data"], |given| digest(given, "sha1")),
    ("md5", &["data"], |given| digest(given, "md5")),
    ("to_uuid", &["string", "namespace"], to_uuid),
];

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest(given: &Given, kind: &str) -> Result<Value, Error> {
    let text = match given.value(0)?.is_number() {
        true => given.written(0)?,
        false => given.text(0)?,
    };
    Ok(match kind {
        "md5" => hex(md5::Md5::digest(&text)),
        "sha1" => hex(sha1::Sha1::digest(&text)),
        "sha224" => hex(sha2::Sha224::digest(&text)),
        "sha256" => hex(sha2::Sha256::digest(&text)),
        "sha384" => hex(sha2::Sha384::digest(&text)),
        "sha512" => hex(sha2::Sha512::digest(&text)),
        other => {
            return Err(given.error(format!(
                "there is no hash `{other}` here: use md5, sha1, sha224, sha256, sha384 or sha512"
            )));
        }
    }
    .into())
}

/// The namespace of Ansible's identifiers.
const ANSIBLE: &str = "361e6d51faec444a9079341386da8e2e";

/// An identifier made of a name, the fifth kind of RFC 4122.
fn to_uuid(given: &Given) -> Result<Value, Error> {
    let namespace = given.text_or(1, ANSIBLE)?.replace(['-', '{', '}'], "");
    let bytes = |hex: &str| -> Option<Vec<u8>> {
        (0..16).map(|at| u8::from_str_radix(hex.get(at * 2..at * 2 + 2)?, 16).ok()).collect()
    };
    let space = bytes(&namespace).filter(|_| namespace.len() == 32);
    let space = space.ok_or_else(|| given.error("`namespace` is no UUID"))?;
    let mut made = sha1::Sha1::new().chain_update(space).chain_update(given.written(0)?).finalize();
    made[6] = made[6] & 0x0f | 0x50;
    made[8] = made[8] & 0x3f | 0x80;
    let text = hex(&made[..16]);
    let groups = [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]];
    Ok(groups.join("-").into())
}
