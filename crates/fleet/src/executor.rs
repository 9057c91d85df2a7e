//! The executor that is sent to machines: `pq-apply`, for each architecture that there is one for.
//!
//! Looked for in this order: what `$PQ_EXECUTOR` names, a file or a directory; `../libexec/paquerette` from the running
//! tool, where packages put the portable builds; `../dist`, where `make dist` leaves them; `pq-apply` beside the running
//! tool, which starts where the C library is as new as here. A directory holds `<architecture>/pq-apply`, named as
//! `uname -m` names it.

use std::fmt::Write;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;

use nix::sys::signal::SigSet;
use pq_stream::{Diagnostic, system_cause};
use sha2::{Digest, Sha256};

/// What `uname -m` says, and the number that programs for it carry (`e_machine`; elf(5), System V ABI).
const MACHINES: [(&str, u16); 2] = [("x86_64", 62), ("aarch64", 183)];

/// No program is larger.
const MOST: u64 = 256 << 20;

/// The name of the program.
const NAME: &str = "pq-apply";

/// An executor for one architecture.
#[derive(Debug, Clone)]
pub struct Executor {
    /// The architecture, as `uname -m` names it.
    pub machine: &'static str,
    /// SHA-256, in hexadecimal.
    pub digest: String,
    /// The program itself.
    pub bytes: Arc<Vec<u8>>,
}

/// The executors that there are: looked for once in a process.
///
/// # Errors
/// There is none, or one that was named cannot be used.
pub fn executors() -> Result<&'static [Executor], Diagnostic> {
    static FOUND: OnceLock<Result<Vec<Executor>, Diagnostic>> = OnceLock::new();
    let named = std::env::var_os("PQ_EXECUTOR").filter(|value| !value.is_empty()).map(PathBuf::from);
    let found = FOUND.get_or_init(|| match named {
        Some(path) => of(&path).and_then(|found| match found.is_empty() {
            true => Err(none(&format!("`$PQ_EXECUTOR` is `{}`, and holds none", path.display()))),
            false => Ok(found),
        }),
        None => beside(&std::env::current_exe().unwrap_or_default()),
    });
    found.as_deref().map_err(Clone::clone)
}

/// Looks for them while the plan is still read: they are read and their digests made meanwhile.
pub fn prepare() {
    thread::spawn(|| {
        // Signals are for those who wait for them.
        let _ = SigSet::all().thread_block();
        // What is wrong with them is told to who needs one.
        let _ = executors();
    });
}

/// Those that belong to the running tool.
fn beside(tool: &Path) -> Result<Vec<Executor>, Diagnostic> {
    let dir = tool.parent().unwrap_or(Path::new("/"));
    for place in [dir.join("../libexec/paquerette"), dir.join("../dist"), dir.join(NAME)] {
        let found = if place.exists() { of(&place)? } else { Vec::new() };
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Err(none(&format!("there is no `{NAME}` beside `{}`", tool.display())))
}

/// The executor that is this file, or those that are in this directory.
fn of(path: &Path) -> Result<Vec<Executor>, Diagnostic> {
    if !path.is_dir() {
        return Ok(vec![read(path, None)?]);
    }
    let places = MACHINES.iter().map(|(machine, _)| (machine, path.join(machine).join(NAME)));
    places.filter(|(_, path)| path.exists()).map(|(machine, path)| read(&path, Some(machine))).collect()
}

/// Reads an executor; its architecture is what it says itself.
fn read(path: &Path, expected: Option<&str>) -> Result<Executor, Diagnostic> {
    let refused = |cause: String| {
        Diagnostic::new(format!("cannot send `{}` to other machines", path.display())).cause(cause).hint(
            "`$PQ_EXECUTOR` names the `pq-apply` that is sent, or a directory with one for each architecture",
        )
    };
    let bytes = bytes(path).map_err(|error| refused(system_cause(&error)))?;
    let machine =
        machine(&bytes).ok_or_else(|| refused("it is no program for Linux that is known here".into()))?;
    if let Some(expected) = expected.filter(|expected| *expected != machine) {
        return Err(refused(format!(
            "it is made for `{machine}`, and lies where one for `{expected}` belongs"
        )));
    }
    let digest = Sha256::digest(&bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    Ok(Executor { machine, digest, bytes: Arc::new(bytes) })
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let length = fs::metadata(path)?.len();
    if length > MOST {
        return Err(io::Error::other("it is too large"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    File::open(path)?.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The architecture of a program: little-endian ELF of 64 bits.
fn machine(bytes: &[u8]) -> Option<&'static str> {
    let number = u16::from_le_bytes([*bytes.get(18)?, *bytes.get(19)?]);
    let known = MACHINES.iter().find(|(_, it)| *it == number)?;
    bytes.starts_with(b"\x7fELF\x02\x01").then_some(known.0)
}

fn none(cause: &str) -> Diagnostic {
    Diagnostic::new("there is no executor to send to other machines")
        .cause(cause)
        .hint("install `pq-apply` beside this tool, or name it with `PQ_EXECUTOR`; nothing was touched")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(machine: u16) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(64, 0);
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes
    }

    #[test]
    fn a_directory_holds_one_for_each_architecture() {
        let dir = tempfile::tempdir().unwrap();
        let put = |place: &str, machine| {
            fs::create_dir_all(dir.path().join(place)).unwrap();
            fs::write(dir.path().join(place).join(NAME), program(machine)).unwrap();
        };
        put("x86_64", 62);
        put("aarch64", 183);
        let found = of(dir.path()).unwrap();
        assert_eq!(found.iter().map(|it| it.machine).collect::<Vec<_>>(), ["x86_64", "aarch64"]);
        assert_eq!(found[0].digest.len(), 64);
        put("aarch64", 62);
        assert!(of(dir.path()).unwrap_err().to_string().contains("where one for `aarch64` belongs"));
    }

    #[test]
    fn what_is_no_program_is_not_sent() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(NAME), "#!/bin/sh\n").unwrap();
        assert!(of(&dir.path().join(NAME)).unwrap_err().to_string().contains("no program"));
        assert!(beside(&dir.path().join("sub/pq-server")).unwrap_err().to_string().contains("no executor"));
    }
}
