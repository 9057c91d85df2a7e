//! The step types, one file each.

mod absent;
mod assert;
mod certificate;
mod command;
mod copy;
mod directory;
mod download;
mod file;
mod http;
mod line;
mod release;
mod requirements;
mod rules;
mod symlink;
mod user;
mod unit;
mod timezone;
mod service;
mod reload;
mod reads;
mod package;
mod locale;
mod group;
mod firewall_rule;
mod firewall;
mod accounts;
mod venv;

pub use absent::Absent;
pub use assert::Assert;
pub use certificate::Certificate;
pub use command::Command;
pub use copy::Copy;
pub use directory::Directory;
pub use download::Download;
pub use file::File;
pub use http::Http;
pub use line::Line;
pub use release::Release;
pub use symlink::Symlink;
pub use user::User;
pub use unit::Unit;
pub use timezone::Timezone;
pub use service::Service;
pub use reload::{How, Reload};
pub use package::Package;
pub use locale::Locale;
pub use group::Group;
pub use firewall_rule::{Action, FirewallRule, Protocol};
pub use firewall::{Firewall, Incoming};
pub use venv::Venv;

use crate::{Error, Mode, Stat};

/// The user and group of what has none given.
fn root() -> String {
    "root".to_owned()
}

/// Notes where owner, group or mode differ.
fn compare_meta(found: &mut crate::Differences, is: &Stat, mode: Mode, owner: &str, group: &str) {
    found.between("mode", &is.mode, &mode);
    found.between("owner", &is.owner.as_str(), &owner);
    found.between("group", &is.group.as_str(), &group);
}

/// Something else stands where a step wants its own.
fn in_the_way(wanted: &str, path: &crate::AbsPath, is: &Stat) -> Error {
    pq_stream::Diagnostic::new(format!("cannot make {wanted} `{path}`"))
        .cause(format!("{} stands there", is.kind.words()))
        .hint("move it away or correct the path, then run again")
        .into()
}

/// Runs a command that changes the machine, as root; a status other than 0 is an error.
fn run(machine: &mut dyn crate::System, argv: &[&str]) -> Result<(), Error> {
    let command = crate::Command::new(argv.iter().copied());
    machine.run(&command)?.success(&command).map(drop)
}
