//! systemd, as far as steps can tell: units are files, enabled ones have links, and each runs or does not.
//!
//! A unit says in `X-Reads=` lines, which systemd itself ignores, what its program reads when it starts or reloads;
//! the digest of that is part of the snapshot, so that a service which runs with an old configuration is seen.
//! `ExecStart=/bin/false` fails.

use pq_steps::{Active, Error, Unit, UnitFile, UnitVerb};

use super::MemoryMachine;
use super::disk::What;
use super::probe::{moment, sha256};

/// What systemd remembers of a unit.
#[derive(Debug, Clone, Default)]
pub(super) struct Service {
    pub running: bool,
    pub failed: bool,
    /// When it last started, stopped or reloaded.
    pub changed: Option<u64>,
    /// When it last started.
    pub started: Option<u64>,
    /// Digest of what it runs with.
    pub runs_with: String,
}

const PLACES: [&str; 2] = ["/etc/systemd/system", "/usr/lib/systemd/system"];

impl MemoryMachine {
    /// The path of a unit's file.
    fn unit_file(&self, name: &str) -> Option<String> {
        let mut paths = PLACES.iter().map(|place| format!("{place}/{name}"));
        paths.find(|path| self.disk.get(path).is_some())
    }

    fn is_masked(&self, file: &str) -> bool {
        self.disk.get(file).is_some_and(|node| node.what == What::Link("/dev/null".to_owned()))
    }

    fn wants(name: &str) -> String {
        format!("/etc/systemd/system/multi-user.target.wants/{name}")
    }

    /// Whether a unit runs.
    pub(super) fn runs(&self, name: &str) -> bool {
        self.services.get(name).is_some_and(|service| service.running)
    }

    /// The names of all units that have a file or run, and the digest of what each runs with.
    pub(super) fn units(&self) -> Vec<(String, String)> {
        let mut names: Vec<String> = PLACES.iter().flat_map(|place| self.disk.names(place)).collect();
        names.retain(|name| name.rsplit_once('.').is_some_and(|(_, kind)| kind != "wants"));
        names.extend(self.services.keys().cloned());
        names.sort();
        names.dedup();
        let with = |name: &String| self.services.get(name).map(|it| it.runs_with.clone()).unwrap_or_default();
        names.into_iter().map(|name| (name.clone(), with(&name))).collect()
    }

    /// What systemd says of a unit.
    pub(super) fn unit_state(&self, name: &str) -> Option<Unit> {
        let file = self.unit_file(name)?;
        let service = self.services.get(name).cloned().unwrap_or_default();
        let changed = self.disk.get(&file).map_or(0, |node| node.changed);
        Some(Unit {
            active: match (service.running, service.failed) {
                (true, _) => Active::Active,
                (false, true) => Active::Failed,
                (false, false) => Active::Inactive,
            },
            file: if self.is_masked(&file) {
                UnitFile::Masked
            } else if self.disk.get(&Self::wants(name)).is_some() {
                UnitFile::Enabled
            } else if self.disk.text(&file).contains("[Install]") {
                UnitFile::Disabled
            } else {
                UnitFile::Static
            },
            needs_daemon_reload: changed > self.reloaded,
            changed: service.changed.map(moment),
            started: service.started.map(moment),
        })
    }

    /// The digest of a unit's file and of all that its program reads.
    fn reads(&self, file: &str) -> String {
        let text = self.disk.text(file);
        let mut all = text.clone();
        for top in text.lines().filter_map(|line| line.strip_prefix("X-Reads=")) {
            let real = self.disk.resolve(top, true).unwrap_or_default();
            for path in self.disk.names_below(&real).into_iter().chain([real]) {
                all.push_str(&format!("\n{path}\n{}", self.disk.text(&path)));
            }
        }
        sha256(all.as_bytes())
    }

    /// Does something to a unit, in one change.
    pub(super) fn act_on_unit(&mut self, verb: UnitVerb, name: &str) -> Result<(), Error> {
        if verb == UnitVerb::DaemonReload {
            self.disk.act()?;
            self.reloaded = self.disk.clock;
            return Ok(());
        }
        let file = self.unit_file(name).ok_or_else(|| Error::absent("unit", name))?;
        let cannot =
            |cause: &str| Err(Error::failed(format!("cannot {verb:?} `{name}`").to_lowercase(), cause));
        if self.is_masked(&file) && !matches!(verb, UnitVerb::Stop | UnitVerb::Disable) {
            return cannot("it is masked");
        }
        let link = Self::wants(name);
        match verb {
            UnitVerb::Enable if self.disk.get(&link).is_none() => {
                if self.disk.get("/etc/systemd/system/multi-user.target.wants").is_none() {
                    self.disk.make("/etc/systemd/system/multi-user.target.wants", What::Directory, 0o755)?;
                }
                return self.disk.make(&link, What::Link(file), 0o777);
            }
            UnitVerb::Disable if self.disk.get(&link).is_some() => return self.disk.unlink(&link),
            UnitVerb::Enable | UnitVerb::Disable | UnitVerb::DaemonReload => return Ok(()),
            UnitVerb::Reload if !self.runs(name) => return cannot("it does not run"),
            UnitVerb::Start if self.runs(name) => return Ok(()),
            UnitVerb::Start | UnitVerb::Stop | UnitVerb::Restart | UnitVerb::Reload => {}
        }
        self.disk.act()?;
        // systemd starts what it has read, not what is on the disk since.
        let stale = self.disk.get(&file).is_some_and(|node| node.changed > self.reloaded);
        let runs_with = if stale { "an older unit file".to_owned() } else { self.reads(&file) };
        let fails = verb != UnitVerb::Stop && self.disk.text(&file).contains("ExecStart=/bin/false");
        let running = verb != UnitVerb::Stop && !fails;
        let service = Service {
            running,
            failed: fails,
            changed: Some(self.disk.clock),
            started: match verb {
                UnitVerb::Reload => self.services.get(name).and_then(|service| service.started),
                UnitVerb::Stop => None,
                _ => Some(self.disk.clock),
            },
            runs_with: if running { runs_with } else { String::new() },
        };
        self.services.insert(name.to_owned(), service);
        let chain = |(path, node): (&String, &super::disk::Node)| match &node.what {
            What::File(content) if path.ends_with("chain.pem") => Some(content.clone()),
            _ => None,
        };
        self.presented = self.disk.nodes.iter().filter_map(chain).collect();
        if fails { cannot("its program ended with status 1") } else { Ok(()) }
    }
}
