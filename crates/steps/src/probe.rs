//! What can be asked of a machine. Nothing here can change it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use crate::{AbsPath, Error, Heard, Listener, Mode, Session, Text};

/// The largest file that is read as a whole, in bytes; a user can make one of any size where an application's files are.
pub const LARGEST_READ: u64 = 64 << 20;

/// A machine that can be looked at.
///
/// Answers may come from what was gathered before; whoever changes the machine drops what that made stale.
pub trait Probe {
    /// What stands at a path; a symbolic link is not followed. `None` also where a parent directory is missing.
    ///
    /// # Errors
    /// Where the machine does not answer.
    fn stat(&self, path: &AbsPath) -> Result<Option<Stat>, Error>;

    /// The bytes of a file, through symbolic links; `None` where there is none.
    ///
    /// # Errors
    /// Where it is no file, larger than [`LARGEST_READ`], or cannot be read.
    fn read(&self, path: &AbsPath) -> Result<Option<Vec<u8>>, Error>;

    /// SHA-256 of a file in hexadecimal, through symbolic links; `None` where there is none.
    ///
    /// # Errors
    /// Where it is no file, or cannot be read.
    fn sha256(&self, path: &AbsPath) -> Result<Option<String>, Error>;

    /// Where a symbolic link points, as it is written; `None` where there is none, or something else.
    ///
    /// # Errors
    /// Where the machine does not answer.
    fn read_link(&self, path: &AbsPath) -> Result<Option<String>, Error>;

    /// The names in a directory, through symbolic links, sorted; `None` where there is none.
    ///
    /// # Errors
    /// Where it is no directory, or cannot be read.
    fn list(&self, path: &AbsPath) -> Result<Option<Vec<String>>, Error>;

    /// What stands at a path takes on the disk, with all that is in it; nothing where nothing is there. No link is followed.
    ///
    /// # Errors
    /// Where the machine does not answer.
    fn taken(&self, path: &AbsPath) -> Result<Taken, Error>;

    /// What is free on the file system of a path, or of the nearest directory above it that is there.
    ///
    /// # Errors
    /// Where the machine does not answer.
    fn free(&self, path: &AbsPath) -> Result<Free, Error>;

    /// Whether only root can put something where a path is: all directories on the way are root's, and no others may
    /// write to them. So it is for programs that find a path by its name, as links of others could lead them astray.
    /// True where the directory is not there.
    ///
    /// # Errors
    /// Where it cannot be looked at.
    fn guarded(&self, path: &AbsPath) -> Result<bool, Error>;

    /// A Debian package that is installed; `None` where it is not (removed with its configuration kept is not).
    ///
    /// # Errors
    /// Where dpkg's status cannot be read.
    fn package(&self, name: &str) -> Result<Option<Package>, Error>;

    /// A systemd unit, named with its suffix; `None` where systemd knows none of that name.
    ///
    /// # Errors
    /// Where systemd does not answer.
    fn unit(&self, name: &str) -> Result<Option<Unit>, Error>;

    /// Tells which units will be asked about, so that one question may get them all.
    fn gather_units(&self, _names: &[&str]) {}

    /// The operating system, as in `debian-12`, from `/etc/os-release`.
    ///
    /// # Errors
    /// Where the file is missing or says nothing.
    fn os(&self) -> Result<String, Error>;

    /// The machine's time.
    fn now(&self) -> SystemTime;

    /// Runs a command that only looks: its file system is read-only, its input closed.
    ///
    /// # Errors
    /// [`Error::Absent`] where the program or its user does not exist; else where it cannot be run or its time
    /// is over. A status other than 0 is no error.
    fn ask(&self, command: &Command) -> Result<Output, Error>;

    /// Asks a database server, where nothing can be written. The same question may be answered from what was heard before.
    ///
    /// # Errors
    /// [`Error::Absent`] where no server runs, or the system has no such user; else where there is no answer, or none
    /// in time. What the server refuses, the session itself included, is heard.
    fn query(&self, session: &Session, sql: &str) -> Result<Heard, Error>;

    /// Asks an HTTP server on this machine.
    ///
    /// # Errors
    /// Where no answer came.
    fn http(&self, request: &Http) -> Result<Reply, Error>;

    /// A certificate file's first certificate; `None` where there is no file.
    ///
    /// # Errors
    /// Where the file holds no certificate.
    fn certificate(&self, path: &AbsPath) -> Result<Option<Certificate>, Error>;

    /// The certificate that this machine's web server, at port 443, gives to whoever asks for a name; `None` where nobody
    /// listens there.
    ///
    /// # Errors
    /// Where who listens gives none.
    fn presented(&self, name: &str) -> Result<Option<Certificate>, Error>;

    /// What listens on a TCP port of 127.0.0.1, or of all addresses; nothing where nothing does.
    ///
    /// # Errors
    /// Where the machine does not answer.
    fn listener(&self, port: u16) -> Result<Option<Listener>, Error>;

    /// Every address that a name leads to, as this machine's resolver says.
    ///
    /// # Errors
    /// Where it says none, and why.
    fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Error>;

    /// Who is logged in over ssh now.
    ///
    /// # Errors
    /// Where the machine does not answer.
    fn logins(&self) -> Result<Vec<SshLogin>, Error>;
}

/// Somebody who is logged in over ssh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshLogin {
    /// Tells it from every other one since boot.
    pub id: String,
    /// Who, and where: `root@pts/0`.
    pub who: String,
}

/// What kind of thing stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A socket, a device, a pipe.
    Other,
}

impl Kind {
    /// The kind in words.
    pub fn words(self) -> &'static str {
        match self {
            Kind::File => "a file",
            Kind::Directory => "a directory",
            Kind::Symlink => "a symbolic link",
            Kind::Other => "a special file",
        }
    }
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: Kind,
    /// Its permission bits.
    pub mode: Mode,
    /// Name of its owner, or the number where it has no name.
    pub owner: String,
    /// Name of its group, or the number where it has no name.
    pub group: String,
    /// Bytes.
    pub size: u64,
    /// When it or its metadata last changed (ctime).
    pub changed: SystemTime,
}

/// What is free on a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Free {
    /// Which it is: two paths of one file system have the same.
    pub device: u64,
    /// Bytes that anybody may have.
    pub bytes: u64,
    /// Files that may be made; nothing where there is no such limit.
    pub files: Option<u64>,
}

/// What something takes on the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Bytes that are allocated.
    pub bytes: u64,
    /// How many files, links and directories.
    pub files: u64,
    /// Whether there is more of it: not all was read in the time that there was.
    pub partial: bool,
}

/// An installed package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its version.
    pub version: String,
    /// Whether it is installed and configured; if not, dpkg was interrupted.
    pub configured: bool,
}

/// What a unit is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Active {
    /// It runs, or has done what it is for.
    Active,
    /// It is on its way to or from running.
    Changing,
    /// It does not run.
    Inactive,
    /// It failed.
    Failed,
}

/// Whether a unit starts at boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitFile {
    /// It does.
    Enabled,
    /// It does not.
    Disabled,
    /// It cannot be enabled or disabled: others pull it in.
    Static,
    /// It is forbidden to start.
    Masked,
}

/// A systemd unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// What it is doing.
    pub active: Active,
    /// Whether it starts at boot.
    pub file: UnitFile,
    /// Whether its files changed since systemd read them.
    pub needs_daemon_reload: bool,
    /// When it last started, stopped or reloaded; `None` where it never did.
    pub changed: Option<SystemTime>,
    /// When it last started; `None` where it never did.
    pub started: Option<SystemTime>,
}

/// A command: argv, never a shell string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments. No secret ever stands here.
    pub argv: Vec<String>,
    /// The user to run as; root where it is `None`.
    pub user: Option<String>,
    /// Where to run; `/` where it is `None`.
    pub cwd: Option<AbsPath>,
    /// Variables beside `PATH`, `HOME`, `LC_ALL=C.UTF-8`.
    pub env: BTreeMap<String, Text>,
    /// What it reads; closed where it is `None`.
    pub stdin: Option<Text>,
    /// How long it may take.
    pub timeout: Duration,
}

impl Command {
    /// A command as root in `/` with no input and 60 seconds of time.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Command {
            argv: argv.into_iter().map(Into::into).collect(),
            user: None,
            cwd: None,
            env: BTreeMap::new(),
            stdin: None,
            timeout: Duration::from_secs(60),
        }
    }

    /// The command as people would type it.
    pub fn shown(&self) -> String {
        self.argv.join(" ")
    }
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    /// Its exit status; 128 + the signal's number where a signal ended it.
    pub status: i32,
    /// What it wrote to its output, at most 1 MiB.
    pub stdout: String,
    /// What it wrote to its error output, at most 1 MiB.
    pub stderr: String,
}

impl Output {
    /// An error that names the command, its status and its last lines, unless the status is 0.
    ///
    /// # Errors
    /// Where the status is not 0.
    pub fn success(self, command: &Command) -> Result<Self, Error> {
        if self.status == 0 {
            return Ok(self);
        }
        let text = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        let lines: Vec<&str> = text.trim_end().lines().collect();
        let last = lines[lines.len().saturating_sub(8)..].join("\n");
        let mut diagnostic = pq_stream::Diagnostic::new(format!("`{}` failed", command.shown()))
            .cause(format!("exit status {}", self.status));
        if !last.is_empty() {
            diagnostic = diagnostic.cause(last);
        }
        Err(diagnostic.into())
    }
}

/// A GET request to a server on this machine, or at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// `http://…` or `https://…`; its host name is not looked up.
    pub url: String,
    /// Where the request goes, whatever the host is called; 127.0.0.1 where it is `None`.
    pub at: Option<IpAddr>,
    /// Certificate authority to trust beside the system's, a PEM file.
    pub ca: Option<AbsPath>,
    /// How long it may take.
    pub timeout: Duration,
}

/// What an HTTP server answered; redirects are not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// The first MiB of the body.
    pub body: String,
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of the certificate itself in hexadecimal: of two, whether they are one.
    pub digest: String,
    /// DNS names that it is for, sorted.
    pub names: Vec<String>,
    /// The common name of its subject, by which nobody is trusted any more.
    pub common_name: Option<String>,
    /// Until when it is valid.
    pub not_after: SystemTime,
    /// From when it is valid.
    pub not_before: SystemTime,
    /// SHA-256 of its public key information in hexadecimal.
    pub key: String,
    /// Key identifier of the authority that signed it, in hexadecimal; empty where it does not say.
    pub authority: String,
    /// Its own key identifier, in hexadecimal; empty where it does not say.
    pub subject: String,
}
