//! Keeps what stands at a path before it is replaced, and brings it back.

use pq_steps::{AbsPath, Error, Kind, LARGEST_READ, Meta, Mode, Probe, System};
use pq_store::Before;

/// Why what stands at a path can neither be kept nor brought back; nothing where it can.
///
/// # Errors
/// Where the machine does not answer.
pub fn never(machine: &dyn Probe, path: &AbsPath) -> Result<Option<&'static str>, Error> {
    let Some(is) = machine.stat(path)? else { return Ok(None) };
    Ok(match is.kind {
        Kind::Directory => Some("is a directory"),
        Kind::File if is.size > LARGEST_READ => Some("is larger than 64 MiB"),
        Kind::Other => Some("is a special file"),
        Kind::File | Kind::Symlink => None,
    })
}

/// What stands at a path now, as it can be brought back.
///
/// # Errors
/// Where the machine does not answer.
pub fn now(machine: &dyn Probe, path: &AbsPath) -> Result<Option<Before>, Error> {
    let Some(is) = machine.stat(path)? else { return Ok(None) };
    Ok(match is.kind {
        Kind::File => {
            let content = machine.read(path)?.unwrap_or_default();
            Some(Before::File { content, mode: is.mode.bits(), owner: is.owner, group: is.group })
        }
        Kind::Symlink => Some(Before::Link { target: machine.read_link(path)?.unwrap_or_default() }),
        Kind::Directory | Kind::Other => None,
    })
}

/// Makes what stands at a path what it was.
///
/// # Errors
/// What could not be done.
pub fn restore(machine: &mut dyn System, path: &AbsPath, before: Option<&Before>) -> Result<(), Error> {
    match before {
        None if machine.stat(path)?.is_some_and(|is| is.kind == Kind::Directory) => {
            Err(Error::failed(format!("cannot take `{path}` away again"), "a directory stands there now"))
        }
        None => machine.remove(path),
        Some(Before::Link { target }) if machine.read_link(path)?.as_ref() == Some(target) => Ok(()),
        Some(Before::Link { target }) => {
            if machine.stat(path)?.is_some_and(|is| is.kind != Kind::Symlink) {
                machine.remove(path)?;
            }
            machine.symlink(target, path)
        }
        Some(Before::File { content, mode, owner, group }) => {
            if machine.stat(path)?.is_some_and(|is| is.kind == Kind::Symlink) {
                machine.remove(path)?;
            }
            machine.write(path, content, &Meta::new(Mode::from_bits(*mode), owner, group))
        }
    }
}
