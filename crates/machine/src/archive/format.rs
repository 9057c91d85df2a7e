//! How an archive is compressed, told by its first bytes.

use std::fs::File;
use std::io::{self, BufReader, Read};

use super::Refused;

/// Most memory that xz may take.
const XZ_MEMORY: u64 = 256 << 20;

/// Most bytes that may follow the last entry: tar pads to its block size, at most to some hundred KiB.
const PADDING: u64 = 16 << 20;

/// A reader of the tar inside.
pub fn open(mut file: File) -> Result<Box<dyn Read>, Refused> {
    let mut first = Vec::new();
    (&mut file).take(512).read_to_end(&mut first).map_err(Refused::damaged)?;
    let file = io::Cursor::new(first.clone()).chain(file);
    let buffered = BufReader::with_capacity(256 * 1024, file);
    match first.as_slice() {
        [0x1f, 0x8b, ..] => Ok(Box::new(flate2::read::MultiGzDecoder::new(buffered))),
        [b'B', b'Z', b'h', ..] => Ok(Box::new(bzip2::read::MultiBzDecoder::new(buffered))),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            let stream =
                liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, liblzma::stream::CONCATENATED)
                    .map_err(|error| Refused::Damaged(error.to_string()))?;
            Ok(Box::new(liblzma::read::XzDecoder::new_stream(buffered, stream)))
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            Ok(Box::new(zstd::stream::read::Decoder::with_buffer(buffered).map_err(Refused::damaged)?))
        }
        [b'P', b'K', 3, 4, ..] => {
            Err(Refused::Damaged("it is a zip archive, and only tar is read".to_owned()))
        }
        first if is_tar(first) => Ok(Box::new(buffered)),
        _ => Err(Refused::Damaged("it is no tar archive, plain or in gzip, bzip2, xz or zstd".to_owned())),
    }
}

/// Whether a block is a tar header: its checksum is right.
fn is_tar(block: &[u8]) -> bool {
    let Ok(block) = <[u8; 512]>::try_from(block) else { return false };
    let sum: u32 = block
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
        .sum();
    let written = String::from_utf8_lossy(&block[148..156]).into_owned();
    u32::from_str_radix(written.trim_matches([' ', '\0']), 8) == Ok(sum)
}

/// Reads to the end, where a compressed stream tells whether it was whole.
pub fn drain(reader: impl Read) -> Result<(), Refused> {
    let drained = io::copy(&mut reader.take(PADDING + 1), &mut io::sink()).map_err(Refused::damaged)?;
    match drained > PADDING {
        true => Err(Refused::Damaged("much follows its last entry".to_owned())),
        false => Ok(()),
    }
}
