//! `pq-backup serve`: gives a peer that logged in the files of this machine's repository, which it cannot open, and nothing else.
//!
//! Always true here: it only reads; only names of a repository are names here, and no link is followed. `list` is answered by a line
//! `SIZE NAME` for each file, and a dot; `get NAME` by a line with the size and so many bytes, or by `-` where that is not there.

use std::fs::{self, File};
use std::io::{self, BufRead, BufWriter, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use pq_stream::{Diagnostic, system_cause};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};

use super::names::{CONFIG, FLAT, Name};
use crate::setup::Setup;

/// Longest line of a request.
const LONGEST: u64 = 128;

/// Serves the repository of this machine, until there are no more requests.
///
/// # Errors
/// Where there is none, or who asks does not take what it asked for.
pub fn serve(setup: &Setup, requests: impl BufRead, answers: impl Write) -> Result<(), Diagnostic> {
    let Some(directory) = setup.strategy.targets.iter().find_map(|target| target.directory()) else {
        return Err(Diagnostic::new("this machine has no repository that a peer could keep")
            .cause("no target in `/etc/paquerette/backup.yml` is a directory of it")
            .hint("its targets elsewhere are copies already"));
    };
    let open = |name: &Name| -> io::Result<File> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, directory, flags, Mode::empty())?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        Ok(File::from(openat2(&root, name.path(), flags, Mode::empty(), within)?))
    };
    answer(Path::new(directory), open, requests, answers).map_err(|error| {
        Diagnostic::new("a peer cannot be given what it asks for").cause(system_cause(&error))
    })
}

fn answer(
    directory: &Path,
    open: impl Fn(&Name) -> io::Result<File>,
    mut requests: impl BufRead,
    answers: impl Write,
) -> io::Result<()> {
    let mut answers = BufWriter::with_capacity(1 << 16, answers);
    let mut line = String::new();
    loop {
        line.clear();
        if (&mut requests).take(LONGEST).read_line(&mut line)? == 0 {
            return answers.flush();
        }
        match line.trim_end().split_once(' ') {
            None if line == "list\n" => {
                list(directory, &mut |name, size| writeln!(answers, "{size} {name}"))?;
                answers.write_all(b".\n")?;
                answers.flush()?;
            }
            Some(("get", path)) => {
                let name = Name::read(path)
                    .ok_or_else(|| io::Error::other("it asks for what is no file of a repository"))?;
                give(open(&name), &mut answers)?;
            }
            _ => return Err(io::Error::other("it asks for what is not given here")),
        }
    }
}

fn give(file: io::Result<File>, answers: &mut impl Write) -> io::Result<()> {
    let file = match file.and_then(|file| Ok((file.metadata()?, file))) {
        Ok((meta, file)) if meta.is_file() => (meta.len(), file),
        _ => return answers.write_all(b"-\n").and_then(|()| answers.flush()),
    };
    writeln!(answers, "{}", file.0)?;
    let given = io::copy(&mut file.1.take(file.0), answers)?;
    match given == file.0 {
        true => answers.flush(),
        false => Err(io::Error::other("a file of the repository became shorter while it was read")),
    }
}

/// Tells each file: snapshots first, so that all that one needs is told behind it, whatever a run adds meanwhile.
fn list(directory: &Path, tell: &mut dyn FnMut(&str, u64) -> io::Result<()>) -> io::Result<()> {
    for kind in FLAT {
        files(&directory.join(kind), &format!("{kind}/"), tell)?;
    }
    if let Ok(meta) = fs::symlink_metadata(directory.join(CONFIG)) {
        tell(CONFIG, meta.size())?;
    }
    for number in 0..=u8::MAX {
        let head = format!("{number:02x}");
        files(&directory.join("data").join(&head), &format!("data/{head}/"), tell)?;
    }
    Ok(())
}

fn files(
    directory: &Path,
    before: &str,
    tell: &mut dyn FnMut(&str, u64) -> io::Result<()>,
) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = format!("{before}{}", entry.file_name().to_string_lossy());
        // One that is being written has another name; it goes meanwhile.
        let Ok(meta) = entry.metadata() else { continue };
        if meta.is_file() && Name::read(&name).is_some() {
            tell(&name, meta.size())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_repository_are_given_and_nothing_beside_them() {
        let dir = tempfile::tempdir().unwrap();
        let id = "ab".repeat(32);
        fs::create_dir_all(dir.path().join("data/ab")).unwrap();
        fs::create_dir_all(dir.path().join("keys")).unwrap();
        fs::write(dir.path().join(format!("data/ab/{id}")), "pack").unwrap();
        fs::write(dir.path().join("data/ab/other"), "no").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join(format!("keys/{id}"))).unwrap();
        let open = |name: &Name| File::open(dir.path().join(name.path()));
        let mut said = Vec::new();
        let requests = format!("list\nget data/ab/{id}\nget config\n");
        answer(dir.path(), open, requests.as_bytes(), &mut said).unwrap();
        assert_eq!(String::from_utf8(said).unwrap(), format!("4 data/ab/{id}\n.\n4\npack-\n"));
        for bad in ["get ../../etc/shadow\n", "get /etc/shadow\n", "put config\n", "get locks/x\n"] {
            assert!(answer(dir.path(), open, bad.as_bytes(), &mut Vec::new()).is_err(), "{bad}");
        }
    }
}
