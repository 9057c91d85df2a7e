//! Locks: one run changes a machine at a time, and one makes its backups.
//!
//! The machine's is held alone by who changes it, and is shared by who must not find it being changed; that of the backups is held
//! alone. Who takes both takes that of the backups first. That of the monitor keeps two of its runs apart, and nothing else.
//!
//! The kernel lets go of it when its holder dies, however it dies. The file's text names the holder; one that lets go
//! by itself takes its name out, so a name that is left is that of a run that was killed.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

/// Held for as long as it lives.
#[derive(Debug)]
pub struct HostLock {
    file: File,
    path: PathBuf,
    killed: Option<u32>,
}

/// Why the lock was not taken.
#[derive(Debug)]
pub enum Locked {
    /// Somebody else has it: what the file says of them.
    By(String),
    /// The lock file cannot be used.
    Unusable(PathBuf, io::Error),
}

impl fmt::Display for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Locked::By(holder) => write!(f, "this machine is being changed by {holder}"),
            Locked::Unusable(path, _) => write!(f, "cannot lock `{}`", path.display()),
        }
    }
}

impl std::error::Error for Locked {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Locked::By(_) => None,
            Locked::Unusable(_, error) => Some(error),
        }
    }
}

impl HostLock {
    /// Takes the host's lock in `dir`, without waiting.
    ///
    /// # Errors
    /// Where somebody has it, or the file cannot be used.
    pub fn take(dir: &Path) -> Result<Self, Locked> {
        Self::open(dir.join(HOST), FlockOperation::NonBlockingLockExclusive)
    }

    /// Takes the host's lock in `dir` together with others, without waiting: nobody changes the machine meanwhile.
    ///
    /// # Errors
    /// Where somebody changes it, or the file cannot be used.
    pub fn share(dir: &Path) -> Result<Self, Locked> {
        Self::open(dir.join(HOST), FlockOperation::NonBlockingLockShared)
    }

    /// Takes the lock of the backups in `dir`, without waiting.
    ///
    /// # Errors
    /// Where somebody has it, or the file cannot be used.
    pub fn backups(dir: &Path) -> Result<Self, Locked> {
        Self::open(dir.join(BACKUPS), FlockOperation::NonBlockingLockExclusive)
    }

    /// Takes the lock of who watches in `dir`, without waiting.
    ///
    /// # Errors
    /// Where somebody has it, or the file cannot be used.
    pub fn monitor(dir: &Path) -> Result<Self, Locked> {
        Self::open(dir.join(MONITOR), FlockOperation::NonBlockingLockExclusive)
    }

    fn open(path: PathBuf, how: FlockOperation) -> Result<Self, Locked> {
        let unusable = |error: io::Error| Locked::Unusable(path.clone(), error);
        let dir = path.parent().unwrap_or(Path::new("/"));
        fs::DirBuilder::new().recursive(true).mode(0o755).create(dir).map_err(unusable)?;
        // Nobody else may open it: who can open it can hold it.
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
            .map_err(unusable)?;
        file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(unusable)?;
        let locked = flock(&file, how);
        match locked {
            Ok(()) => {
                let before = text(&mut file).map_err(unusable)?;
                let process = before.rsplit(", process ").next().and_then(|rest| rest.split(',').next());
                let killed = process.and_then(|id| id.parse().ok());
                Ok(HostLock { file, path, killed })
            }
            Err(Errno::WOULDBLOCK) => Err(Locked::By(named(&mut file).map_err(unusable)?)),
            Err(errno) => Err(unusable(errno.into())),
        }
    }

    /// Who has the lock in `dir`, without taking it; nothing where nobody has.
    ///
    /// # Errors
    /// Where that cannot be read.
    pub fn holder(dir: &Path) -> io::Result<Option<String>> {
        let mut file = match File::open(dir.join(HOST)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let is = file.metadata()?;
        let place =
            format!("{:02x}:{:02x}:{}", rustix::fs::major(is.dev()), rustix::fs::minor(is.dev()), is.ino());
        // `1: FLOCK  ADVISORY  WRITE 123 00:1a:456 0 EOF`; to try the lock would be to hold it for a moment.
        let locks = fs::read_to_string("/proc/locks")?;
        let of_it =
            |line: &str| line.contains(" FLOCK ") && line.split_whitespace().any(|word| word == place);
        if !locks.lines().any(of_it) {
            return Ok(None);
        }
        named(&mut file).map(Some)
    }

    /// The process number of the run that held it before and was killed.
    pub fn killed(&self) -> Option<u32> {
        self.killed
    }

    /// Writes who holds it now.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn name(&mut self, command: &str) -> Result<(), Locked> {
        let since = pq_stream::utc(SystemTime::now());
        // One line, of a length that is always read whole.
        let command: String =
            command.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST / 8).collect();
        let holder = format!("`{command}`, process {}, since {since}\n", std::process::id());
        self.write(&holder).map_err(|error| Locked::Unusable(self.path.clone(), error))
    }

    fn write(&mut self, holder: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(holder.as_bytes())
    }

    /// Lets go, with the name taken out.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn release(mut self) -> Result<(), Locked> {
        self.write("").map_err(|error| Locked::Unusable(self.path.clone(), error))
    }
}

/// The machine's lock.
const HOST: &str = "host.lock";

/// The lock of its backups.
const BACKUPS: &str = "backup.lock";

/// The lock of who watches: it stands in nobody's way.
const MONITOR: &str = "monitor.lock";

/// Most bytes of the file that are read.
const MOST: usize = 2_000;

/// Who holds the lock. Who has just taken it is about to write its name, and is waited for.
fn named(file: &mut File) -> io::Result<String> {
    for _ in 0..50 {
        let holder = text(file)?;
        if !holder.trim().is_empty() {
            return Ok(holder.trim().to_owned());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok("another run".to_owned())
}

/// What the file says.
fn text(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(MOST as u64).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_to_come_is_told_who_is_first() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = HostLock::take(dir.path()).unwrap();
        assert_eq!(first.killed(), None);
        first.name("pq-apply").unwrap();
        let text = HostLock::take(dir.path()).unwrap_err().to_string();
        assert!(text.contains("`pq-apply`, process"), "{text}");
        assert!(HostLock::holder(dir.path()).unwrap().unwrap().contains("`pq-apply`, process"));
        first.release().unwrap();
        assert_eq!(HostLock::holder(dir.path()).unwrap(), None);
        assert_eq!(HostLock::take(dir.path()).unwrap().killed(), None);
    }

    #[test]
    fn a_run_that_was_killed_left_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let mut killed = HostLock::take(dir.path()).unwrap();
        killed.name(&format!("pq-apply --only é, process 1, \n{}", "é".repeat(5_000))).unwrap();
        drop(killed);
        assert_eq!(HostLock::take(dir.path()).unwrap().killed(), Some(std::process::id()));
    }
}
