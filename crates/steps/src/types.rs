//! The step types, one file each.

mod absent;
mod accounts;
mod acme;
mod apache;
mod apache_module;
mod apt_source;
mod assert;
mod authorized_key;
mod catalogue;
mod certificate;
mod command;
mod copy;
mod cron;
mod database;
mod database_user;
mod directory;
mod download;
mod drops;
mod engine;
mod file;
mod firewall;
mod firewall_rule;
mod gone;
mod group;
mod http;
mod installed;
mod instances;
mod line;
mod locale;
mod openpgp;
mod package;
mod passwords;
mod reads;
mod ready;
mod release;
mod releases;
mod reload;
mod remove;
mod requirements;
mod rules;
mod served_certificate;
mod service;
mod site;
mod sql;
mod ssh_key;
mod statements;
mod symlink;
mod sysctl;
mod timezone;
mod tls;
mod transaction;
mod unit;
mod unpack;
mod unpacked;
mod user;
mod venv;

pub use absent::Absent;
pub use acme::Acme;
pub use apache_module::ApacheModule;
pub use apt_source::AptSource;
pub use assert::{Assert, MYSQL, memory};
pub use authorized_key::{AuthorizedKey, Presence};
pub(crate) use catalogue::{database_is_there, user_is_there};
pub use certificate::Certificate;
pub use command::Command;
pub use copy::Copy;
pub use cron::Cron;
pub use database::Database;
pub use database_user::{Auth, DatabaseUser, Grant};
pub use directory::Directory;
pub use download::Download;
pub use file::File;
pub use firewall::{Firewall, Incoming};
pub use firewall_rule::{Action, FirewallRule, Protocol};
pub use gone::Gone;
pub use group::Group;
pub use http::Http;
pub use installed::{Installed, installed_version};
pub use instances::Instances;
pub use line::Line;
pub use locale::Locale;
pub use package::Package;
pub use ready::Ready;
pub use release::Release;
pub use releases::Releases;
pub use reload::{How, Reload};
pub use remove::Remove;
pub use served_certificate::ServedCertificate;
pub use service::Service;
pub use site::{Server, Site};
pub use sql::Sql;
pub use symlink::Symlink;
pub use sysctl::Sysctl;
pub use timezone::Timezone;
pub use tls::Tls;
pub use transaction::{Confirm, EXECUTOR, Rollback, Transaction};
pub use unit::Unit;
pub use unpack::Unpack;
pub use user::User;
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

/// Writes a file of root, 0644, unless it is there as wanted. Of two files that a step has, the one that is right stays.
fn write_root(machine: &mut dyn crate::System, path: &crate::AbsPath, content: &[u8]) -> Result<(), Error> {
    let meta = crate::Meta::new(Mode::from_bits(0o644), "root", "root");
    let right = machine.stat(path)?.is_some_and(|is| {
        is.kind == crate::Kind::File && Some(is.mode) == meta.mode && is.owner == "root" && is.group == "root"
    });
    match right && machine.read(path)?.as_deref() == Some(content) {
        true => Ok(()),
        false => machine.write(path, content, &meta),
    }
}

/// Makes a directory of root, 0755, where nothing is.
fn ensure_directory(machine: &mut dyn crate::System, path: Option<crate::AbsPath>) -> Result<(), Error> {
    match path {
        Some(path) if machine.stat(&path)?.is_none() => {
            machine.make_dir(&path, &crate::Meta::new(Mode::from_bits(0o755), "root", "root"))
        }
        _ => Ok(()),
    }
}

/// Runs a command that changes the machine, as root; a status other than 0 is an error.
fn run(machine: &mut dyn crate::System, argv: &[&str]) -> Result<(), Error> {
    let command = crate::Command::new(argv.iter().copied());
    machine.run(&command)?.success(&command).map(drop)
}
