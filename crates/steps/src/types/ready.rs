//! An instance can be upgraded: it is at the version that the plan begins with, by its own word too, it is well, and there is room for all
//! that will be fetched, unpacked, dumped and copied. It looks before anything else is done, and never acts.

use std::collections::BTreeMap;
use std::time::Duration;

use pq_stream::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::engine::{asking, field, literal, valid_name};
use super::{Command, Http, installed_version, rules};
use crate::{AbsPath, Check, Converge, Differences, Engine, Error, Free, Probe, System, Text};

/// An instance that is to be upgraded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// The link to the release that is served, which is named as its version.
    pub current: AbsPath,
    /// The version that the plan begins with.
    pub version: String,
    /// The mark of an upgrade that is under way from that version: where it is there, nothing else is looked at, since that goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<AbsPath>,
    /// What tells that the application itself says so: its `unless` ends with 0 where it does, its `argv` says what is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<Command>,
    /// Pages that must be answered now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health: Vec<Http>,
    /// Programs that know what else stands against the new version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<Asked>,
    /// What there must be room for.
    pub room: Room,
}

/// A program that only looks. It ends with 0 where nothing stands against the new version, and with 1 where something does, which it writes to
/// its output, a line each; any other way to end is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The user to run as, root by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where to run, `/` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<AbsPath>,
    /// What it reads from its input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<Text>,
}

/// How long a program that is asked may take.
const ASKED: Duration = Duration::from_secs(180);

impl Asked {
    /// What stands against the new version.
    fn against(&self, machine: &dyn Probe) -> Result<Vec<String>, Error> {
        let command = crate::Command {
            user: self.user.clone(),
            cwd: self.cwd.clone(),
            stdin: self.stdin.clone(),
            timeout: ASKED,
            ..crate::Command::new(self.argv.clone())
        };
        let output = machine.ask(&command)?;
        let lines =
            || output.stdout.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned);
        match output.status {
            0 => Ok(Vec::new()),
            1 if lines().next().is_some() => Ok(lines().collect()),
            _ => Err(output.success(&command).err().unwrap_or_else(|| {
                Error::failed(
                    format!("`{}` does not say what it looked for", command.shown()),
                    "it said nothing",
                )
            })),
        }
    }
}

/// What an upgrade takes on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Room {
    /// The release that is there; each new one is taken to be as large.
    pub release: AbsPath,
    /// How many are unpacked beside it.
    pub releases: u64,
    /// What is copied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<AbsPath>,
    /// The database that is dumped, and for a way back loaded once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Dumped>,
    /// Where copies and dump go.
    pub saved: AbsPath,
}

/// A database that is dumped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dumped {
    /// Its server.
    pub engine: Engine,
    /// Its name.
    pub name: String,
}

/// What stays free in the end: the system needs some.
const SPARE: u64 = 64 << 20;

/// Files that stay free in the end.
const SPARE_FILES: u64 = 1000;

/// Bytes a second that a dump is taken to make, and a copy: what is said of an upgrade's time is a guess by these.
const DUMPED: u64 = 20 << 20;
const COPIED: u64 = 100 << 20;

/// What is to be written on one file system.
#[derive(Default)]
struct Load {
    bytes: u64,
    files: u64,
    what: Vec<String>,
}

impl Room {
    /// Bytes that the database takes.
    fn database_bytes(&self, machine: &dyn Probe) -> Result<u64, Error> {
        let Some(Dumped { engine, name }) = &self.database else { return Ok(0) };
        let sql = match engine {
            Engine::Mariadb => format!(
                "SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables WHERE table_schema = {}",
                literal(name)
            ),
            Engine::Postgres => format!("SELECT pg_catalog.pg_database_size({})", literal(name)),
        };
        let what = format!("cannot ask for the size of database `{name}`");
        let session = engine.server();
        let heard = asking(machine, &session)(&sql)?;
        let rows = heard.map_err(|refusal| Error::failed(what, refusal.message))?;
        let size = rows.first().map(|row| field(row, 0)).and_then(|text| text.parse::<f64>().ok());
        Ok(size.unwrap_or_default() as u64)
    }

    /// Where there is too little of it, and how long people wait while data is saved, in seconds.
    fn look(&self, machine: &dyn Probe) -> Result<(Vec<String>, u64), Error> {
        let mut loads: BTreeMap<u64, (Free, AbsPath, Load)> = BTreeMap::new();
        let mut add = |at: &AbsPath, bytes: u64, files: u64, what: &str| -> Result<(), Error> {
            let free = machine.free(at)?;
            let (_, _, load) =
                loads.entry(free.device).or_insert_with(|| (free, at.clone(), Load::default()));
            load.bytes += bytes;
            load.files += files;
            load.what.push(what.to_owned());
            Ok(())
        };
        let release = machine.taken(&self.release)?;
        // its archive too, while it is unpacked
        add(
            &self.release,
            release.bytes.saturating_mul(self.releases + 1),
            release.files.saturating_mul(self.releases),
            "releases",
        )?;
        let mut copied = 0;
        for path in &self.copies {
            let taken = machine.taken(path)?;
            copied += taken.bytes;
            // and once more beside, should they come back
            add(&self.saved, taken.bytes, taken.files, "copies")?;
            add(path, taken.bytes, taken.files, "copies that come back")?;
        }
        let dumped = self.database_bytes(machine)?;
        if let Some(Dumped { engine, .. }) = &self.database {
            let server = match engine {
                Engine::Mariadb => AbsPath::known("/var/lib/mysql"),
                Engine::Postgres => AbsPath::known("/var/lib/postgresql"),
            };
            // as text, bytes take twice their room
            add(&self.saved, dumped.saturating_mul(2), 4, "the dump")?;
            add(&server, dumped + dumped / 4, 0, "a database beside the one that is there")?;
        }
        let lacking = loads.into_values().filter_map(|(free, at, load)| {
            let what = load.what.join(", ");
            let bytes = load.bytes + SPARE;
            if free.bytes < bytes {
                return Some(format!(
                    "the file system of `{at}` has {} MiB free, and {} MiB are needed for {what}",
                    free.bytes >> 20,
                    (bytes >> 20) + 1
                ));
            }
            let files = load.files + SPARE_FILES;
            let free = free.files.filter(|free| *free < files)?;
            Some(format!(
                "the file system of `{at}` has room for {free} files more, and {files} are needed for {what}"
            ))
        });
        Ok((lacking.collect(), dumped / DUMPED + copied / COPIED))
    }
}

impl Ready {
    /// All that stands against it, and seconds that saving takes.
    fn look(&self, machine: &dyn Probe) -> Result<(Vec<String>, u64), Error> {
        if let Some(mark) = &self.began
            && let Some(text) = machine.read(mark)?
            && String::from_utf8_lossy(&text).split(' ').next() == Some(&self.version)
        {
            return Ok((Vec::new(), 0));
        }
        match installed_version(machine, &self.current)? {
            Some(is) if is == self.version => {}
            is => {
                let is = is.unwrap_or_else(|| "nothing".to_owned());
                let error = Diagnostic::new(format!("this plan begins with version {}", self.version));
                let error = error.cause(format!("`{}` leads to {is}", self.current));
                return Err(error
                    .hint("plan it again: the machine is another than when it was planned")
                    .into());
            }
        }
        let mut against = Vec::new();
        if let Some(says) = &self.says
            && says.check(machine)? != Check::InSync
        {
            let said = machine.ask(&says.asked())?;
            let last = said.stderr.trim().lines().next_back().unwrap_or("it does not say its version");
            against.push(last.to_owned());
        }
        for page in &self.health {
            if let Check::Differs(found) = page.check(machine)? {
                let how = |it: pq_stream::Difference| format!("{} is {}", it.what, it.is.unwrap_or_default());
                let found = found.into_iter().map(how).collect::<Vec<_>>().join(", ");
                against.push(format!("it is not well now: `{}`: {found}", page.url));
            }
        }
        for asked in &self.asks {
            against.extend(asked.against(machine)?);
        }
        let (lacking, seconds) = self.room.look(machine)?;
        against.extend(lacking);
        Ok((against, seconds))
    }
}

impl Converge for Ready {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let (against, _) = self.look(machine)?;
        if against.is_empty() {
            return Ok(Differences::new().into_check());
        }
        let mut error = Diagnostic::new(format!("BLOCKED: {} cannot be upgraded now", self.version));
        for one in against {
            error = error.cause(one);
        }
        Err(error.hint("mend that first, and run again; nothing was touched").into())
    }

    fn apply(&self, _: &mut dyn System) -> Result<(), Error> {
        Err(Error::failed("cannot make an instance ready for an upgrade", "this step only looks"))
    }

    fn notice(&self, machine: &dyn Probe) -> Result<Option<Diagnostic>, Error> {
        let (_, seconds) = self.look(machine)?;
        let told = match self.room.database.is_some() || !self.room.copies.is_empty() {
            true => format!("it is well, and has room; saving its data takes about {} s", seconds + 1),
            false => "it is well, and has room; nothing is saved, since nothing is migrated".to_owned(),
        };
        Ok(Some(Diagnostic::new(told)))
    }

    fn validate(&self) -> Result<(), String> {
        if self.version.is_empty() || self.version.contains('/') {
            return Err("`version` is empty or holds a `/`".to_owned());
        }
        if let Some(says) = &self.says {
            says.validate().map_err(|why| format!("`says`: {why}"))?;
        }
        self.health.iter().try_for_each(|page| page.validate().map_err(|why| format!("`health`: {why}")))?;
        self.asks.iter().try_for_each(|asked| rules::argv("argv", &asked.argv))?;
        self.room.database.as_ref().map_or(Ok(()), |it| valid_name("name", &it.name))
    }

    fn texts(&mut self) -> Vec<&mut Text> {
        let inputs = self.asks.iter_mut().filter_map(|asked| asked.stdin.as_mut());
        self.says.iter_mut().flat_map(Converge::texts).chain(inputs).collect()
    }
}
