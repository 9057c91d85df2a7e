//! The floor of a rerun: the least that somebody must do to know that nothing changed. One process reads dpkg's status, stats
//! and hashes the files that the plan is about, asks systemd once for all units, and the database once.

use std::fs;
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::{Result, wire};

/// Looks at what a list names, and prints what it found, so that nothing is left out as useless.
pub fn floor(list: &str) -> Result<()> {
    let list = fs::read_to_string(list)?;
    let of =
        |word: &'static str| list.lines().filter_map(move |line| line.strip_prefix(word)?.strip_prefix(' '));
    let status = fs::read_to_string("/var/lib/dpkg/status")?;
    let installed = status.lines().filter(|line| *line == "Status: install ok installed").count();
    let (mut files, mut digest) = (0, Sha256::new());
    for path in of("path") {
        let Ok(is) = fs::symlink_metadata(path) else { continue };
        files += 1;
        let kind = is.file_type();
        if kind.is_file() {
            digest.update(Sha256::digest(fs::read(path)?));
        } else if kind.is_symlink() {
            digest.update(fs::read_link(path)?.as_os_str().as_encoded_bytes());
        } else if !kind.is_dir() {
            return Err(format!("`{path}` is something else").into());
        }
    }
    let units = Command::new("systemctl")
        .args(["show", "--property=Id,ActiveState,UnitFileState,NeedDaemonReload,StateChangeTimestamp", "--"])
        .args(of("unit"))
        .stderr(Stdio::inherit())
        .output()?;
    let units =
        String::from_utf8_lossy(&units.stdout).lines().filter(|line| *line == "ActiveState=active").count();
    let database = of("database").next().unwrap_or_default();
    let question = of("ask").next().ok_or("nothing to ask the database")?;
    let answer = wire::ask("/run/mysqld/mysqld.sock", database, question)?;
    let digest = digest.finalize();
    println!(
        "{installed} packages, {files} files ({:02x}{:02x}…), {units} units, `{answer}`",
        digest[0], digest[1]
    );
    Ok(())
}
