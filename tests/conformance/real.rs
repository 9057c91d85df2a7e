//! The real ansible-core, in a virtual environment.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// An environment with ansible-core.
pub struct Real {
    bin: PathBuf,
}

impl Real {
    /// The environment, made where there is none. Without Python nothing is compared, which is said; with
    /// `PQ_E2E=require` that is a failure.
    pub fn find() -> Option<Real> {
        let required = std::env::var("PQ_E2E").is_ok_and(|wish| wish == "require");
        match pq_tests::ansible() {
            Ok(bin) => Some(Real { bin }),
            Err(cause) if required => panic!("there is no ansible-core to compare with: {cause}"),
            Err(cause) => {
                eprintln!("conformance: SKIPPED, for want of ansible-core: {cause}");
                None
            }
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        let config = super::root().join("ansible.cfg");
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ANSIBLE_"))
        {
            command.env_remove(name);
        }
        command
            .current_dir(&self.bin)
            .env("ANSIBLE_CONFIG", config)
            .env("ANSIBLE_NOCOLOR", "1")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("ANSIBLE_LOCALHOST_WARNING", "false");
        command
    }

    /// What the driver answers for each directory.
    pub fn ask(&self, directories: &[PathBuf]) -> Vec<Value> {
        let mut child = self
            .command("python")
            .arg(super::root().join("ask.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines: String = directories.iter().map(|path| format!("{}\n", path.display())).collect();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(answers.len(), directories.len(), "the driver ended early:\n{said}");
        answers
    }

    /// What `ansible-inventory --list` prints.
    pub fn list(&self, directory: &Path) -> Value {
        let output = self.command("ansible-inventory").arg("-i").arg(directory).arg("--list").output();
        json(&output.unwrap())
    }

    /// What `ansible-inventory --host NAME` prints.
    pub fn host(&self, directory: &Path, host: &str) -> Value {
        let mut command = self.command("ansible-inventory");
        json(&command.arg("-i").arg(directory).args(["--host", host]).output().unwrap())
    }

    /// What `ansible HOST -m debug -a var=NAME` prints for the variable.
    pub fn debug(&self, directory: &Path, host: &str, name: &str) -> Value {
        let mut command = self.command("ansible");
        command.arg(host).arg("-i").arg(directory).args(["-m", "debug", "-a"]).arg(format!("var={name}"));
        // The first line is `w1 | SUCCESS => {`.
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let start = text.find('{').unwrap_or_else(|| panic!("no answer: {output:?}"));
        serde_json::from_str::<Value>(&text[start..]).unwrap()[name].clone()
    }
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}
