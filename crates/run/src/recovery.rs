//! What boot needs to undo a transaction that died with its machine: our own program, and a unit that starts it.
//!
//! Always true here: both are there before a transaction's first change, and go when none is left.

use std::path::PathBuf;

use pq_steps::types::EXECUTOR;
use pq_steps::{AbsPath, Error, Meta, Mode, System};

const DIRECTORY: &str = "/var/lib/paquerette/recover";
const PROGRAM: &str = EXECUTOR;
const UNIT: &str = "/etc/systemd/system/paquerette-recover.service";
const WANTS: &str = "/etc/systemd/system/multi-user.target.wants";
const LINK: &str = "/etc/systemd/system/multi-user.target.wants/paquerette-recover.service";

const CONTENT: &str = "# written by paquerette, and taken away when no transaction is left
[Unit]
Description=Undo what paquerette left half-way
ConditionDirectoryNotEmpty=/var/lib/paquerette/transactions
After=local-fs.target mariadb.service mysql.service postgresql.service redis-server.service nginx.service apache2.service

[Service]
Type=oneshot
ExecStart=/var/lib/paquerette/recover/pq-apply --recover

[Install]
WantedBy=multi-user.target
";

/// Has boot undo what this run may leave. Where there is no `pq-apply` beside this program, only the next run does, and the answer is no.
///
/// # Errors
/// Where it cannot be written.
pub fn prepare(machine: &mut dyn System) -> Result<bool, Error> {
    let Some(program) = program() else { return Ok(false) };
    let root = |mode| Meta::new(Mode::from_bits(mode), "root", "root");
    machine.make_dir(&path(DIRECTORY)?, &root(0o700))?;
    machine.write(&path(PROGRAM)?, &program, &root(0o700))?;
    machine.write(&path(UNIT)?, CONTENT.as_bytes(), &root(0o644))?;
    machine.make_dir(&path(WANTS)?, &root(0o755))?;
    machine.symlink("../paquerette-recover.service", &path(LINK)?)?;
    Ok(true)
}

/// The program that boot and timers start, where [`prepare`] could put it there.
///
/// # Errors
/// Where the machine does not answer.
pub fn installed(machine: &dyn System) -> Result<Option<&'static str>, Error> {
    Ok(machine.stat(&path(PROGRAM)?)?.map(|_| PROGRAM))
}

/// The command that undoes a transaction, as a text: that of this program, or where it was only sent to, of the copy
/// that stays.
pub fn rollback(id: &str) -> String {
    match this().as_ref().map(|(_, name)| &**name) {
        Some("pq-apply") => format!("`pq-apply --rollback {id}`"),
        _ => format!("`{PROGRAM} --rollback {id}`, as root on that machine"),
    }
}

/// Takes that away.
///
/// # Errors
/// Where it cannot be removed.
pub fn dismiss(machine: &mut dyn System) -> Result<(), Error> {
    [LINK, UNIT, DIRECTORY].into_iter().try_for_each(|it| machine.remove(&path(it)?))
}

/// `pq-apply`, which is this program, under the name that it has where it was sent to as well, or lies beside it.
fn program() -> Option<Vec<u8>> {
    let (this, name) = this()?;
    match name.starts_with("pq-apply") {
        true => std::fs::read("/proc/self/exe").ok(),
        false => std::fs::read(this.with_file_name("pq-apply")).ok(),
    }
}

/// This program: where it is, and its name.
fn this() -> Option<(PathBuf, String)> {
    let this = std::env::current_exe().ok()?;
    let name = this.file_name()?.to_string_lossy().into_owned();
    Some((this, name))
}

fn path(text: &str) -> Result<AbsPath, Error> {
    AbsPath::new(text).map_err(|cause| Error::failed(format!("cannot use `{text}`"), cause))
}
