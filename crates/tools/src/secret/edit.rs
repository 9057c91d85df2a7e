//! `pq-secret edit`: an encrypted file in an editor.
//!
//! Always true here: the plain text lies in memory alone, where only this user reads it; the encrypted file is
//! replaced once the new text is one that the inventory takes, and else is what it was, byte for byte; what was
//! written is not lost.

use std::ffi::OsString;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use pq_cli::{Failure, report, tell};
use pq_secrets::{Draft, ExposeSecret, terminal};
use pq_stream::{Diagnostic, Status};

use super::keeper::{Keeper, Keys, cannot, recipients_file};
use super::say;

/// Opens a file in the editor, and encrypts it again when it was changed.
///
/// # Errors
/// Where it cannot be opened, the editor fails, or the new text is none that the inventory takes.
pub fn run(keys: &Keys, file: &Path) -> Result<Status, Failure> {
    let keeper = Keeper::new(keys, file)?;
    // From one that is there its values can be taken out.
    if fs::symlink_metadata(&keeper.path).is_err() {
        keeper.demand_read()?;
    }
    let _lock = keeper.lock()?;
    // Known before somebody begins to type.
    recipients_file(&keeper.path)?;
    let old = keeper.open()?;
    let before = old.clone().unwrap_or_default();
    let draft = Draft::new(&draft_name(&keeper.path), &keeper.path, before.expose_secret().as_bytes())
        .map_err(|error| cannot("write a draft of", &keeper.path, &error))?;
    let Some(draft) = draft else {
        return Err(Failure::failed(
            Diagnostic::new("there is no place in memory for the plain text")
                .cause("neither `$XDG_RUNTIME_DIR` nor `/dev/shm` is a tmpfs")
                .hint("`mount -t tmpfs tmpfs /dev/shm`, or change single values with `pq-secret set`"),
        ));
    };
    // A key such as ctrl-c is for the editor; what ends us would take the draft's fate out of our hands.
    let _ = terminal::ending().thread_block();
    loop {
        let ended = edited(draft.path());
        let now = draft.text();
        let changed = now.as_ref().is_ok_and(|now| now.expose_secret() != before.expose_secret());
        let (status, wrong) = match (ended, now) {
            (Err(diagnostic), _) => (Status::Failed, diagnostic),
            (Ok(()), Err(error)) => {
                (Status::Failed, Diagnostic::new("the editor left no text").cause(error.to_string()))
            }
            (Ok(()), Ok(_)) if !changed => {
                say(&format!("nothing was changed in `{}`", keeper.path.display()));
                return Ok(Status::Done);
            }
            (Ok(()), Ok(now)) => match save(&keeper, now.expose_secret()) {
                Ok(()) => {
                    let what = if old.is_some() { "was changed" } else { "is new" };
                    say(&format!("`{}` {what}", keeper.path.display()));
                    return Ok(Status::Done);
                }
                Err(Failure::Because(status, diagnostics))
                    if diagnostics.len() == 1 && status != Status::Busy =>
                {
                    (status, diagnostics[0].clone())
                }
                Err(other) => {
                    kept(draft, &keeper.path);
                    return Err(other);
                }
            },
        };
        let wrong = wrong.hint(format!("`{}` is what it was", keeper.path.display()));
        if again(&wrong) {
            continue;
        }
        if changed {
            kept(draft, &keeper.path);
        }
        return Err(Failure::Because(status, vec![wrong]));
    }
}

/// Encrypts a text that the inventory takes.
fn save(keeper: &Keeper, text: &str) -> Result<(), Failure> {
    let document = pq_inventory::Document::read(&keeper.path.display().to_string(), text)?;
    if document.names().is_empty() {
        return Err(Failure::input(
            Diagnostic::new("nothing is left in the file")
                .hint(format!("to have no such file, remove it: `rm {}`", keeper.path.display())),
        ));
    }
    keeper.write(text)
}

/// The editor that is wanted, and the variable that names it.
fn editor() -> (OsString, Option<&'static str>) {
    let set = |name: &'static str| {
        let value = std::env::var_os(name).filter(|value| !value.to_string_lossy().trim().is_empty());
        value.map(|value| (value, Some(name)))
    };
    set("VISUAL").or_else(|| set("EDITOR")).unwrap_or_else(|| ("vi".into(), None))
}

/// Runs the editor until it ends.
fn edited(path: &Path) -> Result<(), Diagnostic> {
    let (editor, variable) = editor();
    let shown = editor.to_string_lossy().escape_debug().to_string();
    // As git and others do: the variable may hold arguments. The shell outlives the keys that are for the editor.
    let mut line = OsString::from("trap : INT QUIT\n");
    line.push(editor);
    line.push(" \"$1\"");
    let status = Command::new("sh").arg("-c").arg(line).arg("sh").arg(path).status();
    spent();
    let failed = Diagnostic::new(format!("the editor `{shown}` failed"));
    let hint = match variable {
        Some(name) => format!("choose another with `{name}`"),
        None => "choose another with `VISUAL` or `EDITOR`".to_owned(),
    };
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed.cause(status.to_string()).hint(hint)),
        Err(error) => Err(failed.cause(error.to_string()).hint(hint)),
    }
}

/// Takes away the keys that were for the editor; the terminal sends them to all who run there.
fn spent() {
    let keys: SigSet = [Signal::SIGINT, Signal::SIGQUIT].into_iter().collect();
    if let Ok(pending) = SignalFd::with_flags(&keys, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC) {
        while let Ok(Some(_)) = pending.read_signal() {}
    }
}

/// Whether the person at the terminal wants to go on; nobody is asked where there is none. Who ends the question
/// with ctrl-c, or this program with a signal, does not.
fn again(wrong: &Diagnostic) -> bool {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return false;
    }
    report(wrong);
    tell("pq-secret: go on editing? [Y/n] ");
    if !terminal::readable(&io::stdin(), &terminal::ending()).unwrap_or(false) {
        tell("\n");
        return false;
    }
    let mut answer = String::new();
    match io::stdin().read_line(&mut answer) {
        Ok(length) => length > 0 && !answer.trim_start().to_lowercase().starts_with('n'),
        Err(_) => false,
    }
}

/// Says where the text stays that was written.
fn kept(draft: Draft, file: &Path) {
    let path = draft.keep();
    let directory = path.parent().map(|parent| parent.display().to_string()).unwrap_or_default();
    say(&format!("what you wrote stays in `{}`, in memory, until this machine restarts", path.display()));
    say(&format!("read it in with `pq-secret edit {}`, then `rm -r {directory}`", file.display()));
}

/// The name of the file without `.age`, so that the editor knows what it is.
fn draft_name(path: &Path) -> String {
    let stem = path.file_stem().map(PathBuf::from).unwrap_or_default();
    stem.display().to_string()
}
