//! Zip archives after APPNOTE 6.3, written as nobody should write them.

use std::io::Write;

/// What one of the two headers of an entry says.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub name: Vec<u8>,
    pub flags: u16,
    pub method: u16,
    pub crc: u32,
    pub packed: u32,
    pub size: u32,
    pub extra: Vec<u8>,
}

/// One entry.
#[derive(Debug, Clone)]
pub(super) struct Zipped {
    /// What the header in front of its content says.
    pub local: Header,
    /// What the directory says.
    pub central: Header,
    /// The content as it lies in the archive.
    pub content: Vec<u8>,
    /// What lies behind the content.
    pub behind: Vec<u8>,
    /// Mode of Unix, with the kind.
    pub mode: u32,
    /// Where the directory says that it is, if not where it is.
    pub at: Option<u32>,
    /// Whether it is only in the directory.
    pub only_central: bool,
}

pub(super) const STORED: u16 = 0;
pub(super) const DEFLATED: u16 = 8;

/// An entry as it should be.
pub(super) fn zipped(name: &str, mode: u32, method: u16, data: &[u8]) -> Zipped {
    let mut checksum = flate2::Crc::new();
    checksum.update(data);
    let content = if method == DEFLATED { deflated(data) } else { data.to_vec() };
    let header = Header {
        name: name.as_bytes().to_vec(),
        flags: 0,
        method,
        crc: checksum.sum(),
        packed: content.len() as u32,
        size: data.len() as u32,
        extra: Vec::new(),
    };
    let (local, central) = (header.clone(), header);
    Zipped { local, central, content, behind: Vec::new(), mode, at: None, only_central: false }
}

pub(super) fn file(name: &str, data: &str) -> Zipped {
    zipped(name, 0o100_644, STORED, data.as_bytes())
}

pub(super) fn link(name: &str, target: &str) -> Zipped {
    zipped(name, 0o120_777, STORED, target.as_bytes())
}

impl Zipped {
    /// Changes both headers in the same way.
    pub fn both(mut self, change: impl Fn(&mut Header)) -> Self {
        change(&mut self.local);
        change(&mut self.central);
        self
    }

    pub fn locally(mut self, change: impl Fn(&mut Header)) -> Self {
        change(&mut self.local);
        self
    }

    pub fn centrally(mut self, change: impl Fn(&mut Header)) -> Self {
        change(&mut self.central);
        self
    }

    /// Its sizes and checksum stand behind its content.
    pub fn with_descriptor(mut self, size: u32) -> Self {
        self = self.both(|header| header.flags |= 8);
        let signature = b"PK\x07\x08".to_vec();
        let numbers = [self.central.crc, self.central.packed, size].map(u32::to_le_bytes).concat();
        self.behind = [signature, numbers].concat();
        self.locally(|header| (header.crc, header.packed, header.size) = (0, 0, 0))
    }
}

pub(super) fn deflated(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing into memory does not fail.
    encoder.write_all(data).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// An extra field.
pub(super) fn extra(id: u16, data: &[u8]) -> Vec<u8> {
    [&id.to_le_bytes()[..], &(data.len() as u16).to_le_bytes(), data].concat()
}

/// What both headers have in common; all dates are 1980-01-01.
fn common(header: &Header) -> Vec<u8> {
    let mut bytes = [20, header.flags, header.method, 0, 0x21].map(u16::to_le_bytes).concat();
    bytes.extend([header.crc, header.packed, header.size].map(u32::to_le_bytes).concat());
    let lengths = [header.name.len() as u16, header.extra.len() as u16];
    bytes.extend(lengths.map(u16::to_le_bytes).concat());
    bytes
}

/// The archive of some entries.
pub(super) fn zip(entries: &[Zipped]) -> Vec<u8> {
    ended(entries, entries.len() as u16, b"")
}

/// The same, with a number of entries and a comment in its end.
pub(super) fn ended(entries: &[Zipped], count: u16, comment: &[u8]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let (at, central) = (entry.at.unwrap_or(archive.len() as u32), &entry.central);
        // Version 3.0 of Unix made it.
        directory.extend(b"PK\x01\x02\x1e\x03");
        directory.extend(common(central));
        // Comment, disk, inner attributes.
        directory.extend([0; 6]);
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend(at.to_le_bytes());
        directory.extend([central.name.as_slice(), &central.extra].concat());
        if !entry.only_central {
            archive.extend(b"PK\x03\x04");
            archive.extend(common(&entry.local));
            let parts = [&entry.local.name, &entry.local.extra, &entry.content, &entry.behind];
            parts.into_iter().for_each(|part| archive.extend(part));
        }
    }
    let at = (archive.len() as u32).to_le_bytes();
    archive.extend(&directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend([count, count].map(u16::to_le_bytes).concat());
    archive.extend((directory.len() as u32).to_le_bytes());
    archive.extend(at);
    archive.extend((comment.len() as u16).to_le_bytes());
    archive.extend(comment);
    archive
}
