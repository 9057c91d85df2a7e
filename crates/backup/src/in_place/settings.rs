//! What paquerette itself writes at every run among an instance's files stays as it is now: a restore brings back what the application and
//! its people made, and no settings of another time, or of another instance.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pq_steps::ledger::ThingKind;
use pq_store::{LedgerFile, STATE_DIR};
use pq_stream::{Diagnostic, system_cause};

use crate::restore::digest;

/// Copies an owner's settings, which are as they were written, from where they are into what is about to take that place.
///
/// # Errors
/// Where one cannot be copied: nothing was exchanged.
pub fn stay(owner: &str, staged: &[(PathBuf, PathBuf)]) -> Result<(), Diagnostic> {
    let cannot = |what: &Path, error: &std::io::Error| {
        Diagnostic::new(format!("cannot keep `{}` as it is", what.display())).cause(system_cause(error))
    };
    let state = Path::new(STATE_DIR);
    let ledger = LedgerFile::load(state).map_err(|error| cannot(state, &error))?;
    for (thing, booked) in ledger.ledger().of_owner(owner) {
        let path = Path::new(&thing.name);
        let Some(written) = booked.hashes.last().filter(|_| thing.kind == ThingKind::File) else { continue };
        let Some((from, below)) =
            staged.iter().find_map(|(from, to)| Some((from, path.strip_prefix(to).ok()?)))
        else {
            continue;
        };
        // What somebody changed by hand, or nobody wrote yet, is none of ours.
        if digest(path).is_ok_and(|is| is == *written) {
            let to = unlinked(from, below)?;
            copy(path, &to).map_err(|error| cannot(path, &error))?;
        }
    }
    Ok(())
}

/// A path below a directory, on whose way there is no link: what came out of a backup may lead anywhere.
fn unlinked(from: &Path, below: &Path) -> Result<PathBuf, Diagnostic> {
    let mut path = from.to_path_buf();
    for part in below.parent().into_iter().flat_map(Path::components) {
        path.push(part);
        if path.is_symlink() {
            return Err(Diagnostic::new(format!("`{}` is a link in the backup", path.display()))
                .cause("settings would be written to where it leads")
                .hint("without `--in-place`, a restore goes into a directory of its own"));
        }
    }
    Ok(from.join(below))
}

/// Copies a file with all that it has.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if let Some(dir) = to.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let ran = Command::new("cp")
        .args(["-a", "-T", "--remove-destination", "--"])
        .args([from, to])
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()?;
    match ran.status.success() {
        true => Ok(()),
        false => Err(std::io::Error::other(String::from_utf8_lossy(&ran.stderr).trim().to_owned())),
    }
}
