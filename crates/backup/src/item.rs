//! One item is backed up: quieted, its databases dumped into the repository, its files read, woken.
//!
//! Always true here: the snapshot of the files comes last, and has the manifest: what ends before it leaves no set. What was
//! quieted is woken, whatever happened.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use pq_items::BackupItem;
use pq_store::{PLANS, plan, replace};
use pq_stream::{Diagnostic, system_cause, utc};

use crate::accounts;
use crate::databases;
use crate::dump::{Told, helper};
use crate::manifest::{self, Dumped, FILES, FORMAT, INCOMPLETE, Manifest, Source};
use crate::quiet::{quiet, wake};
use crate::restic::{Kind, Progress, Restic, Summary};
use crate::set::Set;
use crate::state::{self, Made, State};

/// Where reports of dumps and copies of SQLite's files are while they are needed.
pub const SCRATCH: &str = "/var/cache/paquerette/backup";

/// What a dump may have less than the one before it until that is told.
const SHRUNK: u64 = 2;

/// A dump below this may shrink as it likes.
const SMALL: u64 = 1 << 20;

/// What backs up one item.
pub struct Work<'a> {
    /// The item.
    pub item: &'a BackupItem,
    /// All items: `*` is what none of them names.
    pub all: &'a [BackupItem],
    /// Where to.
    pub restic: &'a Restic,
    /// What that target is called.
    pub target: &'a str,
    /// This machine's name.
    pub host: &'a str,
    /// What is never backed up: repositories.
    pub without: &'a [String],
}

/// What came of it: a set, and what is wrong with it.
pub struct Done {
    /// The set.
    pub made: Made,
    /// What could not be had of it: it is no whole one.
    pub missing: Vec<Diagnostic>,
    /// What is odd, and no failure.
    pub odd: Vec<String>,
}

impl Work<'_> {
    /// Does it.
    ///
    /// # Errors
    /// Where there is no set.
    pub fn run(&self, state: &mut State, progress: &mut dyn FnMut(&Progress)) -> Result<Done, Diagnostic> {
        let dir = Path::new(state::DIR);
        let made = quiet(self.item, state, dir).and_then(|()| self.set(state, progress));
        let woken = wake(self.item, state, dir);
        let mut done = made?;
        done.missing.extend(woken.err());
        Ok(done)
    }

    fn set(&self, state: &State, progress: &mut dyn FnMut(&Progress)) -> Result<Done, Diagnostic> {
        let (now, began) = (SystemTime::now(), Instant::now());
        let owner = self.item.owner.as_str();
        let id = Set::name(now);
        let before = state.items.get(owner).and_then(|it| it.newest.as_ref());
        let mut made =
            Made { set: id.clone(), when: utc(now), target: self.target.to_owned(), ..Made::default() };
        let (mut missing, mut odd, mut dumped) = (Vec::new(), Vec::new(), Vec::new());
        for source in databases::dumps(self.item, self.all)? {
            let (dump, summary) = self.dump(&source, &made, progress)?;
            let bytes = dump.report.bytes;
            if self.item.instance.is_some() && dump.report.rows.is_empty() {
                // Its snapshot belongs to no set, and goes with the next `forget`.
                return Err(Diagnostic::new(format!("{} has no table: there is nothing to back up", source.words()))
                    .hint("look whether it is the application's; an item with another database goes beside ours in /etc/paquerette/backup.d"));
            }
            let last = before.and_then(|it| it.dumps.get(&dump.part)).copied().unwrap_or(0);
            if last > SMALL && bytes < last / SHRUNK {
                odd.push(format!(
                    "the dump of {} has {bytes} bytes, and had {last} the time before",
                    source.words()
                ));
            }
            made.dumps.insert(dump.part.clone(), bytes);
            made.size += bytes;
            made.added += summary.data_added_packed;
            dumped.push(dump);
        }
        let (paths, lacking) = self.paths();
        missing.extend(lacking);
        let manifest = Manifest {
            format: FORMAT,
            set: id.clone(),
            host: self.host.to_owned(),
            item: owner.to_owned(),
            time: utc(now),
            instance: self.item.instance.clone(),
            versions: self
                .item
                .versions
                .iter()
                .map(|(name, it)| (name.to_string(), it.to_string()))
                .collect(),
            paths: paths.clone(),
            dumps: dumped,
            missing: missing.iter().map(Diagnostic::to_string).collect(),
            accounts: accounts::of(self.item),
            tool: format!("pq-backup {}", env!("CARGO_PKG_VERSION")),
        };
        let file = PathBuf::from(manifest::path(owner));
        let text = serde_json::to_vec_pretty(&manifest).map_err(|error| Diagnostic::from_error(&error))?;
        replace(&file, &text).map_err(|error| crate::unnoted(&error))?;
        let known = missing.len();
        let summary = self.files(&made, &paths, &file, &mut missing, &mut odd, progress)?;
        if missing.len() > known && known == 0 {
            // What was found out only while files were read: the set that is there says so from now on.
            let args = ["tag", "--add", INCOMPLETE, &summary.snapshot_id].map(str::to_owned);
            self.restic
                .summed("mark a set that is not complete", &args, &mut |_| {})
                .map_err(|failed| failed.why)?;
        }
        made.size += summary.total_bytes_processed;
        made.added += summary.data_added_packed;
        made.seconds = began.elapsed().as_secs();
        Ok(Done { made, missing, odd })
    }

    /// A dump goes into the repository while it is made.
    fn dump(
        &self,
        source: &Source,
        set: &Made,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<(Dumped, Summary), Diagnostic> {
        let part = source.part();
        let cannot = |error: std::io::Error| {
            Diagnostic::new(format!("cannot dump {}", source.words())).cause(system_cause(&error))
        };
        let report = Path::new(SCRATCH).join(format!("{part}.report"));
        let _ = fs::remove_file(&report);
        let mut args = self.args(set, &part);
        args.extend([
            "--stdin-from-command".to_owned(),
            format!("--stdin-filename=/{part}.sql"),
            "--".to_owned(),
        ]);
        args.extend(helper(source, Path::new(SCRATCH), &report).map_err(cannot)?);
        let summary = self.restic.summed(&format!("back up {}", source.words()), &args, progress);
        let told = fs::read(&report).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let _ = fs::remove_file(&report);
        let told = match (summary, told) {
            (Ok(summary), Some(Told::Whole(report))) => (report, summary),
            // Why the dump failed is worth more than that its reader did.
            (_, Some(Told::Failed(why))) => {
                return Err(Diagnostic::new(format!("cannot dump {}", source.words())).cause(why));
            }
            (Err(failed), _) => return Err(failed.why),
            (Ok(_), None) => {
                return Err(Diagnostic::new(format!("cannot dump {}", source.words()))
                    .cause("nobody said what the dump was"));
            }
        };
        let (told, summary) = told;
        if told.bytes != summary.total_bytes_processed {
            return Err(Diagnostic::new(format!(
                "the dump of {} is not whole in the repository",
                source.words()
            ))
            .cause(format!("{} bytes went in, {} are there", told.bytes, summary.total_bytes_processed)));
        }
        Ok((Dumped { part, of: source.clone(), report: told }, summary))
    }

    /// The files, and the manifest with them.
    fn files(
        &self,
        set: &Made,
        paths: &[String],
        manifest: &Path,
        missing: &mut Vec<Diagnostic>,
        odd: &mut Vec<String>,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<Summary, Diagnostic> {
        let mut args = self.args(set, FILES);
        if !missing.is_empty() {
            args.extend(["--tag".to_owned(), INCOMPLETE.to_owned()]);
        }
        let patterns = self.item.paths.exclude.iter().map(|it| it.as_str().to_owned());
        // A live file of SQLite, and what belongs to it, was copied by SQLite itself.
        let live = self
            .item
            .sqlite
            .iter()
            .flat_map(|it| ["", "-wal", "-shm", "-journal"].map(|end| format!("{it}{end}")));
        let never = self.without.iter().cloned().chain([SCRATCH.to_owned()]);
        args.extend(patterns.chain(live).chain(never).map(|it| format!("--exclude={it}")));
        args.push("--".to_owned());
        args.extend(paths.iter().cloned());
        args.push(manifest.display().to_string());
        // By which an instance can be built again from its own backup.
        let plan = plan(Path::new(PLANS), self.item.owner.as_str());
        args.extend(plan.is_file().then(|| plan.display().to_string()));
        let what = format!("back up the files of `{}`", self.item.owner);
        match self.restic.summed(&what, &args, progress) {
            Ok(summary) => Ok(summary),
            Err(failed) if failed.kind == Kind::Incomplete => {
                let mut unread = 0;
                for (path, why) in &failed.parts {
                    // Who removed it meanwhile wanted it gone.
                    if Path::new(path).is_absolute()
                        && fs::symlink_metadata(path)
                            .is_err_and(|it| it.kind() == std::io::ErrorKind::NotFound)
                    {
                        odd.push(format!("`{path}` vanished while it was read"));
                        continue;
                    }
                    unread += 1;
                    if unread <= 20 {
                        missing.push(Diagnostic::new(format!("cannot read `{path}`")).cause(why.clone()));
                    }
                }
                if unread > 20 {
                    missing.push(Diagnostic::new(format!("{} further files cannot be read", unread - 20)));
                }
                failed.summary.clone().filter(|it| !it.snapshot_id.is_empty()).ok_or(failed.why)
            }
            Err(failed) => Err(failed.why),
        }
    }

    /// What all snapshots of a set have: its tags, and its time, so that what belongs together is of one moment.
    fn args(&self, set: &Made, part: &str) -> Vec<String> {
        let tags = Set::tags(self.item.owner.as_str(), &set.set, part);
        let time = set.when.replace('T', " ").replace('Z', "");
        ["backup", "--host", self.host, "--time", &time, "--tag", &tags].map(str::to_owned).to_vec()
    }

    /// The paths that are there, and complaints about those that are not.
    fn paths(&self) -> (Vec<String>, Vec<Diagnostic>) {
        let (mut there, mut lacking) = (Vec::new(), Vec::new());
        for path in &self.item.paths.include {
            match fs::symlink_metadata(path.as_str()) {
                Ok(_) => there.push(path.as_str().to_owned()),
                Err(error) => lacking.push(
                    Diagnostic::new(format!("`{path}` of item `{}` is not there", self.item.owner))
                        .cause(system_cause(&error))
                        .hint(format!(
                            "mount it, or take it out of `/etc/paquerette/backup.d/{}.yml`",
                            self.item.owner
                        )),
                ),
            }
        }
        (there, lacking)
    }
}
