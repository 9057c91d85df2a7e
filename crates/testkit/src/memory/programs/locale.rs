//! `locale -a` and `locale-gen`: the archive is emptied, then filled with one locale after the other.

use pq_steps::{Command, Error, Output};

use super::{done, says};
use crate::memory::MemoryMachine;
use crate::memory::disk::What;

const ARCHIVE: &str = "/usr/lib/locale/locale-archive";

pub(super) fn locale(machine: &mut MemoryMachine, _: &Command) -> Result<Output, Error> {
    says(format!("C\nC.utf8\nPOSIX\n{}", machine.disk.text(ARCHIVE)))
}

pub(super) fn locale_gen(machine: &mut MemoryMachine, _: &Command) -> Result<Output, Error> {
    let list = machine.disk.text("/etc/locale.gen");
    if machine.disk.get("/usr/lib/locale").is_none() {
        machine.disk.make("/usr/lib/locale", What::Directory, 0o755)?;
    }
    if machine.disk.get(ARCHIVE).is_some() {
        machine.disk.unlink(ARCHIVE)?;
    }
    machine.disk.make(ARCHIVE, What::File(Vec::new()), 0o644)?;
    let mut names: Vec<&str> = list
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(' ').next())
        .collect();
    names.sort_unstable();
    let mut archive = String::new();
    for name in names.into_iter().filter(|name| !name.is_empty()) {
        archive.push_str(&format!("{}\n", name.replace("UTF-8", "utf8")));
        machine.disk.fill(ARCHIVE, archive.as_bytes())?;
    }
    done()
}
