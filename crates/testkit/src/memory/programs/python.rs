//! `python3 -m venv`, and `pip install` in such an environment, from a page that lists wheels.

use pq_steps::{Command, Error, Output};

use super::{arguments, done, fails};
use crate::memory::MemoryMachine;
use crate::memory::disk::What;
use crate::memory::probe::sha256;

pub(super) fn python(machine: &mut MemoryMachine, command: &Command) -> Result<Output, Error> {
    match arguments(command)[..] {
        ["-m", "venv", path] => venv(machine, path),
        ["-m", "pip", "install", ref options @ ..] => pip(machine, command, options),
        _ => fails(2, "python3: only `-m venv` and `-m pip install` are known here"),
    }
}

/// Makes what is missing of an environment, in the order of the real one.
fn venv(machine: &mut MemoryMachine, path: &str) -> Result<Output, Error> {
    if machine.disk.follow("/usr/lib/python3.11/ensurepip").is_none() {
        return fails(
            1,
            "The virtual environment was not created successfully because ensurepip is not available.",
        );
    }
    let parts = [
        ("", What::Directory),
        ("/lib", What::Directory),
        ("/lib/python3.11", What::Directory),
        ("/lib/python3.11/site-packages", What::Directory),
        ("/bin", What::Directory),
        ("/pyvenv.cfg", What::File(b"home = /usr/bin\nversion = 3.11.2\n".to_vec())),
        ("/bin/python3", What::Link("/usr/bin/python3".to_owned())),
        ("/bin/python", What::Link("python3".to_owned())),
        ("/lib/python3.11/site-packages/pip-23.0.1.dist-info", What::Directory),
    ];
    for (name, what) in parts {
        let path = format!("{path}{name}");
        if machine.disk.get(&path).is_none() {
            let mode = if what == What::Directory { 0o755 } else { 0o644 };
            machine.disk.make(&path, what, mode)?;
        }
    }
    done()
}

fn pip(machine: &mut MemoryMachine, command: &Command, options: &[&str]) -> Result<Output, Error> {
    let program = command.argv.first().map_or("", String::as_str);
    let Some(environment) = program.strip_suffix("/bin/python") else {
        return fails(1, "error: externally-managed");
    };
    let after =
        |name: &str| options.iter().position(|word| *word == name).and_then(|i| options.get(i + 1)).copied();
    if after("-r") != Some("/dev/stdin") || !options.contains(&"--require-hashes") {
        return fails(2, "pip: only `--require-hashes -r /dev/stdin` is known here");
    }
    let Some(index) = after("--find-links").filter(|_| options.contains(&"--no-index")) else {
        return fails(1, "ERROR: No matching distribution found");
    };
    let page =
        machine.served.get(index).map(|page| String::from_utf8_lossy(page).into_owned()).unwrap_or_default();
    let requirements = command.stdin.as_ref().map_or("", |text| text.as_str()).replace("\\\n", " ");
    for line in requirements.lines().filter(|line| line.contains("==")) {
        let (package, hashes) = line.split_once(" --hash=").unwrap_or((line, ""));
        let (name, version) = package.trim().split_once("==").unwrap_or((package, ""));
        let name = name.replace('-', "_");
        let stem = format!("{name}-{version}");
        let file =
            page.split('"').find(|name| name.starts_with(&format!("{stem}-")) && name.ends_with(".whl"));
        let Some(wheel) = file.and_then(|name| machine.served.get(&format!("{index}{name}"))) else {
            return fails(1, format!("ERROR: No matching distribution found for {package}"));
        };
        if !hashes.contains(&sha256(wheel)) {
            return fails(1, "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.");
        }
        let top = format!("{environment}/lib/python3.11/site-packages");
        machine.disk.make(&format!("{top}/{name}.py"), What::File(package.as_bytes().to_vec()), 0o644)?;
        machine.disk.make(&format!("{top}/{stem}.dist-info"), What::Directory, 0o755)?;
        let record = format!("{top}/{stem}.dist-info/METADATA");
        machine.disk.make(&record, What::File(format!("Name: {name}\n").into_bytes()), 0o644)?;
    }
    done()
}
