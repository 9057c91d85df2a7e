//! Archives: what comes out of a good one, and that nothing comes out of a hostile one.

use std::collections::BTreeMap;
use std::io::Write;

use pq_steps::{Archive, System};
use tar::{EntryType, Header};

use crate::{World, told};

/// One entry as it stands in an archive; names and links are written as they are.
fn entry(kind: EntryType, name: &[u8], link: &[u8], mode: u32, data: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(1234);
    header.set_size(data.len() as u64);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(name: &str, data: &str) -> Vec<u8> {
    entry(EntryType::Regular, name.as_bytes(), b"", 0o644, data.as_bytes())
}

fn link(name: &str, target: &str) -> Vec<u8> {
    entry(EntryType::Symlink, name.as_bytes(), target.as_bytes(), 0o777, b"")
}

fn directory(name: &str) -> Vec<u8> {
    entry(EntryType::Directory, name.as_bytes(), b"", 0o700, b"")
}

fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = entries.concat();
    bytes.extend_from_slice(&[0; 1024]);
    bytes
}

/// Unpacks bytes as an archive without its leading directory.
fn unpack(world: &mut World, bytes: &[u8], change: impl FnOnce(&mut Archive)) -> Result<(), String> {
    std::fs::write(world.real("archive"), bytes).unwrap();
    let mut archive = Archive {
        path: world.at("archive"),
        strip: 1,
        max_bytes: 1 << 20,
        max_entries: 100,
        links: BTreeMap::new(),
    };
    change(&mut archive);
    let into = world.at("out");
    world.machine.unpack(&archive, &into).map_err(told)
}

fn good() -> Vec<u8> {
    tar(&[
        entry(
            EntryType::XGlobalHeader,
            b"pax_global_header",
            b"",
            0o644,
            b"52 comment=0123456789012345678901234567890123456789\n",
        ),
        directory("./top/"),
        file("top/README", "hello"),
        entry(EntryType::Regular, b"top/bin/run", b"", 0o6755, b"#!/bin/sh\n"),
        entry(EntryType::Regular, b"top/shared", b"", 0o666, b""),
        link("top/lib/link", "../bin/run"),
    ])
}

#[test]
fn every_compression_gives_the_same_tree_of_plain_modes() {
    let plain = good();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(&plain).unwrap();
    let mut bz2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    bz2.write_all(&plain).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 6);
    xz.write_all(&plain).unwrap();
    let zstd = zstd::encode_all(plain.as_slice(), 3).unwrap();
    for bytes in [plain, gz.finish().unwrap(), bz2.finish().unwrap(), xz.finish().unwrap(), zstd] {
        let mut world = World::new();
        unpack(&mut world, &bytes, |_| {}).unwrap();
        assert_eq!(
            world.tree("out"),
            [
                "README 0644",
                "bin/ 0755",
                "bin/run 0755",
                "lib/ 0755",
                "lib/link -> ../bin/run",
                "shared 0644"
            ]
        );
        assert_eq!(world.text("out/README"), "hello");
        assert_eq!(world.text("out/lib/link"), "#!/bin/sh\n");
    }
}

#[test]
fn nothing_comes_out_of_a_hostile_archive_and_the_entry_is_named() {
    let long = "n".repeat(90);
    let deep = format!("top/{}f", "d/".repeat(45));
    let cases: Vec<(&str, Vec<Vec<u8>>, &str)> = vec![
        ("a name that goes up", vec![file("top/../../evil", "x")], "leads out"),
        ("a name that goes up at once", vec![file("../evil", "x")], "leads out"),
        ("a name that goes up and comes back", vec![file("top/a/../b", "x")], "leads out"),
        ("an absolute name", vec![file("/etc/evil", "x")], "absolute"),
        ("a name with a line end", vec![file("top/a\nb", "x")], "control character"),
        ("a name with an escape", vec![file("top/a\x1b[2Jb", "x")], "control character"),
        ("a link to an absolute path", vec![link("top/l", "/etc/passwd")], "absolute path"),
        ("a link that goes up", vec![link("top/l", "../../etc/passwd")], "lead out"),
        ("a link to the directory above", vec![link("top/l", "..")], "lead out"),
        (
            "a link that goes down to go up",
            vec![link("top/p", "."), link("top/l", "p/p/p/../../../..")],
            "lead out",
        ),
        ("a link without a target", vec![link("top/l", "")], "absolute path"),
        ("a link with a control character", vec![link("top/l", "a\nb")], "control character"),
        ("a file through a link", vec![link("top/l", "d"), file("top/l/evil", "x")], "through the link `l`"),
        (
            "a directory through a link",
            vec![link("top/l", "."), directory("top/l/evil/")],
            "through the link `l`",
        ),
        ("a link through a link", vec![link("top/l", "."), link("top/l/evil", "x")], "through the link `l`"),
        (
            "a directory in the place of a link",
            vec![link("top/l", "."), directory("top/l/")],
            "through the link `l`",
        ),
        ("a link in the place of a directory", vec![directory("top/d/"), link("top/d", ".")], "twice"),
        ("a file in the place of a link", vec![link("top/l", "x"), file("top/l", "x")], "twice"),
        ("a link in the place of a file", vec![file("top/f", "x"), link("top/f", "x")], "twice"),
        ("a file twice", vec![file("top/f", "x"), file("top/f", "y")], "twice"),
        ("a file below a file", vec![file("top/f", "x"), file("top/f/g", "y")], "through the file `f`"),
        ("a hard link", vec![entry(EntryType::Link, b"top/h", b"/etc/shadow", 0o644, b"")], "hard link"),
        (
            "a hard link inside",
            vec![file("top/f", ""), entry(EntryType::Link, b"top/h", b"top/f", 0o644, b"")],
            "hard link",
        ),
        ("a character device", vec![entry(EntryType::Char, b"top/null", b"", 0o666, b"")], "a device"),
        ("a block device", vec![entry(EntryType::Block, b"top/sda", b"", 0o666, b"")], "a device"),
        ("a named pipe", vec![entry(EntryType::Fifo, b"top/pipe", b"", 0o666, b"")], "a named pipe"),
        ("a sparse file", vec![sparse("top/s")], "sparse"),
        ("an unknown kind", vec![entry(EntryType::new(b'Q'), b"top/q", b"", 0o644, b"")], "not read"),
        ("a marker of ours", vec![file("top/.paquerette/release", "x")], "keeps for itself"),
        (
            "too many directories",
            vec![long_name(&format!("top/{}f", "d/".repeat(80)))],
            "more than 64 directories",
        ),
        (
            "a name beyond all measure",
            vec![long_name(&format!("top/{}", "n/".repeat(2000)))],
            "longer than 3000",
        ),
        ("nothing below the top", vec![file("one", "x"), file(&long, "y")], "nothing is left"),
    ];
    for (what, entries, words) in cases {
        let mut world = World::new();
        let bytes = tar(&[vec![file("top/first", "x")], entries.clone()].concat());
        let bytes = if what == "nothing below the top" { tar(&entries) } else { bytes };
        let said = unpack(&mut world, &bytes, |_| {}).expect_err(what);
        assert!(said.contains(words), "{what}: {said}");
        assert_eq!(world.tree("."), ["archive 0644"], "{what}");
    }
    let mut world = World::new();
    unpack(&mut world, &tar(&[file(&deep, "x")]), |_| {}).unwrap();
}

/// A file of a terabyte with nothing in it.
fn sparse(name: &str) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_path(name).unwrap();
    header.set_entry_type(EntryType::GNUSparse);
    header.set_mode(0o644);
    header.set_size(0);
    let fields = header.as_gnu_mut().unwrap();
    fields.set_real_size(1 << 40);
    fields.sparse[0].set_offset(1 << 40);
    fields.sparse[0].set_length(0);
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// A file with a long name, as GNU tar writes it.
fn long_name(name: &str) -> Vec<u8> {
    let mut bytes =
        entry(EntryType::GNULongName, b"././@LongLink", b"", 0o644, format!("{name}\0").as_bytes());
    bytes.extend_from_slice(&file("top/cut", "x"));
    bytes
}

#[test]
fn limits_hold_before_the_disk_is_full() {
    let mut world = World::new();
    let bytes = tar(&[file("top/a", "12345"), file("top/b", "67890")]);
    let said = unpack(&mut world, &bytes, |archive| archive.max_bytes = 9).unwrap_err();
    assert!(said.contains("more than 9 bytes"), "{said}");
    let said = unpack(&mut world, &bytes, |archive| archive.max_entries = 1).unwrap_err();
    assert!(said.contains("more than 1 entries"), "{said}");
    // A file that says it is a terabyte, and is not.
    let mut header = Header::new_gnu();
    header.set_path("top/huge").unwrap();
    header.set_size(1 << 40);
    header.set_mode(0o644);
    header.set_cksum();
    let said = unpack(&mut world, header.as_bytes(), |_| {}).unwrap_err();
    assert!(said.contains("bytes would come out"), "{said}");
    assert_eq!(world.tree("."), ["archive 0644"]);
    unpack(&mut world, &bytes, |archive| (archive.max_bytes, archive.max_entries) = (10, 2)).unwrap();
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let zeros = vec![0; 50 << 20];
    let bytes =
        zstd::encode_all(tar(&[entry(EntryType::Regular, b"top/zeros", b"", 0o644, &zeros)]).as_slice(), 3)
            .unwrap();
    assert!(bytes.len() < 100_000, "{}", bytes.len());
    let mut world = World::new();
    assert!(unpack(&mut world, &bytes, |_| {}).unwrap_err().contains("bytes would come out"));
    // The bomb after the last entry.
    let after = zstd::encode_all([tar(&[file("top/f", "x")]), zeros].concat().as_slice(), 3).unwrap();
    assert!(unpack(&mut world, &after, |_| {}).unwrap_err().contains("much follows"));
    assert_eq!(world.tree("."), ["archive 0644"]);
}

#[test]
fn a_damaged_archive_is_told_from_one_that_is_none() {
    let mut world = World::new();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    gz.write_all(&good()).unwrap();
    let gz = gz.finish().unwrap();
    let mut flipped = gz.clone();
    let at = flipped.len() - 6;
    flipped[at] ^= 1;
    for bytes in [&gz[..gz.len() - 3], &gz[..200], &flipped[..], &good()[..1300]] {
        let said = unpack(&mut world, bytes, |_| {}).unwrap_err();
        assert!(said.contains("cannot unpack"), "{said}");
        assert_eq!(world.tree("."), ["archive 0644"], "{said}");
    }
    for (bytes, words) in
        [(&b"PK\x03\x04zip"[..], "zip"), (b"hello", "no tar"), (b"", "no tar"), (&[0; 2048], "no tar")]
    {
        let said = unpack(&mut world, bytes, |_| {}).unwrap_err();
        assert!(said.contains(words), "{said}");
    }
    let said =
        unpack(&mut world, &good(), |archive| archive.path = archive.path.parent().unwrap()).unwrap_err();
    assert!(said.contains("is a directory"), "{said}");
}

#[test]
fn links_of_ours_take_the_place_of_what_is_shipped_there() {
    let mut world = World::new();
    let bytes = tar(&[
        file("top/conf/app.conf", "theirs"),
        file("top/data/.keep", ""),
        file("top/data/pages/start", "hello"),
        file("top/index.php", "x"),
    ]);
    unpack(&mut world, &bytes, |archive| {
        for (path, target) in
            [("data/pages", "/srv/kept/pages"), ("conf", "../../kept/conf"), ("new/place", "x")]
        {
            archive.links.insert(path.to_owned(), target.to_owned());
        }
    })
    .unwrap();
    assert_eq!(
        world.tree("out"),
        [
            ".paquerette/ 0755",
            ".paquerette/shipped/ 0755",
            ".paquerette/shipped/conf/ 0755",
            ".paquerette/shipped/conf/app.conf 0644",
            ".paquerette/shipped/data/ 0755",
            ".paquerette/shipped/data/pages/ 0755",
            ".paquerette/shipped/data/pages/start 0644",
            "conf -> ../../kept/conf",
            "data/ 0755",
            "data/.keep 0644",
            "data/pages -> /srv/kept/pages",
            "index.php 0644",
            "new/ 0755",
            "new/place -> x",
        ]
    );
}

#[test]
fn a_link_of_ours_behind_another_link_is_refused() {
    for (bytes, words) in [
        (tar(&[link("top/lib", "other"), file("top/x", "")]), "through the link `lib`"),
        (tar(&[file("top/lib", "")]), "through the file `lib`"),
    ] {
        let mut world = World::new();
        let said = unpack(&mut world, &bytes, |archive| {
            archive.links.insert("lib/plugins".to_owned(), "/srv/kept".to_owned());
        })
        .unwrap_err();
        assert!(said.contains(words), "{said}");
        assert_eq!(world.tree("."), ["archive 0644"]);
    }
}

#[test]
fn a_directory_that_is_there_stays_as_it_is_and_a_leftover_goes() {
    let mut world = World::new();
    std::fs::create_dir_all(world.real(".out.pq-tmp/half")).unwrap();
    unpack(&mut world, &good(), |_| {}).unwrap();
    let before = world.tree(".");
    assert!(!before.iter().any(|line| line.contains("pq-tmp")), "{before:?}");
    assert!(
        unpack(&mut world, &tar(&[file("top/other", "")]), |_| {})
            .unwrap_err()
            .contains("something stands there")
    );
    assert_eq!(world.tree("."), before);
}
