//! An application is quieted before it is read, and woken afterwards.
//!
//! Always true here: what was quieted is noted before it is, so that whoever is killed in between is made good by the next call.

use std::path::Path;
use std::time::{Duration, SystemTime};

use pq_items::{BackupItem, Command};
use pq_machine::Machine;
use pq_steps::System as _;
use pq_store::Maintenance;
use pq_stream::Diagnostic;

use crate::state::State;

/// How long a command may take where the item does not say.
const LIMIT: Duration = Duration::from_secs(60);

/// How long nobody is told of an application that is quiet: one that is so for longer is down.
const WINDOW: Duration = Duration::from_secs(3600);

/// Opens the maintenance window of an item. Where it cannot be opened, people may be told too much, which stops no backup.
pub fn open(item: &BackupItem, why: &str, dir: &Path) {
    let _ = windows(dir).open(item.owner.as_str(), why, SystemTime::now(), WINDOW);
}

/// Closes it; there need not be one.
pub fn close(item: &BackupItem, dir: &Path) {
    let _ = windows(dir).close(item.owner.as_str());
}

fn windows(dir: &Path) -> Maintenance {
    Maintenance::new(dir.parent().unwrap_or(dir))
}

/// Quiets an item, as its commands say, within a maintenance window. Where one fails, it is woken again.
///
/// # Errors
/// Where a command fails.
pub fn quiet(item: &BackupItem, state: &mut State, dir: &Path) -> Result<(), Diagnostic> {
    if item.quiesce.is_empty() {
        return Ok(());
    }
    open(item, "it is quiet while it is read or replaced", dir);
    state.quiet.push(item.owner.as_str().to_owned());
    save(state, dir)?;
    item.quiesce.iter().try_for_each(|command| run(command, "quiet", item))
}

/// Wakes an item that was quieted, every command of it also where one fails.
///
/// # Errors
/// Where a command fails.
pub fn wake(item: &BackupItem, state: &mut State, dir: &Path) -> Result<(), Diagnostic> {
    if !state.quiet.iter().any(|owner| owner == item.owner.as_str()) {
        return Ok(());
    }
    let ran: Vec<_> = item.resume.iter().map(|command| run(command, "wake", item)).collect();
    // One that cannot be woken is down, and people are to be told that.
    close(item, dir);
    ran.into_iter().collect::<Result<Vec<()>, _>>()?;
    state.quiet.retain(|owner| owner != item.owner.as_str());
    save(state, dir)
}

/// Runs a command of an item, as who it says.
///
/// # Errors
/// Where it cannot be run, takes too long or ends badly.
pub fn run(command: &Command, what: &str, item: &BackupItem) -> Result<(), Diagnostic> {
    let mut run = pq_steps::Command::new(command.argv.words());
    run.user = command.user.as_ref().map(|user| user.as_str().to_owned());
    ended(run, command, what, item)
}

/// Where a copy is while it is asked whether it is well, for who asks and for nobody else.
const COPY: &str = "/run/paquerette-rehearsal";

/// Mounts a copy where everybody may go, in a space of mounts that ends with the command, and runs that as who it says.
const ASK: &str = r#"
    mkdir -p "$1"; mount --bind "$2" "$1"; user=$3; shift 3
    exec setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups -- "$@"
"#;

/// Runs a command of an item that looks at a copy: `{restored}` in its arguments is where that is.
///
/// # Errors
/// As [`run`].
pub fn run_in(command: &Command, what: &str, item: &BackupItem, copy: &Path) -> Result<(), Diagnostic> {
    let user = command.user.as_ref().map_or("root", |user| user.as_str());
    let copy = copy.display().to_string();
    let head = ["unshare", "--mount", "--", "/bin/sh", "-euc", ASK, "ask", COPY, &copy, user];
    let words = command.argv.words().map(|word| word.replace("{restored}", COPY));
    let argv: Vec<String> = head.iter().map(|word| (*word).to_owned()).chain(words).collect();
    let done = ended(pq_steps::Command::new(argv.iter().map(String::as_str)), command, what, item);
    let _ = std::fs::remove_dir(COPY);
    done
}

fn ended(
    mut run: pq_steps::Command,
    command: &Command,
    what: &str,
    item: &BackupItem,
) -> Result<(), Diagnostic> {
    let mut machine = Machine::local();
    run.timeout = command.timeout.as_ref().map_or(LIMIT, |it| Duration::from_secs(it.seconds()));
    let cannot = || Diagnostic::new(format!("cannot {what} `{}`", item.owner));
    let output = machine.run(&run).map_err(|error| {
        let error = error.into_diagnostic();
        error.causes.into_iter().fold(cannot().cause(error.message), Diagnostic::cause)
    })?;
    match output.status {
        0 => Ok(()),
        status => {
            let said = format!("{}{}", output.stdout, output.stderr);
            let last = said.trim().lines().next_back().unwrap_or_default();
            let words: Vec<&str> = command.argv.words().collect();
            let error = cannot().cause(format!("`{}` ended with status {status}", words.join(" ")));
            Err(if last.is_empty() { error } else { error.cause(last.to_owned()) })
        }
    }
}

fn save(state: &State, dir: &Path) -> Result<(), Diagnostic> {
    state.save(dir).map_err(|error| crate::unnoted(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_with_an_end_is_open_while_an_application_is_quiet_and_closed_also_where_it_cannot_be_woken() {
        let lib = tempfile::tempdir().unwrap();
        let dir = lib.path().join("backup");
        std::fs::create_dir(&dir).unwrap();
        let item = |resume: &str| {
            let text =
                format!("owner: wiki\nquiesce: [{{ argv: ['true'] }}]\nresume: [{{ argv: ['{resume}'] }}]\n");
            pq_items::read::<BackupItem>("an item", "wiki.yml", &text).unwrap()
        };
        let window = |after: u64| {
            let time = SystemTime::now() + Duration::from_secs(after);
            Maintenance::new(lib.path()).of("wiki", time).unwrap()
        };
        let mut state = State::default();
        quiet(&item("true"), &mut state, &dir).unwrap();
        assert!(window(0).is_some() && window(3601).is_none(), "{:?}", window(0));
        wake(&item("true"), &mut state, &dir).unwrap();
        assert_eq!(window(0), None);
        quiet(&item("true"), &mut state, &dir).unwrap();
        assert!(wake(&item("false"), &mut state, &dir).is_err());
        assert_eq!(window(0), None);
    }
}
