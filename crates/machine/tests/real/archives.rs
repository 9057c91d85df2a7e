//! Archives: what comes out of a good one, and that nothing comes out of a hostile one.

use std::collections::BTreeMap;
use std::io::Write;

use pq_steps::{Archive, Meta, System};
use pq_testkit::hostile::{MAX_ENTRIES, Verdict};
use sha2::{Digest, Sha256};
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
        sha256: Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
        strip: 1,
        program: None,
        max_bytes: 1 << 20,
        max_entries: 100,
        links: BTreeMap::new(),
        meta: Meta::default(),
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
fn one_compressed_program_comes_out_as_a_whole() {
    let mut bz2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    bz2.write_all(b"#!/bin/sh\necho hello\n").unwrap();
    let bytes = bz2.finish().unwrap();
    let mut world = World::new();
    let single = |archive: &mut Archive| (archive.strip, archive.program) = (0, Some("hello".to_owned()));
    unpack(&mut world, &bytes, single).unwrap();
    assert_eq!(world.tree("out"), ["hello 0755"]);
    assert_eq!(world.text("out/hello"), "#!/bin/sh\necho hello\n");
    let mut world = World::new();
    let said = unpack(&mut world, &bytes[..bytes.len() - 5], single).unwrap_err();
    assert!(said.contains("damaged"), "{said}");
    let mut world = World::new();
    let said = unpack(&mut world, &bytes, |it| {
        single(it);
        it.max_bytes = 5;
    })
    .unwrap_err();
    assert!(said.contains("more than 5 bytes"), "{said}");
}

/// What a directory holds below, without what is kept apart.
fn around(world: &World) -> Vec<String> {
    world
        .tree(".")
        .into_iter()
        .filter(|line| !line.starts_with("archive") && !line.starts_with("out"))
        .collect()
}

#[test]
fn a_hostile_archive_is_refused_by_name_and_cause_or_comes_out_harmless() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for hostile in pq_testkit::hostile::archives() {
        count += 1;
        let mut world = World::in_memory();
        std::fs::create_dir(world.real("guard")).unwrap();
        std::fs::write(world.real("guard/canary"), "alive").unwrap();
        std::fs::write(world.real("canary"), "alive").unwrap();
        let before = around(&world);
        let said = unpack(&mut world, &hostile.archive(), |archive| {
            (archive.strip, archive.max_bytes, archive.max_entries) = (0, 4 << 30, MAX_ENTRIES);
        });
        let right = match (&hostile.verdict, &said) {
            (Verdict::Refused(words), Err(said)) => {
                words.iter().all(|word| said.contains(word)) && !world.real("out").exists()
            }
            (Verdict::Harmless(tree), Ok(())) => world.tree("out") == *tree,
            _ => false,
        };
        if !right {
            wrong.push(format!("{hostile:?}\n    {said:?} {:?}", world.tree("out")));
        }
        assert_eq!(around(&world), before, "{}", hostile.name);
        for canary in ["canary", "guard/canary"] {
            assert_eq!(world.text(canary), "alive", "{}", hostile.name);
        }
    }
    assert!(wrong.is_empty(), "{} of {count} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 100, "{count}");
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
    // Directories that only a name tells of are entries too.
    let implied = tar(&[file("top/a/b/c", "x")]);
    let said = unpack(&mut world, &implied, |archive| archive.max_entries = 2).unwrap_err();
    assert!(said.contains("more than 2 entries"), "{said}");
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
    for (bytes, words) in [
        (&b"PK\x03\x04zip"[..], "the zip archive cannot be read"),
        (b"hello", "no tar"),
        (b"", "no tar"),
        (&[0; 2048], "no tar"),
    ] {
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

#[test]
fn an_archive_with_another_digest_or_that_others_may_write_to_is_not_read() {
    use std::os::unix::fs::PermissionsExt;
    let mut world = World::new();
    let said = unpack(&mut world, &good(), |archive| archive.sha256 = "0".repeat(64)).unwrap_err();
    assert!(said.contains("its SHA-256 is") && said.contains(&"0".repeat(64)), "{said}");
    // What is no archive at all has a digest first.
    let said = unpack(&mut world, b"no archive", |archive| archive.sha256 = "0".repeat(64)).unwrap_err();
    assert!(said.contains("its SHA-256 is"), "{said}");
    std::fs::set_permissions(world.real("archive"), std::fs::Permissions::from_mode(0o666)).unwrap();
    let said = unpack(&mut world, &good(), |_| {}).unwrap_err();
    assert!(said.contains("somebody else than root may write to it"), "{said}");
    assert_eq!(world.tree("."), ["archive 0666"]);
}

#[test]
fn what_comes_out_has_not_the_group_and_bits_of_the_directory_above() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let mut world = World::new();
    let above = world.directory.path().to_owned();
    if crate::root() {
        std::os::unix::fs::chown(&above, Some(0), Some(33)).unwrap();
    }
    std::fs::set_permissions(&above, std::fs::Permissions::from_mode(0o2755)).unwrap();
    unpack(&mut world, &good(), |_| {}).unwrap();
    for name in ["out", "out/bin", "out/bin/run"] {
        let is = world.real(name).symlink_metadata().unwrap();
        assert_eq!((is.mode() & 0o7777, is.gid()), (0o755, rustix::process::getegid().as_raw()), "{name}");
    }
}
