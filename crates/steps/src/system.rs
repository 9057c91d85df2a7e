//! What can be done to a machine.

use std::collections::BTreeMap;

use crate::{AbsPath, Command, Converge, Error, Mode, Output, Ownership, Probe, Refusal, Session, Talk};

/// A machine that can be changed.
///
/// Whoever implements it drops what was gathered of the machine as soon as it may be stale.
pub trait System: Probe {
    /// Takes back what a killed run may have left that would disturb others, such as a ban on starting services.
    /// Called once at the start of every run that applies, before its first step; by default there is nothing.
    ///
    /// # Errors
    /// Where it cannot be taken back.
    fn recover(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Called before each change: what should not happen to the machine meanwhile, such as a shutdown, is held up.
    fn hold(&mut self) {}

    /// Creates a directory and its missing parents (those 0755, of root). One that exists gets the metadata.
    ///
    /// # Errors
    /// Where something else stands in the way, or the owner does not exist.
    fn make_dir(&mut self, path: &AbsPath, meta: &Meta) -> Result<(), Error>;

    /// Replaces a file atomically: written beside, owner and mode set, synced, renamed, directory synced.
    ///
    /// # Errors
    /// Where the directory is missing, a symbolic link or something else stands at the path, the owner does not
    /// exist, or writing fails; the old content is intact then.
    fn write(&mut self, path: &AbsPath, content: &[u8], meta: &Meta) -> Result<(), Error>;

    /// Sets owner and mode of a file or directory; a symbolic link is refused.
    ///
    /// # Errors
    /// Where there is none, or the owner does not exist.
    fn set_meta(&mut self, path: &AbsPath, meta: &Meta) -> Result<(), Error>;

    /// Makes a symbolic link, replacing another atomically.
    ///
    /// # Errors
    /// Where something that is no symbolic link stands at the path.
    fn symlink(&mut self, target: &str, path: &AbsPath) -> Result<(), Error>;

    /// Renames within a file system, atomically, and syncs both directories.
    ///
    /// # Errors
    /// Where the source is missing, or the target is a directory that is not empty.
    fn rename(&mut self, from: &AbsPath, to: &AbsPath) -> Result<(), Error>;

    /// Removes a file, a link, or a directory with all that is in it; links are not followed. Nothing there is no error.
    ///
    /// # Errors
    /// Where removing fails.
    fn remove(&mut self, path: &AbsPath) -> Result<(), Error>;

    /// Fetches a file into an existing directory and checks its digest before it gets its name.
    ///
    /// # Errors
    /// Where it cannot be had, is too large, or has another digest; nothing is left at the path then.
    fn download(&mut self, download: &Download, to: &AbsPath) -> Result<(), Error>;

    /// Fetches a few bytes. Nothing is known of them: whoever asked verifies them before they are trusted.
    ///
    /// # Errors
    /// Where they cannot be had, or are too many.
    fn fetch(&mut self, url: &str, max_bytes: u64) -> Result<Vec<u8>, Error>;

    /// Unpacks an archive into a new directory owned by root, and syncs it. Files keep only their execute bit.
    ///
    /// # Errors
    /// Where the directory exists, the archive has another digest or is damaged, an entry would leave the directory or
    /// is neither file, directory nor inner symbolic link, or a limit is passed; nothing is left then.
    fn unpack(&mut self, archive: &Archive, into: &AbsPath) -> Result<(), Error>;

    /// Installs packages in one transaction that removes none and starts no service. Where somebody else has to be waited
    /// for, `told` hears of it.
    ///
    /// # Errors
    /// Where apt fails, or would remove a package.
    fn install(&mut self, packages: &[&str], told: &mut dyn FnMut(&str)) -> Result<(), Error>;

    /// Removes packages, and none else; their configuration stays.
    ///
    /// # Errors
    /// Where apt fails, or another package would have to go too.
    fn uninstall(&mut self, packages: &[&str], keep: &[&str]) -> Result<(), Error>;

    /// Has systemd do something to a unit, and waits until it is done.
    ///
    /// # Errors
    /// [`Error::Absent`] where there is no such unit; else what systemd and the unit's last log lines say.
    fn unit_do(&mut self, verb: UnitVerb, unit: &str) -> Result<(), Error>;

    /// Runs a command that may change anything; all that was gathered is dropped.
    ///
    /// # Errors
    /// As [`Probe::ask`].
    fn run(&mut self, command: &Command) -> Result<Output, Error>;

    /// Opens a session with a database server, in which it can be changed. There is one such session with a database at a
    /// time: this one begins when that of a run that was killed is over, and so is what the server was still doing for it.
    ///
    /// # Errors
    /// As [`Probe::query`].
    fn talk(&mut self, session: &Session) -> Result<Result<Box<dyn Talk + '_>, Refusal>, Error>;

    /// Runs a command that sees these steps done in `/etc`, in an order in which each can be done; nobody else sees it, and
    /// nothing of it stays. What else the command does is done.
    ///
    /// # Errors
    /// Where the steps cannot be done, the command cannot be run, or the machine cannot show them so.
    fn rehearse(&mut self, steps: &[&dyn Converge], command: &Command) -> Result<Output, Error>;

    /// Gives a setting of the running kernel, a file below `/proc/sys`, a value, in one write.
    ///
    /// # Errors
    /// Where there is none of that name, or the kernel refuses.
    fn set_kernel(&mut self, path: &AbsPath, value: &str) -> Result<(), Error>;

    /// Issues a certificate from the machine's own authority, making the authority first where there is none.
    ///
    /// # Errors
    /// Where a file cannot be written.
    fn issue(&mut self, request: &CertificateRequest) -> Result<(), Error>;
}

/// Owner and mode; what is `None` is left as it is, and is root's and by the umask 022 on something new.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Meta {
    /// Permission bits.
    pub mode: Option<Mode>,
    /// Owner and group.
    pub ownership: Option<Ownership>,
}

impl Meta {
    /// Mode, owner and group, all given.
    pub fn new(mode: Mode, owner: &str, group: &str) -> Self {
        Meta {
            mode: Some(mode),
            ownership: Some(Ownership { owner: owner.to_owned(), group: group.to_owned() }),
        }
    }
}

/// A file to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// Where from, `https://` or `http://`.
    pub url: String,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
    /// The most bytes that are taken.
    pub max_bytes: u64,
}

/// An archive to unpack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// The file, to which only root may write; its format is told by its first bytes (zip, or tar, plain or in gzip,
    /// bzip2, xz, zstd).
    pub path: AbsPath,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
    /// How many leading directories of each entry's name are dropped.
    pub strip: usize,
    /// Where it is no archive but one compressed program: what that is called.
    pub program: Option<String>,
    /// Most bytes that may come out.
    pub max_bytes: u64,
    /// Most entries that may come out.
    pub max_entries: u64,
    /// What becomes a symbolic link: path below the directory → its target. What the archive has there moves to
    /// `.paquerette/shipped/<path>`.
    pub links: BTreeMap<String, String>,
    /// Mode and owner of the directory itself, 0755 and root by default.
    pub meta: Meta,
}

/// What systemd can do to a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitVerb {
    /// Start it.
    Start,
    /// Stop it.
    Stop,
    /// Restart it.
    Restart,
    /// Have it read its configuration again.
    Reload,
    /// Have it start at boot.
    Enable,
    /// Have it not start at boot.
    Disable,
    /// Read all units' files again; the name is only for messages.
    DaemonReload,
}

/// A certificate from the machine's own authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRequest {
    /// Directory of the authority: `ca.pem`, `ca.key`.
    pub authority: AbsPath,
    /// DNS names, the first also as common name.
    pub names: Vec<String>,
    /// Where the chain goes (certificate, then authority).
    pub chain: AbsPath,
    /// Where the private key goes, 0600.
    pub key: AbsPath,
    /// Days that it is valid.
    pub days: u32,
}
