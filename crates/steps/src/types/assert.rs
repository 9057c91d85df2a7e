//! The machine is the one that the plan was made for. Nothing here can be repaired: what does not hold is a failure.

use pq_stream::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AbsPath, Check, Converge, Error, Probe, System};

/// The machine runs this operating system, this directory is a mount point, and it is as it said itself. It looks, and never acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assert {
    /// Operating system, such as `debian-12`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// A directory on which a file system is mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount: Option<AbsPath>,
    /// MiB of memory, of which an eighth may be missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Whether MySQL is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mysql: Option<bool>,
}

/// Where the kernel says how much memory there is; `proc_meminfo(5)`.
const MEMORY: &str = "/proc/meminfo";

/// The packages that bring a MySQL server, of distributions and of its makers.
pub const MYSQL: [&str; 6] = [
    "mysql-server",
    "mysql-server-5.7",
    "mysql-server-8.0",
    "mysql-server-8.4",
    "mysql-community-server",
    "percona-server-server",
];

/// Where the kernel says what is mounted; `proc(5)`.
const MOUNTS: &str = "/proc/self/mountinfo";

impl Converge for Assert {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        if let Some(want) = &self.os {
            let is = machine.os()?;
            if is != *want {
                return Err(Diagnostic::new(format!("the plan is for `{want}`"))
                    .cause(format!("this machine runs `{is}`"))
                    .hint("correct `os` in the inventory, or check the address: is it the right machine?")
                    .into());
            }
        }
        if let Some(path) = &self.mount {
            let mounts = machine.read(&AbsPath::new(MOUNTS).map_err(bad_path)?)?.unwrap_or_default();
            if !mounted(&String::from_utf8_lossy(&mounts), path.as_str()) {
                return Err(Diagnostic::new(format!("nothing is mounted on `{path}`"))
                    .cause("the inventory says that it is a mount point")
                    .hint(format!("mount its file system (`findmnt {path}`, `/etc/fstab`), then run again"))
                    .into());
            }
        }
        let stale = |is: String, was: String| {
            Diagnostic::new(format!("the plan is for a machine with {was}"))
                .cause(format!("this one has {is}"))
                .hint("plan it anew, with `pq-inventory --facts`")
        };
        if let Some(want) = self.memory {
            let text = machine.read(&AbsPath::known(MEMORY))?.unwrap_or_default();
            let is = memory(&String::from_utf8_lossy(&text));
            if is < want - want / 8 {
                return Err(stale(format!("{is} MiB"), format!("{want} MiB of memory")).into());
            }
        }
        if let Some(want) = self.mysql {
            let mut is = false;
            for name in MYSQL {
                is |= machine.package(name)?.is_some();
            }
            if is != want {
                let word = |there| if there { "MySQL" } else { "no MySQL" }.to_owned();
                return Err(stale(word(is), word(want)).into());
            }
        }
        Ok(Check::InSync)
    }

    fn apply(&self, _: &mut dyn System) -> Result<(), Error> {
        Err(Error::failed("cannot make this machine another one", "an assertion only looks"))
    }

    fn validate(&self) -> Result<(), String> {
        match (&self.os, &self.mount) {
            (None, None) if self.memory.is_none() && self.mysql.is_none() => {
                Err("none of `os`, `mount`, `memory`, `mysql` is given: there is nothing to assert"
                    .to_owned())
            }
            (Some(os), _) if os.is_empty() => Err("`os` is empty".to_owned()),
            _ => Ok(()),
        }
    }
}

fn bad_path(cause: String) -> Error {
    Error::failed("cannot read what is mounted", cause)
}

/// MiB of memory that a text of proc_meminfo(5) tells, `MemTotal:  1024 kB`; 0 where it tells none.
pub fn memory(text: &str) -> u64 {
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    total.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Whether a mountinfo text has a mount at a path: its fifth field, in which blanks are written `\040`.
fn mounted(mounts: &str, path: &str) -> bool {
    let escaped = path.replace('\\', "\\134").replace(' ', "\\040");
    mounts.lines().any(|line| line.split(' ').nth(4) == Some(&escaped))
}

#[cfg(test)]
mod tests {
    use super::mounted;

    #[test]
    fn a_mount_is_found_by_its_whole_path() {
        let mounts =
            "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n36 22 98:0 / /srv/pa\\040q rw - ext4 /dev/sdb rw\n";
        assert!(mounted(mounts, "/"));
        assert!(mounted(mounts, "/srv/pa q"));
        assert!(!mounted(mounts, "/srv"));
        assert!(!mounted(mounts, "/srv/pa q/x"));
    }
}
