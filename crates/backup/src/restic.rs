//! The one place that knows restic: its arguments, its statuses, what it says in JSON.
//!
//! Always true here: it reads nothing but what it is given, it ends with us, it has a time limit, and its password is in a file
//! that only root reads. What it says of an error is kept as the cause of ours.

mod key;
mod message;
mod snapshot;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use duct::{Expression, cmd};
use pq_secrets::SecretString;
use pq_stream::{Diagnostic, system_cause};
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use message::{Message, Progress, Summary};
pub use snapshot::Snapshot;

/// The oldest that will do: it leaves no snapshot of a dump that failed, and says in JSON what failed.
const OLDEST: (u32, u32) = (0, 18);

/// Where programs are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What restic knows of its repositories, so that it need not be fetched each time.
const CACHE: &str = "/var/cache/paquerette/restic";

/// The longest that anything may take: a first copy over a slow line.
const LIMIT: Duration = Duration::from_secs(48 * 3600);

/// How long the lock of another machine's run is waited for.
const PATIENCE: &str = "--retry-lock=30m";

/// A repository, and the program that opens it.
#[derive(Debug, Clone)]
pub struct Restic {
    /// The program.
    pub program: PathBuf,
    /// Where the repository is, as restic writes it.
    pub url: String,
    /// The file with its password.
    pub password_file: PathBuf,
    /// Variables of the transport.
    pub env: Vec<(String, String)>,
}

/// A key of a repository, as restic lists it.
#[derive(Debug, Clone, Deserialize)]
pub struct Key {
    /// How its id begins.
    pub id: String,
    /// Whose it is.
    #[serde(rename = "userName", default)]
    pub user: String,
    /// The repository was opened with it.
    #[serde(default)]
    pub current: bool,
}

/// Why restic failed, as far as what to do depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// There is no repository.
    NoRepository,
    /// Somebody else works on it.
    Locked,
    /// The password opens nothing of it.
    WrongPassword,
    /// A part could not be read or written; the rest is done.
    Incomplete,
    /// Anything else.
    Other,
}

/// What restic failed at.
#[derive(Debug)]
pub struct Failed {
    /// What follows from it.
    pub kind: Kind,
    /// For people.
    pub why: Diagnostic,
    /// The parts that failed, where it went on: path and reason.
    pub parts: Vec<(String, String)>,
    /// What it summed up nevertheless.
    pub summary: Option<Summary>,
}

/// A failure that fits into the result of everything.
pub type Result<T> = std::result::Result<T, Box<Failed>>;

impl Restic {
    /// Looks whether the program is there and new enough.
    ///
    /// # Errors
    /// Where it is not, with the cure.
    pub fn version(program: &Path) -> std::result::Result<String, Diagnostic> {
        let cure = "`pq-server` installs one where `backup_jobs` is set; or install restic 0.18 or newer";
        let shown = program.display();
        let output = cmd(program, ["version", "--json"])
            .full_env([("PATH", PATH)])
            .stdin_null()
            .stderr_null()
            .stdout_capture()
            .unchecked()
            .run()
            .map_err(|error| {
                Diagnostic::new(format!("cannot run restic, as `{shown}`"))
                    .cause(system_cause(&error))
                    .hint(cure)
            })?;
        let said = String::from_utf8_lossy(&output.stdout);
        let version = said.lines().find_map(|line| match Message::read(line) {
            Message::Version { version } => Some(version),
            _ => None,
        });
        // older ones say a sentence, whatever they are asked for
        let version = version.or_else(|| said.strip_prefix("restic ")?.split(' ').next().map(str::to_owned));
        let Some(version) = version else {
            return Err(Diagnostic::new(format!("`{shown}` does not say which restic it is")).hint(cure));
        };
        let mut numbers = version.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
        let is = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        match is >= OLDEST {
            true => Ok(version),
            false => {
                Err(Diagnostic::new(format!("restic {version} is too old: 0.18 is the oldest that will do"))
                    .cause(format!("it is `{shown}`"))
                    .hint(cure))
            }
        }
    }

    /// Makes the repository, and says its id. With `like`, one whose parts are cut as those of another, so that copies share them.
    pub fn init(&self, like: Option<&Restic>) -> Result<String> {
        let mut args = vec!["init".to_owned()];
        if let Some(like) = like {
            args.extend(like.as_source());
            args.push("--copy-chunker-params".to_owned());
        }
        let mut id = None;
        self.call("make the repository", &args, &mut |message| {
            if let Message::Initialized { id: made } = message {
                id = Some(made.clone());
            }
        })?;
        id.ok_or_else(|| self.failed("make the repository", Kind::Other, "it did not say its id"))
    }

    /// The repository's id; it is of no use to whoever has no password.
    pub fn id(&self) -> Result<String> {
        #[derive(Deserialize)]
        struct Config {
            id: String,
        }
        Ok(self.answer::<Config>("open the repository", &["cat", "config"])?.id)
    }

    /// The keys that open the repository.
    pub fn keys(&self) -> Result<Vec<Key>> {
        self.answer("list keys", &["key", "list"])
    }

    /// Where the repository is a directory here, and the password one that was drawn: makes its key cheap to try, without which each
    /// call takes half a second of the processor.
    pub fn cheapen(&self) -> Result<()> {
        let what = "make its key a cheap one";
        let cannot = |error: &std::io::Error| self.failed(what, Kind::Other, &system_cause(error));
        if !self.url.starts_with('/') {
            return Ok(());
        }
        let text = std::fs::read_to_string(&self.password_file).map_err(|error| cannot(&error))?;
        let (password, keys) = (SecretString::from(text.trim()), Path::new(&self.url).join("keys"));
        if !key::is_drawn(&password) {
            return Ok(());
        }
        let Some((new, old)) = key::beside(&keys, &password).map_err(|error| cannot(&error))? else {
            return Ok(());
        };
        let mut hinted = self.clone();
        hinted.env.push(("RESTIC_KEY_HINT".to_owned(), new.clone()));
        let opened = hinted.keys().map(|keys| keys.iter().any(|key| key.current && new.starts_with(&key.id)));
        let (goes, ended) = match opened {
            Ok(true) => (old, Ok(())),
            Ok(false) => (new, Err(self.failed(what, Kind::Other, "restic does not open it with that one"))),
            Err(failed) => (new, Err(failed)),
        };
        std::fs::remove_file(keys.join(goes)).map_err(|error| cannot(&error))?;
        ended
    }

    /// The snapshots with all of these tags, oldest first.
    pub fn snapshots(&self, tags: &[&str]) -> Result<Vec<Snapshot>> {
        let tags = tags.join(",");
        let args: &[&str] = match tags.is_empty() {
            true => &["snapshots"],
            false => &["snapshots", "--tag", &tags],
        };
        let mut found: Vec<Snapshot> = self.answer("list snapshots", args)?;
        found.sort_by(|one, other| one.time.cmp(&other.time));
        Ok(found)
    }

    /// Does something of which only the summary counts.
    pub fn summed(
        &self,
        what: &str,
        args: &[String],
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<Summary> {
        let mut summary = None;
        self.call(what, args, &mut |message| match message {
            Message::Status(it) => progress(it),
            Message::Summary(it) => summary = Some((**it).clone()),
            _ => {}
        })?;
        Ok(summary.unwrap_or_default())
    }

    /// Does something, and hears what it says. Where a lock of a run that died is in the way, that is taken away first.
    pub fn call(&self, what: &str, args: &[String], heard: &mut dyn FnMut(&Message)) -> Result<()> {
        match self.once(what, args, heard) {
            Err(failed) if failed.kind == Kind::Locked => {
                // Only those of processes of this machine that are no more: others may be at work.
                self.once("take away locks of runs that died", &["unlock".to_owned()], &mut |_| {})?;
                let again: Vec<String> = args.iter().cloned().chain([PATIENCE.to_owned()]).collect();
                self.once(what, &again, heard)
            }
            other => other,
        }
    }

    /// Writes a file of a snapshot to where `into` leads, at most as long as `limit`.
    pub fn dump(&self, snapshot: &str, path: &str, into: std::fs::File) -> Result<()> {
        let args = ["dump", snapshot, path].map(str::to_owned);
        let run = self.command(&args).stdout_file(into).stderr_capture().unchecked().start();
        let what = format!("read `{path}` of snapshot {}", short(snapshot));
        let run = run.map_err(|error| self.failed(&what, Kind::Other, &system_cause(&error)))?;
        let ended = run
            .wait_timeout(LIMIT)
            .map_err(|error| self.failed(&what, Kind::Other, &system_cause(&error)))?;
        let Some(output) = ended else {
            let _ = run.kill();
            return Err(self.failed(&what, Kind::Other, "it took too long"));
        };
        let mut said = Said::default();
        String::from_utf8_lossy(&output.stderr).lines().for_each(|line| said.take(line, &mut |_| {}));
        self.verdict(&what, output.status.code(), said)
    }

    /// Arguments that name this repository as the one that is copied from.
    pub fn as_source(&self) -> [String; 4] {
        let file = self.password_file.display().to_string();
        ["--from-repo".to_owned(), self.url.clone(), "--from-password-file".to_owned(), file]
    }

    /// An answer that is one JSON value, on one line or several.
    fn answer<T: DeserializeOwned>(&self, what: &str, args: &[&str]) -> Result<T> {
        let (args, mut text) = (args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>(), String::new());
        self.call(what, &args, &mut |message| {
            if let Message::Answer(line) | Message::Words(line) = message {
                text.push_str(line);
                text.push('\n');
            }
        })?;
        // What it says beside stands before its answer, or behind.
        let start = text.find(['{', '[']).unwrap_or(0);
        let mut values =
            serde_json::Deserializer::from_str(text.get(start..).unwrap_or_default()).into_iter();
        let value = values.next().and_then(std::result::Result::ok);
        value.ok_or_else(|| self.failed(what, Kind::Other, "its answer is not understood"))
    }

    fn once(&self, what: &str, args: &[String], heard: &mut dyn FnMut(&Message)) -> Result<()> {
        let cannot = |error: &std::io::Error| self.failed(what, Kind::Other, &system_cause(error));
        let run = self.command(args).stderr_capture().unchecked().reader().map_err(|error| cannot(&error))?;
        let run = Arc::new(run);
        let (over, late) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let watch = {
            let (run, over, late) = (Arc::clone(&run), Arc::clone(&over), Arc::clone(&late));
            thread::spawn(move || {
                let end = Instant::now() + LIMIT;
                while !over.load(Ordering::Relaxed) {
                    if Instant::now() > end {
                        late.store(true, Ordering::Relaxed);
                        let _ = run.kill();
                        return;
                    }
                    thread::park_timeout(Duration::from_secs(60));
                }
            })
        };
        let mut said = Said::default();
        let mut lines = BufReader::new(&*run);
        let mut line = Vec::new();
        let read = loop {
            line.clear();
            match lines.read_until(b'\n', &mut line) {
                Ok(0) => break Ok(()),
                Ok(_) => said.take(String::from_utf8_lossy(&line).trim_end(), heard),
                Err(error) => break Err(error),
            }
        };
        over.store(true, Ordering::Relaxed);
        watch.thread().unpark();
        let _ = watch.join();
        if late.load(Ordering::Relaxed) {
            return Err(self.failed(
                what,
                Kind::Other,
                &format!("it took longer than {} h", LIMIT.as_secs() / 3600),
            ));
        }
        read.map_err(|error| cannot(&error))?;
        let output = run.try_wait().map_err(|error| cannot(&error))?;
        let Some(output) = output else {
            return Err(self.failed(what, Kind::Other, "it closed its output and did not end"));
        };
        String::from_utf8_lossy(&output.stderr).lines().for_each(|line| said.take(line, heard));
        self.verdict(what, output.status.code(), said)
    }

    /// The command, whose standard input is closed, and which ends with us.
    fn command(&self, args: &[String]) -> Expression {
        let head = ["--pdeathsig", "KILL", "--"].map(str::to_owned);
        let program = self.program.display().to_string();
        let json = "--json".to_owned();
        let env = [
            ("PATH", PATH),
            ("HOME", "/root"),
            ("LC_ALL", "C.UTF-8"),
            // Times that it writes are compared as texts.
            ("TZ", "UTC"),
            ("RESTIC_CACHE_DIR", CACHE),
            ("RESTIC_PROGRESS_FPS", "2"),
        ];
        let named = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let ours = [
            ("RESTIC_REPOSITORY".to_owned(), self.url.clone()),
            ("RESTIC_PASSWORD_FILE".to_owned(), self.password_file.display().to_string()),
        ];
        let all = named.into_iter().chain(self.env.iter().cloned()).chain(ours);
        // Global options first: what follows `--` is a command of somebody else.
        cmd("/usr/bin/setpriv", head.into_iter().chain([program, json]).chain(args.iter().cloned()))
            .full_env(all)
            .dir("/")
            .stdin_null()
    }

    fn verdict(&self, what: &str, status: Option<i32>, said: Said) -> Result<()> {
        let kind = match status {
            Some(0) => return Ok(()),
            Some(3) => Kind::Incomplete,
            Some(10) => Kind::NoRepository,
            Some(11) => Kind::Locked,
            Some(12) => Kind::WrongPassword,
            _ => Kind::Other,
        };
        let cause = match (said.fatal, said.parts.first(), said.words.last()) {
            (Some(fatal), _, _) => fatal,
            (None, Some((path, why)), _) if path.is_empty() => why.clone(),
            (None, Some((path, why)), _) => format!("`{path}`: {why}"),
            (None, None, Some(words)) => words.clone(),
            (None, None, None) => match status {
                Some(status) => format!("restic ended with status {status}, and said nothing"),
                None => "restic was killed".to_owned(),
            },
        };
        let mut failed = self.failed(what, kind, &cause);
        failed.parts = said.parts;
        failed.summary = said.summary;
        Err(failed)
    }

    /// A failure at this repository, with what helps.
    fn failed(&self, what: &str, kind: Kind, cause: &str) -> Box<Failed> {
        let why = Diagnostic::new(format!("cannot {what} in `{}`", self.url));
        let why = match kind {
            Kind::NoRepository => why.cause("there is no repository").hint(
                "mount its disk, or correct `backup_targets`; a repository that was there is never made anew by itself",
            ),
            Kind::Locked => why.cause(cause).cause("another restic works on it").hint("run again later"),
            Kind::WrongPassword => why
                .cause(format!("the password in `{}` opens no key of it", self.password_file.display()))
                .hint("it is another machine's repository, or the password changed: set `backup_password` of the inventory to the former one; the recovery kit opens it too, as in `pq-backup restore ITEM --kit FILE`"),
            _ => why.cause(cause),
        };
        Box::new(Failed { kind, why, parts: Vec::new(), summary: None })
    }
}

/// What restic said, beside what was heard at once.
#[derive(Default)]
struct Said {
    fatal: Option<String>,
    parts: Vec<(String, String)>,
    words: Vec<String>,
    summary: Option<Summary>,
}

/// Most parts that are kept of what failed.
const PARTS: usize = 1000;

impl Said {
    fn take(&mut self, line: &str, heard: &mut dyn FnMut(&Message)) {
        if line.is_empty() {
            return;
        }
        let message = Message::read(line);
        match &message {
            Message::ExitError { message } => self.fatal = Some(plain(message)),
            Message::Error { item, .. } if self.parts.len() < PARTS => {
                self.parts.push((item.clone(), plain(&message.words())));
            }
            Message::Summary(summary) => self.summary = Some((**summary).clone()),
            Message::Words(words) if self.words.len() < PARTS => self.words.push(plain(words)),
            _ => {}
        }
        heard(&message);
    }
}

/// One line of what it says, without the word that it begins with.
fn plain(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    line.strip_prefix("Fatal: ").unwrap_or(line).chars().filter(|c| !c.is_control()).take(400).collect()
}

/// The first figures of a snapshot's id, which people know it by.
pub fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}
