//! `group_vars/` and `host_vars/`, in every form that a file of variables may have.

use std::fs;
use std::path::Path;

use pq_tests::Chance;

use super::{NAMED, Plan, yaml};

/// Writes files of variables for some groups and hosts, and for some that are not there.
pub fn write(plan: &Plan, directory: &Path, chance: &mut Chance) {
    let groups = plan.groups.iter().map(|(name, _)| name.as_str());
    for name in ["all", "ungrouped", "nobody"].into_iter().chain(groups) {
        // Without files for `all` most templates would find nothing to read.
        if name == "all" || chance.one_in(2) {
            forms(&directory.join("group_vars"), name, if name == "all" { 20 } else { 6 }, chance);
        }
    }
    for name in NAMED {
        if chance.one_in(3) {
            forms(&directory.join("host_vars"), name, 5, chance);
        }
    }
}

/// One form, or two of which one counts.
fn forms(directory: &Path, name: &str, most: usize, chance: &mut Chance) {
    fs::create_dir_all(directory).unwrap();
    for _ in 0..1 + usize::from(chance.one_in(6)) {
        let path = |extension: &str| directory.join(format!("{name}{extension}"));
        match chance.below(8) {
            0 if !path("").exists() => fs::write(path(""), yaml::variables(chance, most)).unwrap(),
            1 => fs::write(path(".yaml"), yaml::variables(chance, most)).unwrap(),
            2 => fs::write(path(".json"), json(chance, most)).unwrap(),
            3 | 4 if !path("").exists() => below(&path(""), most, true, chance),
            _ => fs::write(path(".yml"), yaml::variables(chance, most)).unwrap(),
        }
    }
}

fn json(chance: &mut Chance, most: usize) -> String {
    let value = yaml::json_variables(chance, most);
    match chance.one_in(2) {
        true => value.to_string(),
        false => serde_json::to_string_pretty(&value).unwrap(),
    }
}

const NAMES: [&str; 10] = [
    "10_first.yml",
    "20_second.yml",
    "Main.yml",
    "a.yaml",
    "noext",
    ".hidden.yml",
    "old.yml~",
    "notes.md",
    "x.json",
    "vars.yml.bak",
];

/// A directory; some of the names in it are not read.
fn below(directory: &Path, most: usize, deeper: bool, chance: &mut Chance) {
    fs::create_dir_all(directory).unwrap();
    for _ in 0..1 + chance.below(4) {
        let name = *chance.pick(&NAMES);
        let text = match name.ends_with(".json") {
            true => json(chance, most),
            false => yaml::variables(chance, most),
        };
        fs::write(directory.join(name), text).unwrap();
    }
    if deeper && chance.one_in(3) {
        below(&directory.join(*chance.pick(&["sub", "15_sub", "z.d"])), most, false, chance);
    }
}
