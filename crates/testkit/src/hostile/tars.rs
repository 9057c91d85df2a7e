//! Plain tar archives.

use tar::{EntryType, Header};

use super::Hostile;
use super::tape::{directory, entry, file, hard, link, long, pax, sized, tar};

/// Every case. Before what is hostile stands a file that is not, so that there is something to leave behind.
pub(super) fn all() -> Vec<Hostile> {
    [names(), links(), kinds(), twice(), overrides(), sizes(), ends()].into_iter().flatten().collect()
}

fn after_first(entries: &[Vec<u8>]) -> Vec<u8> {
    tar(&[vec![file("first", "1")], entries.to_vec()].concat())
}

/// An archive of one file, whose error has to hold the name and a cause.
fn named(case: &'static str, name: &'static str, shown: &'static str, cause: &'static str) -> Hostile {
    Hostile::refused(case, [shown, cause], move || after_first(&[file(name, "evil")]))
}

fn names() -> Vec<Hostile> {
    vec![
        named("a name that goes up", "../evil", "`../evil`", "leads out of the archive"),
        named("an absolute name", "/etc/evil", "`/etc/evil`", "is an absolute path"),
        named("a name that goes down and further up", "a/../../evil", "`a/../../evil`", "leads out"),
        named("a name that goes up and stays inside", "a/../evil", "`a/../evil`", "leads out"),
        named("a name that is the directory above", "..", "`..`", "leads out"),
        named("a file that is the directory itself", ".", "`.`", "has no name"),
        named("a file without a name", "", "``", "has no name"),
        named("a name with a line end", "a\nb", "`a\\nb`", "holds a control character"),
        named("a name that clears the screen", "a\x1b[2Jb", "`a\\x1b[2Jb`", "holds a control character"),
        Hostile::refused("a name with a NUL", ["`a\\x00b`", "holds a control character"], || {
            after_first(&[pax(EntryType::XHeader, &[("path", "a\0b")]), file("a", "evil")])
        }),
        Hostile::refused("a name of 4 KiB", ["`nn", "longer than 3000 bytes"], || {
            let name = format!("{}/x", "n".repeat(100)).repeat(41);
            after_first(&[long(EntryType::GNULongName, &name), file("a", "evil")])
        }),
        Hostile::refused("a part of a name of 256 bytes", ["`nn", "longer than 255 bytes"], || {
            after_first(&[long(EntryType::GNULongName, &"n".repeat(256)), file("a", "evil")])
        }),
        Hostile::refused("a hundred directories deep", ["`d/d/d/", "in more than 64 directories"], || {
            after_first(&[long(EntryType::GNULongName, &"d/".repeat(100)), directory("a")])
        }),
        named("our marker of a release", ".paquerette/release", "`.paquerette/release`", "keeps for itself"),
        named(
            "our marker of an archive",
            "./.paquerette/unpack",
            "`./.paquerette/unpack`",
            "keeps for itself",
        ),
        Hostile::refused("a link where our markers are", ["`.paquerette`", "keeps for itself"], || {
            after_first(&[link(".paquerette", "first")])
        }),
        Hostile::harmless("names that differ in case only", ["A 0644", "a 0644"], || {
            tar(&[file("a", "1"), file("A", "2")])
        }),
        Hostile::harmless("a backslash is a letter as any other", ["..\\..\\evil 0644"], || {
            tar(&[file("..\\..\\evil", "1")])
        }),
        Hostile::harmless("the directory itself, dots and double slashes", ["a/ 0755", "a/b 0644"], || {
            tar(&[directory("./"), directory("."), file("./a//.//b", "1")])
        }),
        Hostile::harmless("a directory twice", ["a/ 0755", "a/b 0644"], || {
            tar(&[directory("a/"), file("a/b", "1"), directory("a")])
        }),
    ]
}

fn links() -> Vec<Hostile> {
    let through = "would go through the link `l`";
    vec![
        Hostile::refused(
            "a file through a link to /etc",
            ["`l`", "leads to an absolute path", "`/etc`"],
            || after_first(&[link("l", "/etc"), file("l/evil", "evil")]),
        ),
        Hostile::refused("a link to a file above", ["`l`", "may lead out", "`../canary`"], || {
            after_first(&[link("l", "../canary")])
        }),
        Hostile::refused("a link from a directory to above the top", ["`d/l`", "may lead out"], || {
            after_first(&[link("d/l", "../../canary")])
        }),
        Hostile::refused("links that leave step by step", ["`l`", "may lead out"], || {
            after_first(&[link("p", "."), link("l", "p/p/../../..")])
        }),
        Hostile::refused("links that leave step by step, each harmless", ["`a/up`", "may lead out"], || {
            after_first(&[directory("a"), link("a/b", "../a"), link("a/up", "b/../../canary")])
        }),
        Hostile::refused("a link without a target", ["`l`", "leads to an absolute path"], || {
            after_first(&[link("l", "")])
        }),
        Hostile::refused("a link with a line end", ["`l`", "holds a control character"], || {
            after_first(&[link("l", "a\nb")])
        }),
        Hostile::refused("a file through a link that stays inside", ["`l/evil`", through], || {
            after_first(&[link("l", "d"), file("l/evil", "evil")])
        }),
        Hostile::refused("a link, then a directory of its name", ["`l/`", through], || {
            after_first(&[link("l", "."), directory("l/")])
        }),
        Hostile::refused("modes set through a link", ["`l`", "stands twice"], || {
            after_first(&[link("l", "first"), entry(EntryType::Regular, b"l", b"", 0o4777, b"")])
        }),
        Hostile::refused("a directory, then a link of its name", ["`d`", "stands twice"], || {
            after_first(&[directory("d"), link("d", ".")])
        }),
        Hostile::refused("a hard link to /etc/shadow", ["`h`", "is a hard link"], || {
            after_first(&[hard("h", "/etc/shadow")])
        }),
        Hostile::refused(
            "a hard link to a file above, and content for it",
            ["`h`", "is a hard link"],
            || after_first(&[hard("h", "../canary"), file("h", "evil")]),
        ),
        Hostile::refused("a hard link to a symbolic link", ["`h`", "is a hard link"], || {
            after_first(&[link("l", "first"), hard("h", "l")])
        }),
        Hostile::refused("a hard link inside", ["`h`", "is a hard link"], || {
            after_first(&[hard("h", "first")])
        }),
        Hostile::harmless(
            "links that stay inside",
            ["a/ 0755", "a/l -> ../first", "first 0644", "loop -> loop"],
            || after_first(&[link("a/l", "../first"), link("loop", "loop")]),
        ),
    ]
}

fn kinds() -> Vec<Hostile> {
    let special = |case, kind: EntryType, cause| {
        Hostile::refused(case, ["`s`", cause], move || after_first(&[entry(kind, b"s", b"", 0o666, b"")]))
    };
    vec![
        special("a character device", EntryType::Char, "is a device"),
        special("a block device", EntryType::Block, "is a device"),
        special("a named pipe", EntryType::Fifo, "is a named pipe"),
        special("an unknown kind", EntryType::new(b'Q'), "is of a kind that is not read"),
        special("a contiguous file", EntryType::Continuous, "is of a kind that is not read"),
        special("a volume of several", EntryType::new(b'M'), "is of a kind that is not read"),
        Hostile::refused("a sparse file of a terabyte", ["`s`", "is a sparse file"], || {
            after_first(&[sparse()])
        }),
        Hostile::refused("a sparse file told by PAX", ["`s`", "is a sparse file"], || {
            let records = [("GNU.sparse.major", "1"), ("GNU.sparse.realsize", "1099511627776")];
            after_first(&[pax(EntryType::XHeader, &records), file("s", "1\n0\n0\n")])
        }),
        Hostile::refused("a directory with content", ["`d/`", "has content, and is no file"], || {
            after_first(&[entry(EntryType::Directory, b"d/", b"", 0o755, &file("hidden", "evil"))])
        }),
        Hostile::refused("a link with content", ["`l`", "has content, and is no file"], || {
            after_first(&[entry(EntryType::Symlink, b"l", b"first", 0o755, &file("hidden", "evil"))])
        }),
        Hostile::harmless(
            "modes for everybody, and of other users",
            ["d/ 0755", "f 0644", "g 0755", "s 0755", "t 0644"],
            || {
                let of = |name: &[u8], mode| entry(EntryType::Regular, name, b"", mode, b"");
                let directory = entry(EntryType::Directory, b"d", b"", 0o7777, b"");
                tar(&[directory, of(b"f", 0o666), of(b"g", 0o2755), of(b"s", 0o4755), of(b"t", 0o1644)])
            },
        ),
        Hostile::harmless("a directory as version 7 wrote it", ["d/ 0755"], || {
            tar(&[entry(EntryType::Regular, b"d/", b"", 0o644, b"")])
        }),
    ]
}

/// A file of a terabyte with nothing in it.
fn sparse() -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[0] = b's';
    header.set_entry_type(EntryType::GNUSparse);
    header.set_mode(0o644);
    header.set_size(0);
    if let Some(fields) = header.as_gnu_mut() {
        fields.set_real_size(1 << 40);
        fields.sparse[0].set_offset(1 << 40);
        fields.sparse[0].set_length(0);
    }
    header.set_cksum();
    header.as_bytes().to_vec()
}

fn twice() -> Vec<Hostile> {
    vec![
        Hostile::refused("a file twice", ["`./first`", "stands twice"], || {
            after_first(&[file("./first", "2")])
        }),
        Hostile::refused(
            "a file, then a directory of its name",
            ["`first/`", "through the file `first`"],
            || after_first(&[directory("first/")]),
        ),
        Hostile::refused("a directory, then a file of its name", ["`d`", "stands twice"], || {
            after_first(&[directory("d"), file("d", "2")])
        }),
        Hostile::refused("a file below a file", ["`first/f`", "through the file `first`"], || {
            after_first(&[file("first/f", "2")])
        }),
        Hostile::refused("a link twice", ["`l`", "stands twice"], || {
            after_first(&[link("l", "first"), link("l", "second")])
        }),
    ]
}

fn overrides() -> Vec<Hostile> {
    let x = EntryType::XHeader;
    vec![
        Hostile::refused("PAX gives a name that goes up", ["`../evil`", "leads out"], move || {
            after_first(&[pax(x, &[("path", "../evil")]), file("good", "evil")])
        }),
        Hostile::refused("PAX gives a target outside", ["`l`", "`/etc/shadow`"], move || {
            after_first(&[pax(x, &[("linkpath", "/etc/shadow")]), link("l", "first")])
        }),
        Hostile::refused("PAX gives another size", ["`f`", "has two sizes"], move || {
            let hidden = file("hidden", "evil");
            after_first(&[pax(x, &[("size", "0")]), entry(EntryType::Regular, b"f", b"", 0o644, &hidden)])
        }),
        Hostile::refused("PAX names all that follows", ["names or sizes all that follows"], || {
            after_first(&[pax(EntryType::XGlobalHeader, &[("path", "evil")]), file("a", "1"), file("b", "2")])
        }),
        Hostile::refused("PAX gives two names", ["a second name"], move || {
            after_first(&[pax(x, &[("path", "a"), ("path", "../evil")]), file("good", "evil")])
        }),
        Hostile::refused("PAX and GNU give two names", ["a second name"], move || {
            after_first(&[long(EntryType::GNULongName, "a"), pax(x, &[("path", "b")]), file("good", "evil")])
        }),
        Hostile::refused("a PAX record longer than all", ["PAX record in it cannot be read"], || {
            after_first(&[entry(EntryType::XHeader, b"x", b"", 0o644, b"99999 path=evil\n"), file("a", "1")])
        }),
        Hostile::refused("GNU gives a name that goes up", ["`../evil`", "leads out"], || {
            after_first(&[long(EntryType::GNULongName, "../evil"), file("good", "evil")])
        }),
        Hostile::refused("GNU gives a target outside", ["`l`", "`/etc/shadow`"], || {
            after_first(&[long(EntryType::GNULongLink, "/etc/shadow"), link("l", "first")])
        }),
        Hostile::refused("a name for nothing", ["an entry that is not there"], || {
            after_first(&[long(EntryType::GNULongName, "evil")])
        }),
        Hostile::harmless(
            "long names as they should be",
            ["first 0644", "long 0644", "other -> first"],
            move || {
                let records = [("path", "other"), ("linkpath", "first"), ("mtime", "1.5")];
                let gnu = [long(EntryType::GNULongName, "long"), file("cut", "1")];
                after_first(&[gnu.concat(), pax(x, &records), link("cut", "cut")])
            },
        ),
    ]
}

fn sizes() -> Vec<Hostile> {
    let sizes = |case, words, size| {
        Hostile::refused(case, words, move || {
            let huge = sized(EntryType::Regular, b"huge", b"", 0o644, size, b"");
            after_first(&[huge])
        })
    };
    vec![
        sizes("a file that says it is a terabyte", ["more than 4294967296 bytes would come out"], 1 << 40),
        sizes(
            "a file that says it is larger than any",
            ["more than 4294967296 bytes would come out"],
            u64::MAX,
        ),
        Hostile::refused("a name that says it is 8 GiB", ["longer than 1048576 bytes"], || {
            after_first(&[sized(EntryType::GNULongName, b"x", b"", 0o644, 8 << 30, b"")])
        }),
        Hostile::refused("PAX records that say they are 8 GiB", ["longer than 1048576 bytes"], || {
            after_first(&[sized(EntryType::XHeader, b"x", b"", 0o644, 8 << 30, b"")])
        }),
    ]
}

fn ends() -> Vec<Hostile> {
    let good = || after_first(&[file("second", "22")]);
    let cut = |case, cause, at: usize| Hostile::refused(case, [cause], move || good()[..at].to_vec());
    vec![
        cut("a tar that ends within a file", "it ends within `second`", 1024 + 513),
        cut("a tar that ends within a header", "it ends early", 1024 + 100),
        cut("a tar that ends between two entries", "it ends early", 1024),
        Hostile::refused("bytes behind the end of a tar", ["something follows its end"], move || {
            [good(), b"garbage".to_vec()].concat()
        }),
        Hostile::refused("a second tar behind the first", ["something follows its end"], move || {
            [good(), tar(&[file("first", "evil")])].concat()
        }),
        Hostile::refused(
            "a header with a wrong checksum",
            ["the checksum of a header is wrong"],
            move || {
                let mut bytes = good();
                bytes[1024] ^= 1;
                bytes
            },
        ),
        Hostile::refused("a page that says not found", ["it is no tar archive"], || {
            b"<!DOCTYPE html>\n<title>404 Not Found</title>\n".to_vec()
        }),
        Hostile::refused("nothing at all", ["it is no tar archive"], Vec::new),
        Hostile::refused("zeros", ["it is no tar archive"], || vec![0; 10_240]),
        Hostile::refused("only the directory itself", ["it is empty"], || tar(&[directory("./")])),
    ]
}
