//! Zip archives.

use super::Hostile;
use super::zipped::{DEFLATED, STORED, Zipped, deflated, ended, extra, file, link, zip, zipped};

/// The field that holds a name in UTF-8, which some programs read in place of the name itself.
const UNICODE_PATH: u16 = 0x7075;

/// Every case. Before what is hostile stands a file that is not.
pub(super) fn all() -> Vec<Hostile> {
    [names(), kinds(), disagreeing(), places(), sizes(), ends()].into_iter().flatten().collect()
}

fn after_first(entries: &[Zipped]) -> Vec<u8> {
    zip(&[vec![file("first", "1")], entries.to_vec()].concat())
}

fn named(case: &'static str, name: &'static str, shown: &'static str, cause: &'static str) -> Hostile {
    Hostile::refused(case, [shown, cause], move || after_first(&[file(name, "evil")]))
}

fn names() -> Vec<Hostile> {
    let other = |name: &str| extra(UNICODE_PATH, &[b"\x01\0\0\0\0", name.as_bytes()].concat());
    vec![
        named("zip: a name that goes up", "../evil", "`../evil`", "leads out of the archive"),
        named("zip: an absolute name", "/etc/evil", "`/etc/evil`", "is an absolute path"),
        named("zip: a name that goes down and further up", "a/../../evil", "`a/../../evil`", "leads out"),
        named("zip: a name with backslashes", "..\\evil", "`..\\\\evil`", "holds a backslash"),
        named("zip: a name with a NUL", "a\0b", "`a\\x00b`", "holds a control character"),
        named("zip: a file without a name", "", "``", "has no name"),
        named("zip: our marker", ".paquerette/release", "`.paquerette/release`", "keeps for itself"),
        named(
            "zip: a name in an unknown encoding",
            "caf\u{e9}",
            "`caf\\xc3\\xa9`",
            "is not said to be in UTF-8",
        ),
        Hostile::refused(
            "zip: a name that is no UTF-8",
            ["`caf\\xe9`", "is not said to be in UTF-8"],
            || {
                let entry = file("", "evil").both(|it| (it.name, it.flags) = (b"caf\xe9".to_vec(), 0x800));
                after_first(&[entry])
            },
        ),
        Hostile::refused("zip: a part of a name of 256 bytes", ["`nn", "longer than 255 bytes"], || {
            after_first(&[file(&"n".repeat(256), "evil")])
        }),
        Hostile::refused("zip: a name of 60 KiB", ["`n/n/", "longer than 3000 bytes"], || {
            after_first(&[file(&"n/".repeat(30_000), "")])
        }),
        Hostile::refused("zip: a second name in the directory", ["`good`", "has a second name"], move || {
            after_first(&[file("good", "evil").centrally(|it| it.extra = other("../evil"))])
        }),
        Hostile::refused("zip: a second name where it lies", ["`good`", "has a second name"], move || {
            after_first(&[file("good", "evil").locally(|it| it.extra = other("../evil"))])
        }),
        Hostile::refused("zip: a file twice", ["`first`", "stands twice"], || {
            after_first(&[file("first", "2")])
        }),
        Hostile::refused(
            "zip: a file, then a directory of its name",
            ["`first/`", "through the file `first`"],
            || after_first(&[zipped("first/", 0o040_755, STORED, b"")]),
        ),
        Hostile::refused("zip: a directory, then a file of its name", ["`d`", "stands twice"], || {
            after_first(&[zipped("d/", 0o040_755, STORED, b""), file("d", "2")])
        }),
        Hostile::harmless(
            "zip: names in UTF-8, and those that differ in case only",
            ["A 0644", "a 0644", "caf\u{e9} 0644", "na\u{ef}ve 0644"],
            move || {
                let flagged = file("caf\u{e9}", "1").both(|it| it.flags = 0x800);
                let told = file("na\u{ef}ve", "1").both(|it| it.extra = other("na\u{ef}ve"));
                zip(&[file("A", "1"), file("a", "2"), flagged, told])
            },
        ),
    ]
}

fn kinds() -> Vec<Hostile> {
    let special = |case, mode, cause| {
        Hostile::refused(case, ["`s`", cause], move || after_first(&[zipped("s", mode, STORED, b"")]))
    };
    let method = |case, method| {
        Hostile::refused(case, ["`m`", "compressed by a method that is not read"], move || {
            after_first(&[file("m", "1").both(|it| it.method = method)])
        })
    };
    vec![
        special("zip: a device", 0o020_666, "is a device"),
        special("zip: a named pipe", 0o010_666, "is a named pipe"),
        special("zip: a socket", 0o140_666, "is of a kind that is not read"),
        special(
            "zip: a directory by its mode only",
            0o040_755,
            "one thing by its name and another by its mode",
        ),
        method("zip: bzip2", 12),
        method("zip: LZMA", 14),
        Hostile::refused("zip: a directory by its name only", ["`d/`", "one thing by its name"], || {
            after_first(&[file("d/", "")])
        }),
        Hostile::refused("zip: a directory with content", ["`d/`", "has content, and is no file"], || {
            after_first(&[zipped("d/", 0o040_755, STORED, b"evil")])
        }),
        Hostile::refused("zip: an encrypted file", ["`secret`", "is encrypted"], || {
            after_first(&[file("secret", "123456789012").both(|it| it.flags = 1)])
        }),
        Hostile::refused(
            "zip: a link to /etc and a file through it",
            ["`l`", "absolute path", "`/etc`"],
            || after_first(&[link("l", "/etc"), file("l/evil", "evil")]),
        ),
        Hostile::refused("zip: a link that goes up", ["`l`", "may lead out"], || {
            after_first(&[link("l", "../canary")])
        }),
        Hostile::refused(
            "zip: a file through a link that stays inside",
            ["`l/evil`", "through the link `l`"],
            || after_first(&[link("l", "d"), file("l/evil", "evil")]),
        ),
        Hostile::refused("zip: a link with an endless target", ["`l`", "more than 4096 bytes"], || {
            after_first(&[zipped("l", 0o120_777, DEFLATED, &vec![b'a'; 1 << 20])])
        }),
        Hostile::harmless(
            "zip: modes for everybody, and a link that stays inside",
            ["d/ 0755", "d/l -> ../f", "dos/ 0755", "f 0644", "s 0755"],
            || {
                zip(&[
                    zipped("d/", 0o042_777, STORED, b""),
                    zipped("f", 0o100_666, DEFLATED, b"some text, some text, some text"),
                    zipped("s", 0o106_755, STORED, b"1"),
                    link("d/l", "../f"),
                    zipped("dos/", 0, STORED, b""),
                ])
            },
        ),
    ]
}

fn disagreeing() -> Vec<Hostile> {
    let other = |case, cause, change: fn(Zipped) -> Zipped| {
        Hostile::refused(case, ["`good`", cause], move || after_first(&[change(file("good", "evil"))]))
    };
    vec![
        other("zip: another name where it lies", "has another name where it lies: `../evil`", |it| {
            it.locally(|header| header.name = b"../evil".to_vec())
        }),
        other("zip: another size where it lies", "has other sizes", |it| {
            it.locally(|header| header.size = 3)
        }),
        other("zip: another checksum where it lies", "another checksum", |it| {
            it.locally(|header| header.crc ^= 1)
        }),
        other("zip: another method where it lies", "stored in another way", |it| {
            it.locally(|header| header.method = DEFLATED)
        }),
        other("zip: encrypted only where it lies", "stored in another way", |it| {
            it.locally(|header| header.flags = 1)
        }),
        other("zip: a descriptor that tells another size", "has other sizes", |it| it.with_descriptor(3)),
        Hostile::harmless("zip: a descriptor as it should be", ["first 0644", "good 0644"], || {
            after_first(&[file("good", "evil").with_descriptor(4)])
        }),
    ]
}

fn places() -> Vec<Hostile> {
    vec![
        Hostile::refused(
            "zip: the same bytes under two names",
            ["`again`", "has another name where it lies"],
            || {
                let mut again = file("again", "1");
                (again.at, again.only_central) = (Some(0), true);
                after_first(&[again])
            },
        ),
        Hostile::refused("zip: the same bytes twice under one name", ["entries overlap", "zip bomb"], || {
            let mut again = file("first", "1");
            (again.at, again.only_central) = (Some(0), true);
            after_first(&[again])
        }),
        Hostile::refused(
            "zip: entries that hold the entries behind them",
            ["entries overlap", "zip bomb"],
            quoted,
        ),
        Hostile::refused(
            "zip: an entry that lies nowhere",
            ["`lost`", "is not where the directory says"],
            || {
                let mut lost = file("lost", "1");
                (lost.at, lost.only_central) = (Some(0x7fff_0000), true);
                after_first(&[lost])
            },
        ),
        Hostile::refused("zip: bytes in front of the first entry", ["something lies between"], || {
            let hidden = zip(&[file("hidden", "evil")]);
            let (mut first, mut second) = (file("first", "1"), file("second", "2"));
            let begin = hidden.len() as u32;
            (first.at, first.content) = (Some(begin), b"1".to_vec());
            second.at = Some(begin + 36);
            let mut archive = [hidden, zip(&[first, second])].concat();
            shift_directory(&mut archive, begin);
            archive
        }),
        Hostile::refused("zip: bytes between two entries", ["something lies between"], || {
            let mut first = file("zero", "0");
            first.behind = b"hidden".to_vec();
            zip(&[first, file("second", "2")])
        }),
        Hostile::refused(
            "zip: an entry that the directory does not know",
            ["something lies between"],
            || {
                let mut archive = zip(&[file("hidden", "evil"), file("second", "2")]);
                // The directory begins with its second entry.
                let first = 46 + "hidden".len() as u32;
                shorten_directory(&mut archive, first, 1);
                archive
            },
        ),
    ]
}

/// Where the end of an archive without a comment begins.
fn end_of(archive: &[u8]) -> usize {
    archive.len() - 22
}

fn change(archive: &mut [u8], at: usize, by: impl Fn(u32) -> u32) {
    let mut number = [0; 4];
    number.copy_from_slice(&archive[at..at + 4]);
    archive[at..at + 4].copy_from_slice(&by(u32::from_le_bytes(number)).to_le_bytes());
}

fn shift_directory(archive: &mut [u8], by: u32) {
    let end = end_of(archive);
    change(archive, end + 16, |at| at + by);
}

fn shorten_directory(archive: &mut [u8], by: u32, count: u16) {
    let end = end_of(archive);
    change(archive, end + 12, |length| length - by);
    change(archive, end + 16, |at| at + by);
    archive[end + 8..end + 12].copy_from_slice(&[count, count].map(u16::to_le_bytes).concat());
}

/// After Fifield, "A better zip bomb": each entry quotes the header of the next one in a stored block of deflate, and
/// so all share the content of the last.
fn quoted() -> Vec<u8> {
    let kernel = zipped("kernel", 0o100_644, DEFLATED, &vec![0; 1 << 20]);
    let mut outer = kernel.clone();
    outer.local.name = b"outers".to_vec();
    outer.central.name = b"outers".to_vec();
    let header = &zip(std::slice::from_ref(&kernel))[..30 + 6];
    let length = header.len() as u16;
    let block = [&[0][..], &length.to_le_bytes(), &(!length).to_le_bytes(), header].concat();
    outer.content = [block, kernel.content.clone()].concat();
    let mut data = header.to_vec();
    data.extend(vec![0; 1 << 20]);
    let whole = zipped("outers", 0o100_644, DEFLATED, &data);
    let packed = outer.content.len() as u32;
    let outer =
        outer.both(|it| (it.crc, it.size, it.packed) = (whole.central.crc, whole.central.size, packed));
    let mut inner = kernel;
    // Behind the outer header, its name, and the five bytes of a stored block.
    (inner.at, inner.only_central) = (Some(30 + 6 + 5), true);
    zip(&[outer, inner])
}

fn sizes() -> Vec<Hostile> {
    let zip64 = |sizes: [u64; 2]| extra(1, &sizes.map(u64::to_le_bytes).concat());
    vec![
        Hostile::refused("zip: more content than it says", ["cannot unpack"], || {
            let content = deflated(&[b'x'; 100_000]);
            let entry = zipped("f", 0o100_644, DEFLATED, &[b'x'; 10]);
            let packed = content.len() as u32;
            after_first(&[Zipped { content, ..entry }.both(|it| it.packed = packed)])
        }),
        Hostile::refused("zip: less content than it says", ["cannot unpack"], || {
            after_first(&[zipped("f", 0o100_644, DEFLATED, b"12345").both(|it| it.size = 6)])
        }),
        Hostile::refused("zip: a wrong checksum", ["cannot unpack"], || {
            after_first(&[file("f", "12345").both(|it| it.crc ^= 1)])
        }),
        Hostile::refused(
            "zip: something behind deflate's own end",
            ["something follows an entry's content"],
            || {
                let mut entry = zipped("f", 0o100_644, DEFLATED, b"12345");
                entry.content.extend(b"hidden");
                let packed = entry.content.len() as u32;
                after_first(&[entry.both(|it| it.packed = packed)])
            },
        ),
        Hostile::refused("zip: two sizes of one stored file", ["`f`", "has two sizes"], || {
            after_first(&[file("f", "12345").both(|it| it.size = 3)])
        }),
        Hostile::refused("zip64: an exabyte", ["cannot unpack"], move || {
            let huge = zip64([1 << 60, 5]);
            let entry = zipped("f", 0o100_644, DEFLATED, b"");
            let packed = Zipped { content: b"12345".to_vec(), ..entry };
            after_first(&[
                packed.both(|it| (it.size, it.packed, it.extra) = (u32::MAX, u32::MAX, huge.clone()))
            ])
        }),
        Hostile::refused("zip64: other sizes where it lies", ["`f`", "has other sizes"], move || {
            let (here, there) = (zip64([5, 5]), zip64([4, 5]));
            let entry = file("f", "12345").both(|it| (it.size, it.packed) = (u32::MAX, u32::MAX));
            after_first(&[entry
                .locally(|it| it.extra = here.clone())
                .centrally(|it| it.extra = there.clone())])
        }),
        Hostile::refused(
            "zip64: content beyond the end",
            ["`f`", "is not where the directory says"],
            move || {
                let beyond = zip64([1 << 40, 1 << 40]);
                let entry = file("f", "12345");
                after_first(&[
                    entry.both(|it| (it.size, it.packed, it.extra) = (u32::MAX, u32::MAX, beyond.clone()))
                ])
            },
        ),
        Hostile::refused("zip: 128 MiB of zeros", ["as of a decompression bomb"], || {
            after_first(&[zipped("zeros", 0o100_644, DEFLATED, &vec![0; 128 << 20])])
        }),
        Hostile::harmless("zip: a bomb in it stays what it is", ["bomb.zip 0644"], || {
            let bomb = zip(&[zipped("zeros", 0o100_644, DEFLATED, &vec![0; 64 << 20])]);
            zip(&[zipped("bomb.zip", 0o100_644, STORED, &bomb)])
        }),
        Hostile::harmless("zip64: sizes as they should be", ["f 0644"], move || {
            let right = zip64([5, 5]);
            let entry = file("f", "12345");
            zip(&[entry.both(|it| (it.size, it.packed, it.extra) = (u32::MAX, u32::MAX, right.clone()))])
        }),
    ]
}

fn ends() -> Vec<Hostile> {
    let good = || zip(&[file("first", "1"), file("second", "22")]);
    vec![
        Hostile::refused("zip: half of it", ["the zip archive cannot be read"], move || {
            good()[..60].to_vec()
        }),
        Hostile::refused("zip: all but its last byte", ["the zip archive cannot be read"], move || {
            good()[..good().len() - 1].to_vec()
        }),
        Hostile::refused("zip: bytes behind its end", ["something follows its end"], move || {
            [good(), b"garbage".to_vec()].concat()
        }),
        Hostile::refused("zip: a second archive behind it", ["something lies between"], move || {
            [good(), zip(&[file("first", "evil")])].concat()
        }),
        Hostile::refused("zip: an end that counts more entries", ["as many entries as it says"], || {
            ended(&[file("first", "1")], 2, b"")
        }),
        Hostile::refused("zip: an end that counts fewer entries", ["as many entries as it says"], || {
            ended(&[file("first", "1"), file("second", "2")], 1, b"")
        }),
        Hostile::refused("zip: another archive's end in the comment", ["cannot unpack"], move || {
            ended(&[file("first", "1")], 1, &zip(&[file("first", "evil")])[40..])
        }),
        Hostile::refused("zip: nothing in it", ["it is empty"], || zip(&[])),
        Hostile::harmless("zip: a comment", ["first 0644"], || ended(&[file("first", "1")], 1, b"a commit")),
    ]
}
