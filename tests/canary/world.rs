//! A directory with an inventory in it, a home with an identity, and tools that are run there.

use std::fs;
use std::io::{Seek as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::secrets::{
    FORMS, KEY, PASSWORD, SEALED, SEALED_A, SEALED_B, VAULT_INLINE, VAULT_PASSWORD, VAULT_WHOLE, encrypt,
};
use crate::trace;

/// Another identity, which opens nothing.
pub const OTHER: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33\n";

/// What every machine has to have; files behind it override it.
const BASE: &str = "admin_email: admin@example.org\nlocales: [fr_FR.UTF-8]\ntimezone: Europe/Paris\n";

/// A machine with a wiki, in a group of its own.
const HOSTS: &str = "all:
  vars: { os: debian-12, admin_email: admin@example.org }
  children:
    web:
      hosts:
        a:
          instances: [{ app: dokuwiki, id: wiki, domain: w.example.org }]
";

/// The recipient of the other identity.
const OTHERS: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa\n";

/// No YAML, with secrets where it is broken.
const BROKEN: &str =
    "password: 'canary/9f+Vogel=\"27'\nkey: [canary-user/6c+Kranich=19\npin: 73046218095531\n";

/// An editor that writes down what it can see: arguments and environment of all who started it, its directory's mode,
/// what it may leave behind.
const LOOK: &str = r#"
{
    at=$$
    while [ "$at" -gt 1 ]; do
        tr '\0' '\n' </proc/$at/cmdline; tr '\0' '\n' </proc/$at/environ
        [ "$(cat /proc/$at/comm)" = pq-secret ] && break
        at=$(awk '$1 == "PPid:" { print $2 }' /proc/$at/status)
    done
    stat -c 'mode %a' "$1" "${1%/*}"; echo "mask $(umask) core $(ulimit -Hc)"; stat -f -c %T "$1"
} >seen
cp in/plain.yml "$1"
"#;

/// An editor whose terminal goes: the signal is sent to the tool that waits for it, which has to go on waiting.
const SIGNAL: &str = r#"
at=$$
until [ "$(cat /proc/$at/comm)" = pq-secret ]; do at=$(awk '$1 == "PPid:" { print $2 }' /proc/$at/status); done
kill -"$1" "$at"
cp in/plain.yml "$2"
"#;

/// Prints what an execution wrote when the only machine was well.
const APPLY: &str = r#"
echo '{"type":"run","format":1,"inventory":"/i","digest":"","time":"2101-01-01T00:00:00Z"}'
pq-inventory --json | grep -E '"type":"(host|secret)"'
echo '{"type":"event","host":"a","id":"wiki/user","title":"","outcome":"ok"}'
echo '{"type":"end","host":"a","status":0}'
"#;

/// A place that is gone when it is dropped.
pub struct World {
    place: TempDir,
    /// Where drafts lie; apart, since other tests run beside this one.
    memory: TempDir,
    traced: TempDir,
}

/// What lets a call fill no file, as on a full disk.
const SMALL: &str = "prlimit --fsize=0";

/// What makes a call somebody who is not root.
static NOBODY: LazyLock<String> = LazyLock::new(|| match nix::unistd::geteuid().is_root() {
    true => "setpriv --reuid 65534 --regid 65534 --clear-groups".to_owned(),
    false => String::new(),
});

/// How a run ended.
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl World {
    /// An inventory of two machines that holds every secret, with `vars` in a plain file for both; what a vault holds is
    /// there where they name it.
    pub fn with(vars: &str) -> Self {
        let world = World::bare();
        world.write("inventory/hosts", "a ansible_connection=local twice=plain\nb ansible_host=192.0.2.7\n");
        world.write("inventory/group_vars/all/base.yml", BASE);
        world.write("inventory/group_vars/all/secrets.yml.age", encrypt(SEALED));
        // To open what a vault holds takes most of the time: only for whom it is about.
        let vault = ["inline", "whole", "vault"].iter().any(|name| vars.contains(name));
        if vault {
            world.write("inventory/group_vars/all/vaulted.yml", VAULT_WHOLE);
        }
        let inline = if vault { VAULT_INLINE } else { "" };
        world.write("inventory/group_vars/all/vars.yml", format!("{vars}\n{inline}"));
        world.write("inventory/host_vars/a.yml.age", encrypt(SEALED_A));
        world.write("inventory/host_vars/b.yml.age", encrypt(SEALED_B));
        world
    }

    /// An inventory without machines: recipients alone, and what opens secrets beside it.
    pub fn bare() -> Self {
        // Nobody else has anything to read there; but a case may run as somebody else.
        let open = |place: TempDir| {
            fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
            place
        };
        let memory = tempfile::Builder::new().prefix("canary-").tempdir_in("/dev/shm").unwrap();
        let traced = tempfile::tempdir().unwrap();
        fs::set_permissions(traced.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let world = World { place: open(tempfile::tempdir().unwrap()), memory, traced };
        let identity = include_str!("../../crates/secrets/tests/ed25519");
        world.write("inventory/.age-recipients", include_str!("../../crates/secrets/tests/ed25519.pub"));
        world.write("home/.config/paquerette/identity.txt", identity);
        world.write("other", OTHER);
        world.write("vault-password", VAULT_PASSWORD);
        fs::create_dir(world.path("tmp")).unwrap();
        world
    }

    /// An inventory whose secrets are kept: `all.yml.age` with all of them, a machine with a wiki, and in `in/` what a
    /// person has in clear.
    pub fn kept() -> Self {
        let world = World::bare();
        world.write("inventory/hosts.yml", HOSTS);
        world.write("inventory/group_vars/all.yml.age", encrypt(SEALED));
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(world.path("inventory/group_vars/all.yml.age"), private).unwrap();
        let plain = format!("# another\n{SEALED}more: {PASSWORD}\n");
        for (name, text) in [
            ("value", PASSWORD),
            ("key", KEY),
            ("plain.yml", &plain),
            ("odd.yml", &format!("canary/9f+Vogel=: {{}}\n{plain}")),
            ("broken.yml", BROKEN),
            ("vault.yml", VAULT_WHOLE),
            ("inline.yml", VAULT_INLINE),
            ("others", OTHERS),
            ("look", LOOK),
            ("signal", SIGNAL),
            ("apply", APPLY),
        ] {
            world.write(&format!("in/{name}"), text);
        }
        world.write("in/broken.age", encrypt(BROKEN));
        world.write("in/clash.age", encrypt("inline: canary-user/6c+Kranich=19\n"));
        world
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// The directory of memory that its tools use.
    pub fn memory(&self) -> &Path {
        self.memory.path()
    }

    /// Where what a call did is noted.
    pub fn trace(&self) -> PathBuf {
        self.traced.path().join("trace")
    }

    /// Writes a file, in directories that are made.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Runs a line of bash there, with no mask on what is made, and everything that a program might tell asked for.
    pub fn sh(&self, line: &str, stdin: &[u8]) -> Said {
        let trace = trace::command(&self.trace());
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", pq_tests::tools().display());
        let mut input = tempfile::tempfile().unwrap();
        input.write_all(stdin).unwrap();
        input.rewind().unwrap();
        let output = Command::new("bash")
            .args(["-c", &format!("umask 000; {line}")])
            .current_dir(self.place.path())
            .env_clear()
            .envs([
                ("PATH", path.as_str()),
                ("LC_ALL", "C.UTF-8"),
                ("RUST_LOG", "trace"),
                ("RUST_BACKTRACE", "full"),
            ])
            .envs([("HOME", self.path("home")), ("TMPDIR", self.path("tmp"))])
            .env("XDG_RUNTIME_DIR", self.memory())
            .envs([("T", trace.as_str()), ("N", NOBODY.as_str()), ("SMALL", SMALL)])
            .env("F", "inventory/group_vars/all.yml.age")
            .env("ANSIBLE_VAULT_PASSWORD_FILE", "vault-password")
            .stdin(Stdio::from(input))
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Said {
            code: output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0)),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Every path below it and in its memory.
    pub fn listing(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        below(self.place.path(), &mut found);
        below(self.memory(), &mut found);
        found.sort();
        found
    }
}

impl Said {
    /// Where a secret is seen, and what looks like a bug.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if let Some(form) = FORMS.seen_in(text) {
                wrong.push(format!("{name} shows {form}"));
            }
        }
        wrong.extend(self.broken());
        wrong
    }

    /// What looks like a bug.
    pub fn broken(&self) -> Option<String> {
        let bug = self.stderr.contains("panicked") || self.stderr.contains("internal error");
        let odd = bug || !matches!(self.code, 0..=3 | 75);
        odd.then(|| {
            format!("ended with {}: {}", self.code, self.stderr.chars().take(400).collect::<String>())
        })
    }
}

fn below(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            below(&path, found);
        }
        found.push(path);
    }
}
