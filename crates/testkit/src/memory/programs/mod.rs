//! The programs of the machine in memory: a small, honest model of what each real one does to files.
//!
//! Left out is what no step looks at: shadow files, caches, what is printed for people.

mod accounts;
mod certificates;
mod firewall;
mod locale;
mod python;
mod small;

use std::collections::BTreeMap;
use std::sync::Arc;

use pq_steps::{Command, Error, Output};

use super::{MemoryMachine, Program};

/// All programs by name; each can be run once its file is there.
pub(super) fn all() -> BTreeMap<String, Program> {
    type Does = fn(&mut MemoryMachine, &Command) -> Result<Output, Error>;
    let table: &[(&str, Does)] = &[
        ("true", small::yes),
        ("false", small::no),
        ("touch", small::touch),
        ("rm", small::rm),
        ("test", small::test),
        ("groupadd", accounts::groupadd),
        ("groupdel", accounts::groupdel),
        ("userdel", accounts::userdel),
        ("useradd", accounts::useradd),
        ("usermod", accounts::usermod),
        ("locale", locale::locale),
        ("locale-gen", locale::locale_gen),
        ("ufw", firewall::ufw),
        ("certbot", certificates::certbot),
        ("openssl", certificates::openssl),
        ("python3.11", python::python),
        ("sleep", small::yes),
    ];
    table.iter().map(|(name, does)| ((*name).to_owned(), Arc::new(*does) as Program)).collect()
}

impl MemoryMachine {
    /// Runs a command: its user, directory and program must exist.
    pub(super) fn execute(&mut self, command: &Command) -> Result<Output, Error> {
        let program = command.argv.first().map_or("", String::as_str);
        if let Some(user) = &command.user
            && !self.disk.text("/etc/passwd").lines().any(|line| line.split(':').next() == Some(user))
        {
            return Err(Error::absent("user", user));
        }
        if let Some(cwd) = &command.cwd
            && self.disk.follow(cwd.as_str()).is_none()
        {
            return Err(Error::absent("directory", cwd.as_str()));
        }
        let places = match program.contains('/') {
            true => vec![program.to_owned()],
            false => {
                ["/usr/local/bin", "/usr/sbin", "/usr/bin"].iter().map(|p| format!("{p}/{program}")).collect()
            }
        };
        let found = places.iter().filter_map(|path| self.disk.resolve(path, true));
        let found = found.filter(|path| self.disk.get(path).is_some()).find_map(|path| {
            let name = path.rsplit('/').next().unwrap_or("").to_owned();
            self.programs.get(&name).cloned()
        });
        let does = found.ok_or_else(|| Error::absent("program", program))?;
        does(self, command)
    }
}

/// A program that ends well.
fn done() -> Result<Output, Error> {
    Ok(Output::default())
}

/// A program that prints this and ends well.
fn says(text: String) -> Result<Output, Error> {
    Ok(Output { stdout: text, ..Output::default() })
}

/// A program that ends with a status and says why.
fn fails(status: i32, why: impl Into<String>) -> Result<Output, Error> {
    Ok(Output { status, stderr: why.into(), ..Output::default() })
}

/// The arguments of a command behind its program.
fn arguments(command: &Command) -> Vec<&str> {
    command.argv.iter().skip(1).map(String::as_str).collect()
}
