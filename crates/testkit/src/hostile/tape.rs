//! Entries of tar archives, written as nobody should write them.

use tar::{EntryType, Header};

/// One entry: header, content, padding.
pub(super) fn entry(kind: EntryType, name: &[u8], link: &[u8], mode: u32, data: &[u8]) -> Vec<u8> {
    sized(kind, name, link, mode, data.len() as u64, data)
}

/// One entry whose header tells a size of its own.
pub(super) fn sized(kind: EntryType, name: &[u8], link: &[u8], mode: u32, size: u64, data: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(65_534);
    header.set_gid(65_534);
    header.set_size(size);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

pub(super) fn file(name: &str, data: &str) -> Vec<u8> {
    entry(EntryType::Regular, name.as_bytes(), b"", 0o644, data.as_bytes())
}

pub(super) fn link(name: &str, target: &str) -> Vec<u8> {
    entry(EntryType::Symlink, name.as_bytes(), target.as_bytes(), 0o777, b"")
}

pub(super) fn hard(name: &str, target: &str) -> Vec<u8> {
    entry(EntryType::Link, name.as_bytes(), target.as_bytes(), 0o666, b"")
}

pub(super) fn directory(name: &str) -> Vec<u8> {
    entry(EntryType::Directory, name.as_bytes(), b"", 0o777, b"")
}

/// PAX records, of the next entry (`x`) or of all that follow (`g`).
pub(super) fn pax(kind: EntryType, records: &[(&str, &str)]) -> Vec<u8> {
    let text: String = records.iter().map(|(key, value)| record(key, value)).collect();
    entry(kind, b"PaxHeaders/1", b"", 0o644, text.as_bytes())
}

/// A PAX record tells its own length.
fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let length = (1..8).map(|digits| rest + digits).find(|it| it.to_string().len() + rest == *it);
    format!("{} {key}={value}\n", length.unwrap_or_default())
}

/// The name of the next entry, or its target, as GNU tar writes long ones.
pub(super) fn long(kind: EntryType, text: &str) -> Vec<u8> {
    entry(kind, b"././@LongLink", b"", 0o644, format!("{text}\0").as_bytes())
}

/// The archive of some entries, with its end.
pub(super) fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = entries.concat();
    bytes.extend_from_slice(&[0; 1024]);
    bytes
}
