//! Reads a tar archive entry by entry, and strictly: what programs read in different ways is refused.
//!
//! Always true here: of what stands before an entry (long names, PAX records) no more than 1 MiB is held; an archive
//! ends with a block of zeros, and only zeros follow.

use std::io::{self, Read};

use tar::{EntryType, Header};

use super::Refused;
use super::entry::{Entry, What};
use super::format::is_tar;

const BLOCK: usize = 512;

/// Most bytes of a long name or of an entry's PAX records.
const MOST: u64 = 1 << 20;

/// What stood before an entry and is about it.
#[derive(Default)]
struct Before {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

/// Hands out every entry with a reader of its content, which need not be read.
pub fn each(
    reader: &mut dyn Read,
    mut take: impl FnMut(&Entry, &mut dyn Read) -> Result<(), Refused>,
) -> Result<(), Refused> {
    let mut before: Option<Before> = None;
    while let Some(header) = next_header(reader)? {
        let size = header.entry_size().map_err(|error| Refused::Damaged(error.to_string()))?;
        let kind = header.entry_type();
        match kind {
            EntryType::XHeader => {
                before.get_or_insert_default().read(&small(reader, size)?, &header.path_bytes())?;
            }
            EntryType::XGlobalHeader => {
                let mut all = Before::default();
                all.read(&small(reader, size)?, &header.path_bytes())?;
                if all.path.is_some() || all.target.is_some() || all.size.is_some() || all.sparse {
                    return Err(Refused::entry(&header.path_bytes(), "names or sizes all that follows"));
                }
            }
            EntryType::GNULongName | EntryType::GNULongLink => {
                let mut text = small(reader, size)?;
                text.truncate(text.iter().position(|byte| *byte == 0).unwrap_or(text.len()));
                let before = before.get_or_insert_default();
                let long = if kind == EntryType::GNULongName { &mut before.path } else { &mut before.target };
                once(long, text, &header.path_bytes())?;
            }
            _ => {
                let entry = entry(&header, size, before.take().unwrap_or_default())?;
                let mut content = (&mut *reader).take(size);
                take(&entry, &mut content)?;
                io::copy(&mut content, &mut io::sink()).map_err(Refused::damaged)?;
                if content.limit() > 0 {
                    return Err(ended());
                }
                padding(reader, size)?;
            }
        }
    }
    match before {
        Some(_) => {
            Err(Refused::Damaged("it ends after what belongs to an entry that is not there".to_owned()))
        }
        None => only_zeros(reader),
    }
}

fn ended() -> Refused {
    Refused::Damaged("it ends early".to_owned())
}

/// The next header; `None` where a block of zeros ends the archive.
fn next_header(reader: &mut dyn Read) -> Result<Option<Header>, Refused> {
    let mut header = Header::new_old();
    read_whole(reader, header.as_mut_bytes())?;
    if header.as_bytes().iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    match is_tar(header.as_bytes()) {
        true => Ok(Some(header)),
        false => Err(Refused::Damaged("the checksum of a header is wrong".to_owned())),
    }
}

fn read_whole(reader: &mut dyn Read, into: &mut [u8]) -> Result<(), Refused> {
    reader.read_exact(into).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => ended(),
        _ => Refused::damaged(error),
    })
}

/// The content of something that is held in memory.
fn small(reader: &mut dyn Read, size: u64) -> Result<Vec<u8>, Refused> {
    if size > MOST {
        return Err(Refused::Unwanted(format!("a name or a record in it is longer than {MOST} bytes")));
    }
    let mut content = Vec::new();
    (&mut *reader).take(size).read_to_end(&mut content).map_err(Refused::damaged)?;
    match content.len() as u64 == size {
        true => padding(reader, size).map(|()| content),
        false => Err(ended()),
    }
}

/// Reads what fills the last block of a content.
fn padding(reader: &mut dyn Read, size: u64) -> Result<(), Refused> {
    let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
    read_whole(reader, &mut [0; BLOCK][..(BLOCK - over) % BLOCK])
}

/// Reads to the end, where a compressed stream tells whether it was whole; tar fills its last record with zeros.
fn only_zeros(reader: &mut dyn Read) -> Result<(), Refused> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) if buffer[..read].iter().all(|byte| *byte == 0) => {}
            Ok(_) => return Err(Refused::Damaged("something follows its end".to_owned())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Refused::damaged(error)),
        }
    }
}

fn once<T>(slot: &mut Option<T>, value: T, name: &[u8]) -> Result<(), Refused> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Refused::entry(name, "is followed by a second name, target or size of one entry")),
    }
}

impl Before {
    /// Takes PAX records: `LENGTH KEY=VALUE\n`, where the length counts all of it.
    fn read(&mut self, mut records: &[u8], name: &[u8]) -> Result<(), Refused> {
        let broken = || Refused::Damaged("a PAX record in it cannot be read".to_owned());
        while !records.is_empty() {
            let space = records.iter().take(20).position(|byte| *byte == b' ').ok_or_else(broken)?;
            let length = number(&records[..space]).and_then(|it| usize::try_from(it).ok());
            let length = length.filter(|it| *it > space + 1 && *it <= records.len()).ok_or_else(broken)?;
            let (record, rest) = records.split_at(length);
            records = rest;
            let record = record[space + 1..].strip_suffix(b"\n").ok_or_else(broken)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(broken)?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" => once(&mut self.path, value.to_vec(), name)?,
                b"linkpath" => once(&mut self.target, value.to_vec(), name)?,
                b"size" => once(&mut self.size, number(value).ok_or_else(broken)?, name)?,
                key => self.sparse |= key.starts_with(b"GNU.sparse"),
            }
        }
        Ok(())
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|it| it.is_ascii_digit()))?.parse().ok()
}

fn entry(header: &Header, size: u64, before: Before) -> Result<Entry, Refused> {
    let name = before.path.unwrap_or_else(|| header.path_bytes().into_owned());
    if before.size.is_some_and(|other| other != size) {
        return Err(Refused::entry(&name, "has two sizes"));
    }
    let kind = header.entry_type();
    // Version 7 of Unix wrote directories as files whose name ends in a slash.
    let directory = kind == EntryType::Directory || (kind == EntryType::Regular && name.ends_with(b"/"));
    let what = match kind {
        _ if before.sparse || kind == EntryType::GNUSparse => {
            What::Refused("is a sparse file, which is not read".to_owned())
        }
        EntryType::Directory | EntryType::Regular | EntryType::Symlink
            if size > 0 && (directory || kind == EntryType::Symlink) =>
        {
            What::Refused("has content, and is no file".to_owned())
        }
        _ if directory => What::Directory,
        EntryType::Regular => {
            What::File { size, executable: header.mode().is_ok_and(|mode| mode & 0o100 != 0) }
        }
        EntryType::Symlink => What::Link(
            before.target.or_else(|| header.link_name_bytes().map(|it| it.into_owned())).unwrap_or_default(),
        ),
        EntryType::Link => What::Refused(
            "is a hard link, and only files, directories and inner symbolic links come out".to_owned(),
        ),
        EntryType::Char | EntryType::Block => What::Refused("is a device".to_owned()),
        EntryType::Fifo => What::Refused("is a named pipe".to_owned()),
        _ => What::Refused("is of a kind that is not read".to_owned()),
    };
    Ok(Entry { name, what })
}
