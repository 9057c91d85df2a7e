//! What an archive is, told by its first bytes, and how much may come out of a compressed one.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};

use super::Refused;

/// Most memory that xz may take: its best setting needs 65 MiB.
const XZ_MEMORY: u64 = 96 << 20;

/// How many times larger than the archive what comes out may be. Text compresses 4 to 20 times.
const RATIO: u64 = 200;

/// What may come out of any archive, however small.
const UNJUDGED: u64 = 64 << 20;

/// An archive that is open.
pub enum Format {
    /// The tar that is inside, without its compression.
    Tar(Box<dyn Read>),
    /// A zip archive.
    Zip(File),
}

/// Tells what an archive is.
pub fn open(mut file: File) -> Result<Format, Refused> {
    let length = file.metadata().map_err(Refused::damaged)?.len();
    let mut first = Vec::new();
    (&mut file).take(512).read_to_end(&mut first).map_err(Refused::damaged)?;
    if first.starts_with(b"PK\x03\x04") || first.starts_with(b"PK\x05\x06") {
        return Ok(Format::Zip(file));
    }
    let chained = io::Cursor::new(first.clone()).chain(file);
    let buffered = BufReader::with_capacity(256 * 1024, chained);
    let reader: Box<dyn Read> = match first.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(buffered)),
        [b'B', b'Z', b'h', ..] => Box::new(bzip2::read::MultiBzDecoder::new(buffered)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            let stream =
                liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, liblzma::stream::CONCATENATED)
                    .map_err(|error| Refused::Damaged(error.to_string()))?;
            Box::new(liblzma::read::XzDecoder::new_stream(buffered, stream))
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            Box::new(zstd::stream::read::Decoder::with_buffer(buffered).map_err(Refused::damaged)?)
        }
        first if is_tar(first) => return Ok(Format::Tar(Box::new(buffered))),
        _ => {
            return Err(Refused::Damaged(
                "it is no tar archive, plain or in gzip, bzip2, xz or zstd, and no zip archive".to_owned(),
            ));
        }
    };
    let (left, length) = (most(length), length);
    Ok(Format::Tar(Box::new(Bounded { reader, left, length })))
}

/// Most bytes that may come out of an archive of some length.
pub fn most(length: u64) -> u64 {
    length.saturating_mul(RATIO).max(UNJUDGED)
}

/// More comes out of an archive than one of its length should hold.
#[derive(Debug)]
pub struct Bomb {
    /// The archive's length in bytes.
    pub length: u64,
}

impl fmt::Display for Bomb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (length, most) = (self.length, most(self.length));
        write!(f, "more than {most} bytes would come out of its {length}, as of a decompression bomb")
    }
}

impl std::error::Error for Bomb {}

/// What comes out of a compressed archive, up to what its length allows.
struct Bounded<R> {
    reader: R,
    left: u64,
    length: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::other(Bomb { length: self.length }))?;
        Ok(read)
    }
}

/// Whether a block is a tar header: its checksum is right.
pub fn is_tar(block: &[u8]) -> bool {
    let Ok(block) = <[u8; 512]>::try_from(block) else { return false };
    let sum: u32 = block
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
        .sum();
    let written = String::from_utf8_lossy(&block[148..156]).into_owned();
    u32::from_str_radix(written.trim_matches([' ', '\0']), 8) == Ok(sum)
}
