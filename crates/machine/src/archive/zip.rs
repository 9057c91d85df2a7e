//! Reads a zip archive entry by entry, and strictly: what programs read in different ways is refused.
//!
//! Always true here: before anything comes out, the local header of every entry says what the central directory says,
//! and the entries lie one behind the other from the first byte on up to the directory, with nothing between them. So
//! no byte is unpacked twice, and there is no second archive that another program would find.

use std::fs::File;
use std::io::{self, BufReader, Read};

use flate2::bufread::DeflateDecoder;
use pq_steps::Archive;
use rawzip::extra_fields::{ExtraFieldId, ExtraFields};
use rawzip::{
    CompressionMethod, CreatorSystem, FileReader, ZipArchive, ZipEntry, ZipFileHeaderRecord, ZipReader,
};

use super::Refused;
use super::entry::{Entry, What};
use super::format::{Bomb, most};

/// Room for the largest record of a central directory: name, extra fields and comment have 64 KiB each.
const ROOM: usize = 256 * 1024;

/// The longest target of a link that is read.
const TARGET: u64 = 4096;

/// The lengths that a data descriptor may have: with or without signature, with sizes of 32 or 64 bits.
const DESCRIPTORS: [u64; 4] = [12, 16, 20, 24];

type Zip = ZipArchive<FileReader>;

/// Where an entry lies in the archive.
struct Span {
    from: u64,
    to: u64,
    descriptor: bool,
}

/// Hands out every entry with a reader of its content, which need not be read.
pub fn each(
    file: File,
    archive: &Archive,
    mut take: impl FnMut(&Entry, &mut dyn Read) -> Result<(), Refused>,
) -> Result<(), Refused> {
    let length = file.metadata().map_err(Refused::damaged)?.len();
    let mut buffer = vec![0; ROOM];
    let zip = ZipArchive::from_file(file, &mut buffer).map_err(broken)?;
    is_sound(&zip, &mut buffer, length, archive.max_entries)?;
    let mut entries = zip.entries(&mut buffer);
    while let Some(record) = entries.next_entry().map_err(broken)? {
        let found = zip.get_entry(record.wayfinder()).map_err(broken)?;
        let mut entry = Entry { name: record.file_path().as_bytes().to_vec(), what: what(&record) };
        let mut content = found.verifying_reader(Content::of(&record, &found));
        if let What::Link(target) = &mut entry.what {
            content.read_to_end(target).map_err(Refused::damaged)?;
        }
        take(&entry, &mut content)?;
    }
    Ok(())
}

fn broken(error: rawzip::Error) -> Refused {
    Refused::Damaged(format!("the zip archive cannot be read: {}", error.to_string().to_lowercase()))
}

fn miscounted() -> Refused {
    Refused::Damaged("its directory does not hold as many entries as it says".to_owned())
}

/// Looks at every header, and at where everything lies.
fn is_sound(zip: &Zip, buffer: &mut [u8], length: u64, max_entries: u64) -> Result<(), Refused> {
    if zip.end_offset() != length {
        return Err(Refused::Damaged("something follows its end".to_owned()));
    }
    if zip.entries_hint() > max_entries {
        return Err(Refused::Limit(format!("it holds more than {max_entries} entries")));
    }
    let (mut spans, mut total, mut local) = (Vec::new(), 0u64, vec![0; ROOM]);
    let mut entries = zip.entries(buffer);
    while let Some(record) = entries.next_entry().map_err(broken)? {
        if spans.len() as u64 == zip.entries_hint() {
            return Err(miscounted());
        }
        let refused = |why: &str| Refused::entry(record.file_path().as_bytes(), why);
        let found = zip
            .get_entry(record.wayfinder())
            .map_err(|error| refused(&format!("is not where the directory says: {error}").to_lowercase()))?;
        if found.compressed_data_range().1 > zip.directory_offset() {
            return Err(refused("is not where the directory says"));
        }
        agrees(&record, &found, &mut local)?;
        total = total.saturating_add(record.uncompressed_size_hint());
        spans.push(Span {
            from: record.local_header_offset(),
            to: found.compressed_data_range().1,
            descriptor: record.flags().has_data_descriptor(),
        });
    }
    if spans.len() as u64 != zip.entries_hint() {
        return Err(miscounted());
    }
    lie_in_a_row(spans, zip.directory_offset())?;
    match total > most(length) {
        true => Err(Refused::Unwanted(Bomb { length }.to_string())),
        false => Ok(()),
    }
}

/// Whether an entry's local header says what the central directory says of it.
fn agrees(
    record: &ZipFileHeaderRecord<'_>,
    found: &ZipEntry<'_, FileReader>,
    room: &mut [u8],
) -> Result<(), Refused> {
    let name = record.file_path().as_bytes();
    let refused = |why: &str| Err(Refused::entry(name, why));
    let local = found.local_header(room).map_err(broken)?;
    if local.file_path().as_bytes() != name {
        let other = local.file_path().as_bytes().escape_ascii().to_string();
        return refused(&format!("has another name where it lies: `{other}`"));
    }
    if record.flags().is_encrypted() || record.flags().has_strong_encryption() || record.flags().is_masked() {
        return refused("is encrypted");
    }
    // Bits 1 and 2 only tell how hard the compressor tried.
    if (record.flags().bits() ^ local.flags().bits()) & !0b110 != 0
        || record.compression_method() != local.compression_method()
    {
        return refused("is stored in another way than the directory says");
    }
    let central = (record.crc32(), record.compressed_size_hint(), record.uncompressed_size_hint());
    let here = (local.crc32(), local.compressed_size_hint(), local.uncompressed_size_hint());
    let sizes = match found.reader().data_descriptor().map_err(broken)? {
        Some(behind) => {
            let behind = (behind.crc32(), behind.compressed_size(), behind.uncompressed_size());
            behind == central && (here == central || here == (0, 0, 0))
        }
        None => here == central,
    };
    if !sizes {
        return refused("has other sizes or another checksum where it lies than the directory says");
    }
    names_agree(record, record.extra_fields())?;
    names_agree(record, local.extra_fields())
}

/// Whether a name in UTF-8 that some programs read in place of the other, and the other, are one; without such a
/// field and the flag, only ASCII has one meaning.
fn names_agree(record: &ZipFileHeaderRecord<'_>, fields: ExtraFields<'_>) -> Result<(), Refused> {
    let name = record.file_path().as_bytes();
    let mut known = name.is_ascii() || (record.flags().is_utf8() && std::str::from_utf8(name).is_ok());
    for (id, data) in fields {
        if id == ExtraFieldId::INFO_ZIP_UNICODE_PATH {
            // One byte of version and four of a checksum come first.
            if data.get(5..) != Some(name) || std::str::from_utf8(name).is_err() {
                return Err(Refused::entry(name, "has a second name, in a field of its own"));
            }
            known = true;
        }
    }
    match known {
        true => Ok(()),
        false => Err(Refused::entry(name, "is not said to be in UTF-8")),
    }
}

/// Whether entries fill the archive from its first byte up to its directory, without overlapping.
fn lie_in_a_row(mut spans: Vec<Span>, directory: u64) -> Result<(), Refused> {
    spans.sort_unstable_by_key(|span| span.from);
    let (mut at, mut descriptor) = (0, false);
    let ends = spans.iter().map(|span| (span.from, span.to, span.descriptor));
    for (from, to, next) in ends.chain([(directory, directory, false)]) {
        match from.checked_sub(at) {
            None => return Err(Refused::Unwanted("entries overlap in it, as in a zip bomb".to_owned())),
            Some(0) if !descriptor => {}
            Some(gap) if descriptor && DESCRIPTORS.contains(&gap) => {}
            Some(_) => return Err(Refused::Unwanted("something lies between its entries".to_owned())),
        }
        (at, descriptor) = (to, next);
    }
    Ok(())
}

/// What comes out of an entry.
fn what(record: &ZipFileHeaderRecord<'_>) -> What {
    let refused = |why: &str| What::Refused(why.to_owned());
    let (size, name) = (record.uncompressed_size_hint(), record.file_path().as_bytes());
    if !matches!(record.compression_method(), CompressionMethod::STORE | CompressionMethod::DEFLATE) {
        let method = record.compression_method();
        return What::Refused(format!("is compressed by a method that is not read: {method}").to_lowercase());
    }
    if record.compression_method() == CompressionMethod::STORE && record.compressed_size_hint() != size {
        return refused("has two sizes");
    }
    if name.contains(&b'\\') {
        return refused("holds a backslash, which some read as a slash");
    }
    let unix =
        matches!(record.version_made_by().creator_system(), CreatorSystem::UNIX | CreatorSystem::MACOS);
    let mode = if unix { record.external_attributes() >> 16 } else { 0 };
    match (mode & 0o170_000, name.ends_with(b"/")) {
        (0 | 0o040_000, true) if size > 0 => refused("has content, and is no file"),
        (0 | 0o040_000, true) => What::Directory,
        (0o120_000, false) if size > TARGET => refused("is a link with a target of more than 4096 bytes"),
        (0o120_000, false) => What::Link(Vec::new()),
        (0 | 0o100_000, false) => What::File { size, executable: mode & 0o100 != 0 },
        (0o020_000 | 0o060_000, _) => refused("is a device"),
        (0o010_000, _) => refused("is a named pipe"),
        (0o040_000 | 0o100_000 | 0o120_000, _) => refused("is one thing by its name and another by its mode"),
        _ => refused("is of a kind that is not read"),
    }
}

/// The content of an entry, without its compression.
enum Content<'a> {
    Stored(ZipReader<&'a FileReader>),
    Deflated { decoder: DeflateDecoder<BufReader<ZipReader<&'a FileReader>>>, length: u64 },
}

impl<'a> Content<'a> {
    fn of(record: &ZipFileHeaderRecord<'_>, found: &ZipEntry<'a, FileReader>) -> Self {
        match record.compression_method() {
            CompressionMethod::DEFLATE => Content::Deflated {
                decoder: DeflateDecoder::new(BufReader::with_capacity(64 * 1024, found.reader())),
                length: record.compressed_size_hint(),
            },
            _ => Content::Stored(found.reader()),
        }
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (decoder, length) = match self {
            Content::Stored(reader) => return reader.read(buffer),
            Content::Deflated { decoder, length } => (decoder, *length),
        };
        let read = decoder.read(buffer)?;
        match read == 0 && !buffer.is_empty() && decoder.total_in() != length {
            true => Err(io::Error::new(io::ErrorKind::InvalidData, "something follows an entry's content")),
            false => Ok(read),
        }
    }
}
