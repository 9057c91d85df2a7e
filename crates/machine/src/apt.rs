//! Installs packages: one transaction that removes none and starts no service.
//!
//! Always true here: what an earlier, interrupted transaction left is configured first; the lists are fetched at most
//! once, where they are missing or older than a day, where a source is new, or where apt does not find something in
//! them. Of a source whose lists were never read nothing is known, so without them nothing is installed. Questions are
//! answered by the packages' defaults, and configuration files that people changed stay.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use pq_steps::types::MYSQL;
use pq_steps::{AbsPath, Command, Error, Output, Text};
use pq_stream::Diagnostic;

use crate::children;
use crate::held;
use crate::packages::Packages;
use crate::policy::Policy;
use crate::sources::Sources;
use crate::users::Users;

/// How long another apt is waited for.
pub(crate) const LOCK: Duration = Duration::from_secs(120);

/// How old the lists may be.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) const LISTS: &str = "/var/lib/apt/lists";

/// Installs packages, with the policy file in the given directory (`/usr/sbin`).
pub fn install(
    names: &[&str],
    policy: &AbsPath,
    users: &Users,
    told: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    held::wait(LOCK, told);
    let policy = Policy::forbid(policy)?;
    let done = transaction(names, users);
    // The first error is the one to tell.
    done.and(policy.lift())
}

fn transaction(names: &[&str], users: &Users) -> Result<(), Error> {
    let interrupted = Packages::read(false)?.interrupted;
    let unconfigured = end_interrupted(users).err();
    let how: &[&str] = if interrupted { &["--fix-broken"] } else { &[] };
    let sources = Sources::look()?;
    let (known, mut updated) = (sources.are_fetched(), None);
    if !known || !lists_are_young(Path::new(LISTS), SystemTime::now()) {
        let update = update(&sources, users);
        // apt itself goes on without a source that it cannot read, and takes the package from another one.
        if !known {
            update.clone().map_err(|error| without_a_source(names, error))?;
        }
        updated = Some(update);
    }
    let mut output = apt(names, how, users)?;
    if output.status != 0 && updated.is_none() && lists_are_to_blame(&output.stderr) {
        updated = Some(update(&sources, users));
        output = apt(names, how, users)?;
    }
    match (output.status, updated) {
        (0, _) => Ok(()),
        _ if let Some(error) = unconfigured => Err(also(error, &output)),
        (_, Some(Err(error))) => Err(explained(names, &output, Some(error), users)),
        _ => Err(explained(names, &output, None, users)),
    }
}

/// Ends what an earlier, interrupted transaction left.
pub(crate) fn end_interrupted(users: &Users) -> Result<(), Error> {
    if !Packages::read(false)?.interrupted {
        return Ok(());
    }
    match configure(users) {
        Err(_) if unpacked_anew(users)? => configure(users),
        done => done,
    }
}

/// What was killed while it was unpacked cannot be configured before it is unpacked anew. Where something that it, or another,
/// depends on was never unpacked at all, apt takes no names: it finds out by itself what is missing, and leaves alone
/// what is half there. Whether all is unpacked now.
fn unpacked_anew(users: &Users) -> Result<bool, Error> {
    let half = Packages::read(false)?.half;
    let half: Vec<&str> = half.iter().map(String::as_str).collect();
    let again = || Ok::<_, Error>(apt(&half, &["--fix-broken", "--reinstall"], users)?.status == 0);
    if !half.is_empty() && again()? {
        return Ok(true);
    }
    let missing = apt(&[], &["--fix-broken"], users)?;
    if half.is_empty() { Ok(missing.status == 0) } else { again() }
}

/// A command of apt or dpkg that asks nobody anything.
fn quiet(argv: Vec<&str>) -> Command {
    let mut command = Command::new(argv);
    command.timeout = Duration::from_secs(2 * 60 * 60);
    for (name, value) in [
        ("DEBIAN_FRONTEND", "noninteractive"),
        ("DEBIAN_PRIORITY", "critical"),
        ("APT_LISTCHANGES_FRONTEND", "none"),
        ("APT_LISTBUGS_FRONTEND", "none"),
        ("NEEDRESTART_SUSPEND", "1"),
        ("UCF_FORCE_CONFFOLD", "1"),
    ] {
        command.env.insert(name.to_owned(), Text::from(value));
    }
    command
}

/// Ends what an interrupted transaction began.
fn configure(users: &Users) -> Result<(), Error> {
    let command = quiet(vec!["dpkg", "--force-confold", "--force-confdef", "--configure", "--pending"]);
    let output = patiently(|| children::run(&command, users))?;
    output.success(&command).map(drop).map_err(|error| {
        let mut diagnostic = error.into_diagnostic();
        diagnostic.message = "an earlier installation was interrupted and cannot be ended".to_owned();
        diagnostic.hint("`dpkg --audit` names the packages; end it by hand with `dpkg --configure -a`").into()
    })
}

/// That error, with what apt says when it is to mend it.
fn also(error: Error, output: &Output) -> Error {
    let mut diagnostic = error.into_diagnostic();
    let said = output.stderr.lines().filter_map(|line| line.strip_prefix("E: "));
    diagnostic.causes.extend(said.map(str::to_owned));
    diagnostic.into()
}

/// Fetches the lists of all sources.
pub(crate) fn update(sources: &Sources, users: &Users) -> Result<(), Error> {
    // Without the mode, apt 2.2 and newer end well where a server did not answer.
    let mode = "APT::Update::Error-Mode=any";
    let command = quiet(vec!["apt-get", "update", "-q", "-o", "APT::Color=0", "-o", mode]);
    let output = patiently(|| children::run(&command, users))?;
    if output.status == 0 {
        return sources.note();
    }
    let told = |line: &&str| line.starts_with("E: ") || line.starts_with("W: GPG error: ");
    let causes: Vec<String> = output.stderr.lines().filter(told).map(|line| line[3..].to_owned()).collect();
    if causes.is_empty() {
        return output.success(&command).map(drop);
    }
    let mut diagnostic = Diagnostic::new("apt cannot read the lists of all its sources");
    diagnostic.causes = causes;
    Err(diagnostic.into())
}

/// The error where a source is new and its lists cannot be had.
fn without_a_source(names: &[&str], error: Error) -> Error {
    let Diagnostic { message, causes, .. } = error.into_diagnostic();
    let mut diagnostic = Diagnostic::new(format!("cannot install `{}`", names.join("`, `")))
        .cause(format!("a source is new or was changed, and {message}"))
        .hint("correct the source that is named, or take it away; packages could come from the wrong one");
    diagnostic.causes.extend(causes);
    diagnostic.into()
}

fn apt(names: &[&str], how: &[&'static str], users: &Users) -> Result<Output, Error> {
    let mut action = vec!["install", "--no-install-recommends"];
    action.extend(how);
    action.push("--");
    action.extend(names);
    act(&action, users)
}

/// Has apt do something that removes nothing; `action` is its word, its options and names.
pub(crate) fn act(action: &[&str], users: &Users) -> Result<Output, Error> {
    let mut argv = vec!["apt-get", "-q", "-y", "--no-remove"];
    for option in [
        "DPkg::Lock::Timeout=120",
        "Dpkg::Options::=--force-confold",
        "Dpkg::Options::=--force-confdef",
        "Dpkg::Use-Pty=0",
        "APT::Color=0",
    ] {
        argv.extend(["-o", option]);
    }
    argv.extend(action);
    let command = quiet(argv);
    patiently(|| children::run(&command, users))
}

/// Removes packages, their configuration kept, and what was installed for them alone but for what is to be kept. Where that, or
/// another package that somebody asked for, would have to go too, nothing is removed.
pub fn remove(names: &[&str], keep: &[&str], users: &Users) -> Result<(), Error> {
    // What nobody needed before stays: who looks after the machine may know why.
    let idle = removed(&["autoremove"], users)?;
    let all = removed(&[&["remove", "--auto-remove", "--"], names].concat(), users)?;
    let forced = removed(&[&["remove", "--"], names].concat(), users)?;
    let goes =
        |it: &&str| names.contains(it) || forced.contains(*it) || !idle.contains(*it) && !keep.contains(it);
    let all: Vec<&str> = all.iter().map(String::as_str).filter(goes).collect();
    let command = quiet(vec!["apt-mark", "showauto"]);
    let automatic = children::run(&command, users)?.success(&command)?.stdout;
    let automatic: BTreeSet<&str> = automatic.lines().collect();
    let asked = |name: &&str| !names.contains(name) && (!automatic.contains(name) || keep.contains(name));
    let others: Vec<&str> = all.iter().copied().filter(asked).collect();
    if !others.is_empty() {
        return Err(Diagnostic::new(format!("cannot remove {}", names.join(", ")))
            .cause(format!("{} would have to go too, and nobody asked for that", others.join(", ")))
            .hint(format!("`apt-get remove {}` does it", names.join(" ")))
            .into());
    }
    let command = quiet([&removal(&["remove", "--"])[..], &all].concat());
    patiently(|| children::run(&command, users))?.success(&command).map(drop)
}

/// apt's own words for a removal that asks nobody.
fn removal<'a>(action: &[&'a str]) -> Vec<&'a str> {
    let options =
        ["-q", "-y", "-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Use-Pty=0", "-o", "APT::Color=0"];
    [&["apt-get"], &options[..], action].concat()
}

/// What apt would remove, by the names of packages; of another architecture with `:` and that.
fn removed(action: &[&str], users: &Users) -> Result<BTreeSet<String>, Error> {
    let command = quiet(removal(&[&["--simulate"], action].concat()));
    let output = patiently(|| children::run(&command, users))?.success(&command)?;
    let gone = |line: &str| Some(line.strip_prefix("Remv ")?.split(' ').next()?.to_owned());
    Ok(output.stdout.lines().filter_map(gone).collect())
}

/// Tries again while another apt or dpkg holds a lock that apt itself does not wait for.
fn patiently(mut run: impl FnMut() -> Result<Output, Error>) -> Result<Output, Error> {
    let end = Instant::now() + LOCK;
    loop {
        let output = run()?;
        let locked =
            output.stderr.contains("Could not get lock") || output.stderr.contains("lock was locked by");
        if output.status == 0 || !locked || Instant::now() >= end {
            return Ok(output);
        }
        thread::sleep(Duration::from_secs(2));
    }
}

/// Whether the lists of packages were fetched within a day. Their own times are those of the server; when they came
/// here is told by their change times.
fn lists_are_young(lists: &Path, now: SystemTime) -> bool {
    // A time to come says that the clock was set back: fetch.
    newest_list(lists).is_some_and(|newest| now.duration_since(newest).is_ok_and(|age| age < DAY))
}

/// When the newest of the lists came here.
pub(crate) fn newest_list(lists: &Path) -> Option<SystemTime> {
    use std::os::unix::fs::MetadataExt;
    let entries = std::fs::read_dir(lists).ok()?.flatten();
    let lists = entries.filter(|entry| entry.file_name().to_string_lossy().contains("_Packages"));
    let newest = lists.filter_map(|entry| u64::try_from(entry.metadata().ok()?.ctime()).ok()).max()?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(newest))
}

/// Whether newer lists may help: a package that apt does not know, or a version that the server no longer has.
fn lists_are_to_blame(said: &str) -> bool {
    [
        "Unable to locate package",
        "has no installation candidate",
        "Failed to fetch",
        "Couldn't find any package",
    ]
    .iter()
    .any(|words| said.contains(words))
}

/// The error of a failed transaction, with what apt would have removed.
fn explained(names: &[&str], output: &Output, update: Option<Error>, users: &Users) -> Error {
    let mut diagnostic = Diagnostic::new(format!("cannot install `{}`", names.join("`, `")));
    let mut causes = reasons(output);
    if output.stderr.contains("remove is disabled") {
        causes.push(format!("apt would remove {}", would_remove(names, users).join(", ")));
        diagnostic =
            diagnostic.hint("remove them by hand if that is right, or take the package out of the plan");
    }
    let installed = Packages::read(false).ok();
    let mysql = MYSQL.iter().find(|name| installed.as_ref().is_some_and(|it| it.get(name).is_some()));
    if let Some(mysql) = mysql.filter(|_| names.contains(&"mariadb-server")) {
        causes.push(format!("`{mysql}` is installed, and both cannot be"));
        diagnostic = diagnostic.hint("plan with `pq-inventory --facts`: MySQL is used as it is found then");
    }
    if let Some(error) = update {
        causes.push(format!("the lists could not be fetched: {error}"));
    }
    causes.dedup();
    diagnostic.causes = causes;
    diagnostic.into()
}

/// Why apt failed, in its own words and dpkg's.
pub(crate) fn reasons(output: &Output) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    let mut within = false;
    for line in output.stderr.lines() {
        let error = line.strip_prefix("E: ");
        // What is set in goes on with the error above it.
        within = error.is_some() || within && line.starts_with("   ");
        if within {
            causes.push(error.unwrap_or(line).trim().to_owned());
        }
    }
    if causes.is_empty() {
        causes = output.stderr.trim_end().lines().rev().take(8).map(str::to_owned).collect();
        causes.reverse();
    }
    // What failed inside a package's own script is told by dpkg, on its output.
    let words = ["dpkg: error", "subprocess", "Errors were encountered"];
    let dpkg = |line: &&str| words.iter().any(|words| line.contains(words));
    let lines = output.stdout.lines().chain(output.stderr.lines());
    causes.extend(lines.filter(dpkg).take(4).map(|line| line.trim().to_owned()));
    causes
}

/// What apt would remove, by its simulation.
fn would_remove(names: &[&str], users: &Users) -> Vec<String> {
    let mut argv = vec!["apt-get", "install", "-q", "-y", "--no-install-recommends", "--simulate", "--"];
    argv.extend(names);
    let output = children::run(&quiet(argv), users).unwrap_or_default();
    let removed = output.stdout.lines().filter_map(|line| line.strip_prefix("Remv "));
    removed.filter_map(|line| line.split(' ').next()).map(|name| format!("`{name}`")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_old_when_they_are_missing_or_came_before_yesterday() {
        let held = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        assert!(!lists_are_young(&held.path().join("none"), now));
        std::fs::write(held.path().join("lock"), "").unwrap();
        assert!(!lists_are_young(held.path(), now));
        std::fs::write(held.path().join("deb.debian.org_debian_Packages"), "").unwrap();
        let now = SystemTime::now() + Duration::from_secs(2);
        assert!(lists_are_young(held.path(), now));
        assert!(!lists_are_young(held.path(), now + DAY));
        assert!(!lists_are_young(held.path(), now - DAY));
    }

    #[test]
    fn the_cause_is_what_apt_says_and_not_its_chatter() {
        let output = Output {
            status: 100,
            stdout: "Reading package lists...\n".to_owned(),
            stderr: "W: be careful\nE: Unable to locate package nosuch\n".to_owned(),
        };
        assert!(lists_are_to_blame(&output.stderr));
        let diagnostic = explained(&["nosuch"], &output, None, &Users::default()).into_diagnostic();
        assert_eq!(diagnostic.message, "cannot install `nosuch`");
        assert_eq!(diagnostic.causes, ["Unable to locate package nosuch"]);
    }
}
