//! `pq-backup dump`, which restic calls: a database goes from its server to standard output, and is looked at on its way.
//!
//! Always true here: it ends well only where the server's own program did, wrote its last line, and every byte was taken. Else
//! restic makes no snapshot. What went by is counted: bytes, digest, rows of each table.

mod rows;

use std::fs;
use std::io::{self, Read, Write, stdout};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use pq_items::{Database, Engine};
use pq_stream::{Diagnostic, system_cause};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::manifest::{Report, Source, name};
use rows::Rows;

/// How much of the end of a dump is kept, to find its last line in.
const END: usize = 4096;

/// What a pipe holds, and what is read of it at once.
const PIPE: usize = 1 << 20;

/// How long a server's program may fill a pipe before it is read again: it writes 4 KB at a time, and to be woken for each costs
/// more than all that is done with them.
const GATHER: Duration = Duration::from_millis(2);

/// Where programs are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Dumps to standard output, and writes what it was to a file.
///
/// # Errors
/// Where it is not whole.
pub fn dump(source: &Source, scratch: &Path, report: &Path) -> Result<(), Diagnostic> {
    let cannot = |cause: String| Diagnostic::new(format!("cannot dump {}", source.words())).cause(cause);
    let told = match source {
        Source::Sqlite { path } => sqlite(path, scratch),
        Source::Database(database) => server(database.engine, &argv(database)),
        Source::Accounts { engine } => server(*engine, &accounts(*engine)),
    };
    let (told, ended) = match told {
        Ok(report) => (Told::Whole(report), Ok(())),
        Err(why) => (Told::Failed(why.clone()), Err(cannot(why))),
    };
    let text = serde_json::to_vec(&told).map_err(|error| cannot(error.to_string()))?;
    fs::write(report, text)
        .map_err(|error| cannot(format!("`{}`: {}", report.display(), system_cause(&error))))?;
    ended
}

/// What became of a dump, as its helper writes it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// It is whole.
    Whole(Report),
    /// It is not, and why.
    Failed(String),
}

/// The command of a database's dump. Nothing is compressed, rows are in the order of their keys: what did not change is stored once.
fn argv(database: &Database) -> Vec<String> {
    let name = database.name.as_str();
    let words: &[&str] = match database.engine {
        Engine::Mariadb => &[
            "--single-transaction",
            "--quick",
            "--order-by-primary",
            "--routines",
            "--events",
            "--triggers",
            "--hex-blob",
            "--skip-dump-date",
            "--default-character-set=utf8mb4",
            "--max-allowed-packet=1G",
            "--",
            name,
        ],
        Engine::Postgres => &["--format=plain", "--no-password", "--lock-wait-timeout=10min", "--", name],
    };
    let program = match database.engine {
        Engine::Mariadb => either("mariadb-dump", "mysqldump"),
        Engine::Postgres => "pg_dump".to_owned(),
    };
    std::iter::once(program).chain(words.iter().map(|word| (*word).to_owned())).collect()
}

fn accounts(engine: Engine) -> Vec<String> {
    let words: &[&str] = match engine {
        Engine::Mariadb => &["--system=users", "--skip-dump-date", "--insert-ignore", "--no-create-db"],
        Engine::Postgres => &["pg_dumpall", "--globals-only", "--no-password"],
    };
    let program = (engine == Engine::Mariadb).then(|| "mariadb-dump".to_owned());
    program.into_iter().chain(words.iter().map(|word| (*word).to_owned())).collect()
}

/// The first of two programs that is there.
fn either(first: &str, second: &str) -> String {
    let there = PATH.split(':').any(|dir| Path::new(dir).join(first).exists());
    (if there { first } else { second }).to_owned()
}

/// A command as the one who administers a server: root for MariaDB, `postgres` for PostgreSQL.
pub fn as_admin(engine: Engine, argv: &[String]) -> Command {
    let mut command = Command::new("/usr/bin/setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if engine == Engine::Postgres {
        command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups"]);
    }
    command.arg("--").args(argv).env_clear().env("PATH", PATH).env("LC_ALL", "C.UTF-8").current_dir("/");
    let home = if engine == Engine::Postgres { "/var/lib/postgresql" } else { "/root" };
    command.env("HOME", home).stdin(Stdio::null());
    command
}

fn server(engine: Engine, argv: &[String]) -> Result<Report, String> {
    let mut child = as_admin(engine, argv)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run `{}`: {}", argv[0], system_cause(&error)))?;
    let (Some(mut out), Some(mut err)) = (child.stdout.take(), child.stderr.take()) else {
        return Err("it has no output".to_owned());
    };
    // What it complains about is read beside, lest it wait for us.
    let words = thread::spawn(move || {
        let mut words = Vec::new();
        let _ = (&mut err).take(64 << 10).read_to_end(&mut words);
        let _ = io::copy(&mut err, &mut io::sink());
        String::from_utf8_lossy(&words).into_owned()
    });
    // Where a pipe cannot be made larger, it is as it was.
    let _ = fcntl(&out, FcntlArg::F_SETPIPE_SZ(PIPE as i32));
    let _ = fcntl(stdout(), FcntlArg::F_SETPIPE_SZ(PIPE as i32));
    let mut counted = Counted::of(engine);
    let passed = counted.pass(&mut out, &mut plain_stdout()?);
    if passed.is_err() {
        let _ = child.kill();
    }
    let ended = child.wait();
    let words = words.join().unwrap_or_default();
    passed.map_err(|error| format!("it could not be passed on: {}", system_cause(&error)))?;
    let ended = ended.map_err(|error| system_cause(&error))?;
    let last = words.trim().lines().next_back().unwrap_or_default().to_owned();
    if !ended.success() {
        return Err(match last.is_empty() {
            true => format!("`{}` ended with {ended}", argv[0]),
            false => format!("`{}` ended with {ended}: {last}", argv[0]),
        });
    }
    counted.whole(engine)
}

/// Standard output, without a buffer that cuts what is written into lines.
fn plain_stdout() -> Result<fs::File, String> {
    let fd = stdout().as_fd().try_clone_to_owned().map_err(|error| system_cause(&error))?;
    Ok(fs::File::from(fd))
}

/// A copy of a file of SQLite as SQLite itself makes one, never of the live file.
fn sqlite(path: &str, scratch: &Path) -> Result<Report, String> {
    let copy = tempfile::Builder::new()
        .prefix("sqlite-")
        .tempdir_in(scratch)
        .map_err(|error| format!("`{}`: {}", scratch.display(), system_cause(&error)))?;
    let copied = copy.path().join("copy");
    let quoted = copied.display().to_string();
    let ask = |arguments: &[&str]| -> Result<String, String> {
        let output = Command::new("/usr/bin/sqlite3")
            .arg("-batch")
            .arg("-bail")
            .args(arguments)
            .env_clear()
            .env("PATH", PATH)
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| {
                format!("cannot run `sqlite3`: {}; install the package `sqlite3`", system_cause(&error))
            })?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(format!("sqlite3: {}", String::from_utf8_lossy(&output.stderr).trim())),
        }
    };
    if !Path::new(path).is_file() {
        return Err("there is no such file".to_owned());
    }
    ask(&["-readonly", path, ".timeout 60000", &format!(".backup '{quoted}'")])?;
    let well = ask(&["-readonly", &quoted, "PRAGMA integrity_check"])?;
    if well.trim() != "ok" {
        return Err(format!("it is damaged: {}", well.trim().lines().next().unwrap_or_default()));
    }
    let mut rows = std::collections::BTreeMap::new();
    let tables = ask(&[
        "-readonly",
        &quoted,
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    ])?;
    for table in tables.lines() {
        let question = format!("SELECT count(*) FROM \"{}\"", table.replace('"', "\"\""));
        let count = ask(&["-readonly", &quoted, &question])?;
        rows.insert(table.to_owned(), count.trim().parse().unwrap_or(0));
    }
    let mut counted = Counted::of(Engine::Postgres);
    let mut file = fs::File::open(&copied).map_err(|error| system_cause(&error))?;
    counted
        .pass(&mut file, &mut plain_stdout()?)
        .map_err(|error| format!("it could not be passed on: {}", system_cause(&error)))?;
    Ok(Report { rows, ..counted.report() })
}

/// What goes by, counted.
struct Counted {
    digest: Sha256,
    bytes: u64,
    end: Vec<u8>,
    rows: Rows,
}

impl Counted {
    fn of(engine: Engine) -> Self {
        Counted { digest: Sha256::new(), bytes: 0, end: Vec::new(), rows: Rows::of(engine) }
    }

    /// Passes on all that there is.
    fn pass(&mut self, from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
        let mut buffer = vec![0; PIPE];
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes = &buffer[..read];
            to.write_all(bytes)?;
            self.take(bytes);
            if read < PIPE / 8 {
                thread::sleep(GATHER);
            }
        }
        to.flush()
    }

    fn take(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        self.rows.take(bytes);
        self.end.extend_from_slice(&bytes[bytes.len().saturating_sub(END)..]);
        let more = self.end.len().saturating_sub(END);
        self.end.drain(..more);
    }

    fn report(&self) -> Report {
        let sha256 = self.digest.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Report { sha256, bytes: self.bytes, rows: self.rows.counted() }
    }

    /// What it was, where its last line is there.
    fn whole(&self, engine: Engine) -> Result<Report, String> {
        let last: &[&str] = match engine {
            Engine::Mariadb => &["-- Dump completed"],
            Engine::Postgres => {
                &["-- PostgreSQL database dump complete", "-- PostgreSQL database cluster dump complete"]
            }
        };
        let end = String::from_utf8_lossy(&self.end);
        let there = end.lines().any(|line| last.iter().any(|last| line.starts_with(last)));
        match there {
            true => Ok(self.report()),
            false => Err(format!("the last line of a dump of {} is missing: it is cut short", name(engine))),
        }
    }
}

/// The words of a call of the helper that dumps.
pub fn helper(source: &Source, scratch: &Path, report: &Path) -> io::Result<Vec<String>> {
    let me: PathBuf = std::env::current_exe()?;
    let source = serde_json::to_string(source)?;
    Ok(vec![
        me.display().to_string(),
        "dump".to_owned(),
        source,
        scratch.display().to_string(),
        report.display().to_string(),
    ])
}

/// Has a client of a server read a dump, as who administers it.
///
/// # Errors
/// Where it cannot be run or ends badly: its first words.
pub fn load(engine: Engine, argv: &[String], file: &Path) -> Result<(), String> {
    let cannot = |error: io::Error| system_cause(&error);
    let from = fs::File::open(file).map_err(cannot)?;
    let mut client = as_admin(engine, argv);
    let mut child =
        client.stdin(from).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(cannot)?;
    let mut said = String::new();
    if let Some(err) = child.stderr.take() {
        let _ = err.take(64 << 10).read_to_string(&mut said);
    }
    match child.wait().map_err(cannot)?.success() {
        true => Ok(()),
        false => Err(said.trim().lines().next().unwrap_or("the client said nothing").to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(engine: Engine, text: &str) -> Result<Report, String> {
        let mut counted = Counted::of(engine);
        let mut passed = Vec::new();
        counted.pass(&mut text.as_bytes(), &mut passed).unwrap();
        assert_eq!(passed, text.as_bytes());
        counted.whole(engine)
    }

    #[test]
    fn a_dump_without_its_last_line_is_none() {
        let whole = "COPY public.a (x) FROM stdin;\n1\n2\n\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict x\n";
        let report = counted(Engine::Postgres, whole).unwrap();
        assert_eq!((report.bytes, report.rows["public.a"]), (whole.len() as u64, 2));
        for cut in 0..whole.len() - 24 {
            assert!(counted(Engine::Postgres, &whole[..cut]).is_err(), "{cut}");
        }
        assert!(counted(Engine::Mariadb, "").unwrap_err().contains("cut short"));
        // rows may say what they like
        let within =
            format!("COPY a (x) FROM stdin;\n-- PostgreSQL database dump complete\n{}", "x\n".repeat(3000));
        assert!(counted(Engine::Postgres, &within).is_err());
    }
}
