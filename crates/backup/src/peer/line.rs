//! The line to a peer: `ssh` with a key that opens there nothing but the files of its repository.
//!
//! Always true here: the peer may be in anybody's hands. What it says has limits, its host key is the one of the strategy, nothing of
//! this machine's ssh is lent to it, and a line on which nothing moves is ended.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pq_items::{BackupPeers, Peer};
use pq_stream::{Diagnostic, system_cause};

use super::names::Name;

/// Who gives the files there.
const USER: &str = "backup-peer";

/// How long nothing may move.
const PATIENCE: Duration = Duration::from_secs(600);

/// Most files of a repository; they are of some megabytes each.
const MOST: usize = 4_000_000;

/// Longest line of an answer.
const LONGEST: u64 = 160;

/// What ssh writes is kept so far.
const WORDS: u64 = 4096;

/// A line to a peer.
pub struct Line {
    peer: String,
    child: Arc<Mutex<Child>>,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    words: Option<JoinHandle<String>>,
    moved: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    begun: Instant,
    _known: tempfile::NamedTempFile,
}

/// What a peer has, and how many names of its are no names of a repository.
pub struct Listed {
    /// Each file, and its size.
    pub files: Vec<(Name, u64)>,
    /// Names that are none, and how many.
    pub odd: (Vec<String>, usize),
}

impl Line {
    /// Calls a peer.
    ///
    /// # Errors
    /// Where ssh cannot be run.
    pub fn call(peers: &BackupPeers, peer: &Peer, scratch: &Path) -> Result<Self, Diagnostic> {
        let cannot = |error: &io::Error| {
            Diagnostic::new(format!("cannot call peer `{}`", peer.name)).cause(system_cause(error))
        };
        let mut known = tempfile::NamedTempFile::new_in(scratch).map_err(|error| cannot(&error))?;
        writeln!(known, "{} {}", peer.name, peer.host_key).map_err(|error| cannot(&error))?;
        let options = [
            format!("-i{}", peers.key_file),
            format!("-p{}", peer.port),
            format!("-l{USER}"),
            format!("-oUserKnownHostsFile={}", known.path().display()),
            format!("-oHostKeyAlias={}", peer.name),
        ];
        let mut command = Command::new("/usr/bin/setpriv");
        command.args(["--pdeathsig", "KILL", "--", "/usr/bin/ssh", "-F", "none", "-T"]).args(options);
        command.args(OPTIONS).args(["--", peer.host.as_str()]);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/root").env("LC_ALL", "C.UTF-8");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| cannot(&error))?;
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(output), Some(errors)) = (output, errors) else {
            return Err(Diagnostic::new("ssh was started without its pipes"));
        };
        let words = thread::spawn(move || {
            let mut text = Vec::new();
            let mut errors = errors;
            let _ = (&mut errors).take(WORDS).read_to_end(&mut text);
            let _ = io::copy(&mut errors, &mut io::sink());
            String::from_utf8_lossy(&text).into_owned()
        });
        let (moved, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let child = Arc::new(Mutex::new(child));
        let line = Line {
            peer: peer.name.to_string(),
            child,
            input,
            output: BufReader::with_capacity(1 << 16, output),
            words: Some(words),
            moved,
            over,
            begun: Instant::now(),
            _known: known,
        };
        line.watch();
        Ok(line)
    }

    /// Ends the line where nothing moves on it any more.
    fn watch(&self) {
        let (child, moved, over) = (Arc::clone(&self.child), Arc::clone(&self.moved), Arc::clone(&self.over));
        thread::spawn(move || {
            let (mut last, mut since) = (0, Instant::now());
            while !over.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(500));
                let now = moved.load(Ordering::Relaxed);
                if now != last {
                    (last, since) = (now, Instant::now());
                } else if since.elapsed() > PATIENCE {
                    let _ = child.lock().unwrap_or_else(PoisonError::into_inner).kill();
                    return;
                }
            }
        });
    }

    /// What the peer has.
    ///
    /// # Errors
    /// Where it says nothing of the kind.
    pub fn list(&mut self) -> io::Result<Listed> {
        self.ask("list\n")?;
        let mut listed = Listed { files: Vec::new(), odd: (Vec::new(), 0) };
        loop {
            let line = self.line()?;
            if line == "." {
                return Ok(listed);
            }
            let (size, path) = line.split_once(' ').ok_or_else(nonsense)?;
            let size = size.parse().map_err(|_| nonsense())?;
            match Name::read(path) {
                Some(name) => listed.files.push((name, size)),
                None => {
                    listed.odd.1 += 1;
                    if listed.odd.0.len() < 5 {
                        listed.odd.0.push(path.to_owned());
                    }
                }
            }
            if listed.files.len() + listed.odd.1 > MOST {
                return Err(io::Error::other("it lists more files than a repository has"));
            }
        }
    }

    /// Asks for these files; the answers come in their order, by [`Line::next`].
    pub fn want(&mut self, names: Vec<Name>) {
        let Some(mut input) = self.input.take() else { return };
        // In a thread of its own: who answers may fill the pipe meanwhile. Where the line is cut, that is heard.
        thread::spawn(move || {
            let asked = names.iter().try_for_each(|name| writeln!(input, "get {}", name.path()));
            asked.and_then(|()| input.flush())
        });
    }

    /// The next file that was asked for: its size, and then its bytes; nothing where it is not there any more.
    pub fn next(&mut self) -> io::Result<Option<u64>> {
        match self.line()?.as_str() {
            "-" => Ok(None),
            size => Ok(Some(size.parse().map_err(|_| nonsense())?)),
        }
    }

    fn ask(&mut self, request: &str) -> io::Result<()> {
        let input = self.input.as_mut().ok_or_else(nonsense)?;
        input.write_all(request.as_bytes())?;
        input.flush()
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        let read = (&mut self.output).take(LONGEST).read_line(&mut line)?;
        self.moved.fetch_add(read as u64, Ordering::Relaxed);
        match line.pop() {
            Some('\n') => Ok(line),
            None => Err(io::Error::other("the line ended")),
            Some(_) => Err(nonsense()),
        }
    }

    /// Ends the line, and says of an error what ssh said.
    pub fn lost(mut self, error: &io::Error) -> Diagnostic {
        let late = self.begun.elapsed() > PATIENCE && !self.over.load(Ordering::Relaxed);
        self.end();
        let words = self.words.take().and_then(|words| words.join().ok()).unwrap_or_default();
        let mut why = Diagnostic::new(format!("cannot read the repository of peer `{}`", self.peer))
            .cause(system_cause(error));
        for line in words.lines().map(str::trim).filter(|line| !line.is_empty()).take(3) {
            why = why.cause(line.chars().filter(|it| !it.is_control()).take(300).collect::<String>());
        }
        let hint = if words.contains("Permission denied") {
            "put the line of `/etc/paquerette/peer.key.pub` into `backup_peer_keys` of that host, and `pq-server --apply` there"
        } else if words.contains("Host key verification failed")
            || words.contains("HOST IDENTIFICATION HAS CHANGED")
        {
            "compare its `/etc/ssh/ssh_host_ed25519_key.pub` with `host_key` in `backup_peers`"
        } else if late {
            "look at that machine: something there hangs"
        } else {
            "is it on, and is there a way to it? what was fetched before is here"
        };
        why.hint(hint)
    }

    fn end(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        drop(self.input.take());
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Read for Line {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.output.read(into)?;
        self.moved.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.end();
    }
}

fn nonsense() -> io::Error {
    io::Error::other("it says what `pq-backup serve` does not say")
}

/// Nothing is asked, lent or believed beyond what is written here.
const OPTIONS: [&str; 13] = [
    "-oBatchMode=yes",
    "-oIdentitiesOnly=yes",
    "-oIdentityAgent=none",
    "-oGlobalKnownHostsFile=/dev/null",
    "-oStrictHostKeyChecking=yes",
    "-oUpdateHostKeys=no",
    "-oConnectTimeout=20",
    "-oServerAliveInterval=15",
    "-oServerAliveCountMax=4",
    "-oClearAllForwardings=yes",
    "-oForwardAgent=no",
    "-oControlPath=none",
    "-oPasswordAuthentication=no",
];
