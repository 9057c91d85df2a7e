//! Units, as systemd tells of them and changes them.
//!
//! One question gets all units that a plan names: of eight questions, each would cost nearly as much.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use pq_steps::{Active, Command, Error, Unit, UnitFile, UnitVerb};
use pq_stream::{Diagnostic, from_utc};

use crate::children;
use crate::users::Users;

/// What is asked of each unit.
const PROPERTIES: &str = "--property=Id,Names,LoadState,ActiveState,UnitFileState,NeedDaemonReload,DropInPaths,StateChangeTimestamp,ActiveEnterTimestamp";

/// Where the settings of units are that somebody wrote on this machine.
const SYSTEM: &str = "/etc/systemd/system";

/// How soon a program that cannot start has usually ended.
const MOMENT: Duration = Duration::from_millis(300);

/// What systemd said, by every name that a unit has; `None` where it knows none of that name.
pub type Units = HashMap<String, Option<Unit>>;

/// Asks for some units.
pub fn ask(names: &[&str], users: &Users) -> Result<Units, Error> {
    let mut command = Command::new(["systemctl", "show", "--timestamp=us+utc", PROPERTIES, "--"]);
    command.argv.extend(names.iter().map(|name| (*name).to_owned()));
    let output = children::ask(&command, users)?;
    let output = output.success(&command)?;
    let mut units = parse(&output.stdout, Path::new(SYSTEM));
    for name in names {
        units.entry((*name).to_owned()).or_insert(None);
    }
    Ok(units)
}

/// Reads blocks of `key=value` lines with an empty line between.
fn parse(text: &str, system: &Path) -> Units {
    let mut units = Units::new();
    for block in text.split("\n\n") {
        let values: HashMap<&str, &str> = block.lines().filter_map(|line| line.split_once('=')).collect();
        let value = |key: &str| values.get(key).copied().unwrap_or("");
        let unit = (value("LoadState") != "not-found").then(|| Unit {
            active: match value("ActiveState") {
                "active" => Active::Active,
                "inactive" => Active::Inactive,
                "failed" => Active::Failed,
                _ => Active::Changing,
            },
            file: match (value("LoadState"), value("UnitFileState")) {
                ("masked", _) | (_, "masked" | "masked-runtime") => UnitFile::Masked,
                (_, "enabled" | "alias") => UnitFile::Enabled,
                (_, "disabled" | "enabled-runtime" | "linked" | "linked-runtime") => UnitFile::Disabled,
                _ => UnitFile::Static,
            },
            needs_daemon_reload: value("NeedDaemonReload") == "yes"
                || unread(&system.join(format!("{}.d", value("Id"))), value("DropInPaths")),
            changed: time(value("StateChangeTimestamp")),
            // A reload leaves it as it is.
            started: time(value("ActiveEnterTimestamp")),
        });
        for name in value("Names").split(' ').chain([value("Id")]).filter(|name| !name.is_empty()) {
            units.insert(name.to_owned(), unit.clone());
        }
    }
    units
}

/// Whether a directory has settings that systemd has not read. It does not say so itself where the directory is new: it
/// looks for directories once, and then again when it has another reason to.
fn unread(directory: &Path, read: &str) -> bool {
    let Ok(entries) = fs::read_dir(directory) else { return false };
    entries.flatten().any(|entry| {
        let path = entry.path();
        path.extension().is_some_and(|it| it == "conf")
            && entry.file_type().is_ok_and(|kind| kind.is_file())
            && !read.split(' ').any(|it| Path::new(it) == path)
    })
}

/// Reads `Mon 2026-11-23 06:59:43.123456 UTC`; nothing where the unit never changed.
fn time(text: &str) -> Option<SystemTime> {
    let [_, date, clock, "UTC"] = text.split(' ').collect::<Vec<_>>()[..] else { return None };
    from_utc(&format!("{date}T{clock}Z"))
}

/// Has systemd do something to a unit, and waits for it.
pub fn act(verb: UnitVerb, unit: &str, users: &Users) -> Result<(), Error> {
    let word = match verb {
        UnitVerb::Start => "start",
        UnitVerb::Stop => "stop",
        UnitVerb::Restart => "restart",
        UnitVerb::Reload => "reload",
        UnitVerb::Enable => "enable",
        UnitVerb::Disable => "disable",
        UnitVerb::DaemonReload => "daemon-reload",
    };
    let mut argv = vec!["systemctl", "--quiet", "--no-ask-password", word];
    if verb != UnitVerb::DaemonReload {
        argv.extend(["--", unit]);
    }
    let mut command = Command::new(argv);
    // A unit has its own limits, and systemd keeps them: this one only ends a systemctl that hangs.
    command.timeout = Duration::from_secs(15 * 60);
    let mut output = children::run(&command, users)?;
    // systemd counts our starts with those that a service makes itself, and refuses more than a few within seconds.
    if output.status != 0
        && matches!(verb, UnitVerb::Start | UnitVerb::Restart)
        && result(unit, users)? == "start-limit-hit"
    {
        let forget = Command::new(["systemctl", "reset-failed", "--", unit]);
        children::run(&forget, users)?.success(&forget)?;
        output = children::run(&command, users)?;
    }
    match (output.status, verb) {
        (0, UnitVerb::Start | UnitVerb::Restart) => return stays(unit, users),
        (0, _) => return Ok(()),
        _ => {}
    }
    let mut diagnostic = Diagnostic::new(format!("cannot {word} `{unit}`"));
    for line in output.stderr.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("See \"")) {
        diagnostic = diagnostic.cause(line.trim());
    }
    if matches!(verb, UnitVerb::Start | UnitVerb::Restart | UnitVerb::Reload) {
        for line in last_words(unit, users) {
            diagnostic = diagnostic.cause(line);
        }
        diagnostic = diagnostic.hint(format!("`journalctl --unit {unit}` tells more"));
    }
    Err(diagnostic.into())
}

/// Why a unit is not what it should be, in systemd's word.
fn result(unit: &str, users: &Users) -> Result<String, Error> {
    let command = Command::new(["systemctl", "show", "--property=Result", "--value", "--", unit]);
    Ok(children::run(&command, users)?.stdout.trim().to_owned())
}

/// A program of which systemd only knows that it was started is looked at again a moment later: it may have ended.
fn stays(unit: &str, users: &Users) -> Result<(), Error> {
    let command = Command::new(["systemctl", "show", "--property=Type,ActiveState,SubState", "--", unit]);
    let state = || Ok::<_, Error>(children::run(&command, users)?.stdout);
    let has = |state: &str, line: &str| state.lines().any(|is| is == line);
    let mut now = state()?;
    if ["Type=simple", "Type=exec", "Type=idle"].iter().any(|kind| has(&now, kind))
        && has(&now, "ActiveState=active")
    {
        thread::sleep(MOMENT);
        now = state()?;
    }
    if !has(&now, "ActiveState=failed") && !has(&now, "SubState=auto-restart") {
        return Ok(());
    }
    let mut diagnostic = Diagnostic::new(format!("`{unit}` ended right after it was started"));
    diagnostic.causes = last_words(unit, users);
    Err(diagnostic.hint(format!("`journalctl --unit {unit}` tells more")).into())
}

/// The last lines that a unit and those who start it wrote to the journal.
pub(crate) fn last_words(unit: &str, users: &Users) -> Vec<String> {
    let command = Command::new([
        "journalctl",
        "--quiet",
        "--no-pager",
        "--output=cat",
        "--lines=6",
        "--boot=0",
        "--unit",
        unit,
    ]);
    let output = children::run(&command, users).unwrap_or_default();
    output.stdout.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn units_are_known_by_every_name_that_they_have() {
        let units = parse(
            "Id=mariadb.service\nNames=mysql.service mariadb.service\nLoadState=loaded\nActiveState=active\n\
             UnitFileState=enabled\nNeedDaemonReload=no\nStateChangeTimestamp=Mon 2026-11-23 06:59:43.000012 UTC\n\
             ActiveEnterTimestamp=Mon 2026-11-23 06:59:42.000012 UTC\n\n\
             Id=nosuch.service\nNames=nosuch.service\nLoadState=not-found\nActiveState=inactive\nUnitFileState=\n\
             NeedDaemonReload=no\nStateChangeTimestamp=\n\nId=x.service\nNames=x.service\nLoadState=masked\n\
             ActiveState=failed\nUnitFileState=masked\nNeedDaemonReload=yes\nStateChangeTimestamp=n/a\n",
            Path::new("/nowhere"),
        );
        let maria = units["mysql.service"].clone().unwrap();
        assert_eq!((maria.active, maria.file), (Active::Active, UnitFile::Enabled));
        assert!(maria.started.is_some_and(|started| Some(started) < maria.changed));
        assert_eq!(units["mariadb.service"], Some(maria));
        assert_eq!(units["nosuch.service"], None);
        let masked = units["x.service"].clone().unwrap();
        assert_eq!((masked.active, masked.file), (Active::Failed, UnitFile::Masked));
        assert!(masked.needs_daemon_reload && masked.changed.is_none());
    }

    #[test]
    fn settings_that_systemd_has_not_read_want_a_reload() {
        let system = tempfile::tempdir().unwrap();
        let directory = system.path().join("x.service.d");
        let told = |drop_ins: &str| {
            let text = format!(
                "Id=x.service\nNames=x.service\nLoadState=loaded\nActiveState=active\nNeedDaemonReload=no\nDropInPaths={drop_ins}\n"
            );
            parse(&text, system.path())["x.service"].clone().unwrap().needs_daemon_reload
        };
        assert!(!told(""), "no directory");
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("note.txt"), "").unwrap();
        assert!(!told(""), "no settings");
        let settings = directory.join("limits.conf");
        fs::write(&settings, "[Service]\n").unwrap();
        assert!(told("") && told("/run/systemd/system/x.service.d/limits.conf"));
        assert!(!told(&format!("/run/a.conf {}", settings.display())));
    }

    #[test]
    fn a_time_of_systemd_becomes_a_time() {
        let since = |text| time(text).unwrap().duration_since(UNIX_EPOCH).unwrap().as_micros();
        assert_eq!(since("Thu 1970-01-01 00:00:00 UTC"), 0);
        assert_eq!(since("Mon 2026-11-23 06:59:43.123456 UTC"), 1_795_417_183_123_456);
        assert_eq!(since("Thu 2024-02-29 23:59:59.5 UTC"), 1_709_251_199_500_000);
        assert_eq!(time("n/a"), None);
        assert_eq!(time(""), None);
    }
}
