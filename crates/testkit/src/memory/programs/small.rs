//! `true`, `false`, `touch`, `rm -f` of files, `test -e`.

use pq_steps::{Command, Error, Output};

use super::{arguments, done, fails};
use crate::memory::MemoryMachine;
use crate::memory::disk::What;

pub(super) fn yes(_: &mut MemoryMachine, _: &Command) -> Result<Output, Error> {
    done()
}

pub(super) fn no(_: &mut MemoryMachine, _: &Command) -> Result<Output, Error> {
    fails(1, "")
}

pub(super) fn touch(machine: &mut MemoryMachine, command: &Command) -> Result<Output, Error> {
    for path in arguments(command) {
        if machine.disk.follow(path).is_some() {
            machine.disk.touch(path)?;
            continue;
        }
        let parent = path.rsplit_once('/').map_or("/", |(parent, _)| parent);
        if machine.disk.follow(parent).is_none() {
            return fails(1, format!("touch: cannot touch '{path}': No such file or directory"));
        }
        machine.disk.make(path, What::File(Vec::new()), 0o644)?;
        if let Some(user) = &command.user {
            machine.disk.set_owner(path, user, user)?;
        }
    }
    done()
}

pub(super) fn test(machine: &mut MemoryMachine, command: &Command) -> Result<Output, Error> {
    match arguments(command)[..] {
        ["-e", path] if machine.disk.follow(path).is_some() => done(),
        ["-e", _] => fails(1, ""),
        _ => fails(2, "test: only -e is known here"),
    }
}

pub(super) fn rm(machine: &mut MemoryMachine, command: &Command) -> Result<Output, Error> {
    for path in arguments(command).into_iter().filter(|word| !word.starts_with('-')) {
        if machine.disk.get(path).is_some() {
            machine.disk.unlink(path)?;
        }
    }
    done()
}
