//! Two hosts that a tool asks over ssh, with a program in the place of ssh.

#![expect(clippy::unwrap_used, reason = "called by tests, whose way to fail this is")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::tools;

const BEGUN: &str = r#"{"type":"begun","version":"1"}"#;

/// How a call ended: its status, standard output and standard error.
#[derive(Debug)]
pub struct Told(pub i32, pub String, pub String);

/// Two hosts: `web`, where something answers in the place of an executor, and `off`, which is not reached.
pub struct TwoHosts {
    home: TempDir,
}

impl TwoHosts {
    /// These two; `answer` is what `web` says, in one or more lines.
    pub fn new(answer: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let fake = home.path().join("ssh");
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in *off*) echo 'ssh: connect to host off port 22: No route to host' >&2; exit 255;; esac\n\
             touch '{}'; cat >/dev/null &\nprintf '%s\\n' '{BEGUN}' '{answer}'\n",
            home.path().join("called").display()
        );
        fs::write(&fake, script).unwrap();
        fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
        TwoHosts { home }
    }

    /// The stream that names them.
    pub fn stream(&self) -> String {
        let fake = self.home.path().join("ssh");
        let host = |name: &str| {
            format!(
                r#"{{"type":"host","host":"{name}","groups":[],"connection":{{"kind":"ssh"}},"instances":[{{"app":"dokuwiki","id":"wiki","domain":"wiki.test"}}],"vars":{{"ansible_ssh_executable":"{}"}}}}"#,
                fake.display()
            )
        };
        let run =
            r#"{"type":"run","format":1,"inventory":"/nowhere","digest":"0","time":"2026-11-23T00:00:00Z"}"#;
        let end = r#"{"type":"end","hosts":2,"status":0}"#;
        format!("{run}\n{}\n{}\n{end}\n", host("web"), host("off"))
    }

    /// Whether `web` was asked.
    pub fn were_asked(&self) -> bool {
        self.home.path().join("called").exists()
    }

    /// Calls a tool, with this as its standard input.
    pub fn call(&self, tool: &str, words: &[&str], input: Stdio) -> Told {
        let mut command = Command::new(tools().join(tool));
        command.args(words).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.home.path());
        let output = command.stdin(input).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Told(output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
    }

    /// Calls a tool behind the stream.
    pub fn told(&self, tool: &str, words: &[&str]) -> Told {
        let mut file = tempfile::tempfile_in(self.home.path()).unwrap();
        file.write_all(self.stream().as_bytes()).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        self.call(tool, words, file.into())
    }
}
