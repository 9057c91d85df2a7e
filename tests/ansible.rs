//! The real Ansible, of the version in `tests/conformance/requirements.txt`, in a virtual environment of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Ansible's programs are; the environment is made where it is not there yet.
///
/// # Errors
/// What could not be made, and what the program said.
pub fn ansible() -> Result<PathBuf, String> {
    let wanted = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/requirements.txt");
    let requirements = fs::read(&wanted).map_err(|error| format!("{}: {error}", wanted.display()))?;
    let home = std::env::current_exe()
        .ok()
        .and_then(|test| Some(test.ancestors().nth(3)?.join("ansible")))
        .ok_or("this test has no target directory")?;
    // Tests that run side by side would make it twice. Who waited finds it made; the lock ends with the file.
    let gate = fs::File::create(home.with_extension("lock")).map_err(|error| error.to_string())?;
    gate.lock().map_err(|error| error.to_string())?;
    let done = home.join("requirements.txt");
    if fs::read(&done).is_ok_and(|installed| installed == requirements) {
        return Ok(home.join("bin"));
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home))?;
    run(Command::new(home.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r"])
        .arg(&wanted))?;
    fs::write(&done, requirements).map_err(|error| format!("{}: {error}", done.display()))?;
    Ok(home.join("bin"))
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}
