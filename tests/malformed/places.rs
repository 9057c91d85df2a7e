//! What stands in a file's place and cannot be read, and what nobody but its owner may read.

use crate::case::{Case, Thing};

/// Every one of them; all are errors that name the path.
pub fn refused() -> Vec<Case> {
    let mut cases = Vec::new();
    for (place, holds) in [
        ("hosts", ""),
        ("group_vars/all.yml", ""),
        ("group_vars/all/x.yml", ""),
        ("host_vars/a.yml", ""),
        ("group_vars/all.yml.age", ""),
        ("group_vars/all.json", "{}"),
    ] {
        let path = format!("inventory/{place}");
        let case = |what: &str| Case::with(format!("{place} is {what}"), place, holds, &path);
        let directory = place == "group_vars/all/x.yml";
        for (what, thing) in [
            ("a named pipe", Thing::Pipe),
            ("a socket", Thing::Socket),
            ("a link to a device", Thing::Link("/dev/zero")),
            ("a link to nothing", Thing::Link("nothing")),
            ("a link to itself", Thing::Link(place.rsplit('/').next().unwrap_or(place))),
            ("nobody's to read", Thing::Mode(0)),
        ] {
            cases.push(case(what).having(&path, thing));
        }
        // Ansible reads a directory of that name file by file.
        if !directory && !["group_vars/all.yml", "host_vars/a.yml", "group_vars/all.json"].contains(&place) {
            cases.push(case("a directory").having(&path, Thing::Directory));
        }
    }
    for (place, file) in [
        ("group_vars", "group_vars/all.yml"),
        ("host_vars", "host_vars/a.yml"),
        ("group_vars/all", "group_vars/all/x.yml"),
    ] {
        let path = format!("inventory/{place}");
        let case = |what: &str| Case::with(format!("{place} is {what}"), file, "x: 1\n", &path);
        cases.push(case("a directory that nobody may read").having(&path, Thing::Mode(0)));
        cases.push(case("a directory that nobody may search").having(&path, Thing::Mode(0o644)));
    }
    let loops =
        Case::with("a directory holds itself", "group_vars/all/x.yml", "x: 1\n", "inventory/group_vars/all/");
    cases.push(loops.having("inventory/group_vars/all/again", Thing::Link(".")));
    let plain = |name: &str, blames: &str| Case::with(name, "group_vars/all.yml", "x: 1\n", blames);
    cases.push(plain("the inventory is nobody's to read", "inventory").having("inventory", Thing::Mode(0)));
    cases.push(
        plain("the inventory may not be searched", "inventory").having("inventory", Thing::Mode(0o644)),
    );
    cases.push(
        plain("the hosts are in two files", "`hosts` and `hosts.yml`")
            .having("inventory/hosts.yml", Thing::Directory),
    );
    cases
}
