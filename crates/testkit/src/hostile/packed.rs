//! Archives that are compressed: cut, with something behind their end, or much larger than they look.

use std::io::Write;

use tar::EntryType;

use super::Hostile;
use super::tape::{directory, entry, file, long, tar};

/// A compression: its name, and what does it.
type Packer = fn(&[u8]) -> Vec<u8>;

const PACKERS: [(&str, Packer); 4] = [("gz", gz), ("bz2", bz2), ("xz", xz), ("zst", zst)];

/// Every case.
pub(super) fn all() -> Vec<Hostile> {
    let of_each = PACKERS.into_iter().flat_map(|(name, pack)| each(name, pack));
    of_each.chain(many()).collect()
}

/// A name for a case; there are a dozen, and they are told apart for ever.
fn case(packer: &str, text: &str) -> &'static str {
    Box::leak(format!("{packer}: {text}").into_boxed_str())
}

fn each(name: &str, pack: Packer) -> Vec<Hostile> {
    let good = move || pack(&tar(&[file("first", "1"), file("second", "22")]));
    // A compressed stream must tell that it is not whole also where the tar in it is.
    let refused = |text, cause, make: Box<dyn Fn() -> Vec<u8> + Send + Sync>| {
        Hostile::refused(case(name, text), ["cannot unpack", cause], make)
    };
    vec![
        refused("half of it", "", Box::new(move || good()[..good().len() / 2].to_vec())),
        refused("all but its last byte", "", Box::new(move || good()[..good().len() - 1].to_vec())),
        refused(
            "one bit in the middle",
            "",
            Box::new(move || {
                let mut bytes = good();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0x10;
                bytes
            }),
        ),
        refused("bytes behind its end", "", Box::new(move || [good(), b"garbage!".repeat(8)].concat())),
        refused(
            "a second archive behind it",
            "something follows its end",
            Box::new(move || [good(), pack(&tar(&[file("first", "evil")]))].concat()),
        ),
        refused(
            "128 MiB of zeros",
            "as of a decompression bomb",
            Box::new(move || {
                pack(&tar(&[entry(EntryType::Regular, b"zeros", b"", 0o644, &vec![0; 128 << 20])]))
            }),
        ),
        refused(
            "128 MiB of zeros behind the end",
            "as of a decompression bomb",
            Box::new(move || pack(&[tar(&[file("first", "1")]), vec![0; 128 << 20]].concat())),
        ),
        Hostile::harmless(case(name, "a bomb in it stays what it is"), ["bomb.gz 0644"], move || {
            let bomb = gz(&gz(&vec![0; 64 << 20]));
            pack(&tar(&[entry(EntryType::Regular, b"bomb.gz", b"", 0o644, &bomb)]))
        }),
    ]
}

fn many() -> Vec<Hostile> {
    vec![
        Hostile::refused("a million files", ["it holds more than 50000 entries"], || {
            packed((0..1_000_000).map(|it| file(&scattered(it), "")))
        }),
        Hostile::refused(
            "ten thousand files, sixty new directories to each",
            ["it holds more than 50000 entries"],
            || {
                packed((0..10_000).map(|it| {
                    let name = format!("{}{}", scattered(it), "/d".repeat(60));
                    [long(EntryType::GNULongName, &name), file("cut", "")].concat()
                }))
            },
        ),
        Hostile::refused(
            "three thousand names of twelve long directories",
            ["have more than 33554432 bytes"],
            || {
                packed((0..3_000).map(|it| {
                    let name = format!("{}{}", scattered(it), format!("/{}", "d".repeat(255)).repeat(11));
                    [long(EntryType::GNULongName, &name), directory("cut")].concat()
                }))
            },
        ),
        Hostile::refused("a name of 128 MiB", ["longer than 1048576 bytes"], || {
            let name = "n".repeat(128 << 20);
            zst(&tar(&[long(EntryType::GNULongName, &name), file("cut", "")]))
        }),
    ]
}

/// A name that does not compress well: such an archive is no bomb by its ratio.
fn scattered(number: u64) -> String {
    let one = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let two = (one ^ (one >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    format!("{one:016x}{two:016x}")
}

/// An archive that is compressed while its entries are made.
fn packed(entries: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let Ok(mut encoder) = zstd::Encoder::new(Vec::new(), 1) else { return Vec::new() };
    let written = entries.chain([vec![0; 1024]]).try_for_each(|entry| encoder.write_all(&entry));
    written.and_then(|()| encoder.finish()).unwrap_or_default()
}

// Writing into memory does not fail; an archive that came out empty would not be refused with the right words.

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default()
}

fn bz2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default()
}

fn zst(bytes: &[u8]) -> Vec<u8> {
    let Ok(mut encoder) = zstd::Encoder::new(Vec::new(), 1) else { return Vec::new() };
    let written = encoder.include_checksum(true).and_then(|()| encoder.write_all(bytes));
    written.and_then(|()| encoder.finish()).unwrap_or_default()
}
