//! Nothing is at a path. What was there is removed, a directory with all that is in it.

use pq_stream::Difference;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AbsPath, Check, Converge, Differences, Error, Kind, Probe, System};

/// Nothing is at a path: file, link or whole directory. The system's own directories are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Absent {
    /// What must not be there.
    pub path: AbsPath,
}

/// Directories below the top ones that no plan ever removes.
const KEPT: &[&str] = &[
    "/boot/efi",
    "/boot/grub",
    "/etc/apt",
    "/etc/pam.d",
    "/etc/ssh",
    "/etc/ssl",
    "/etc/systemd",
    "/lib/systemd",
    "/run/systemd",
    "/usr/bin",
    "/usr/include",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local",
    "/usr/sbin",
    "/usr/share",
    "/usr/src",
    "/var/backups",
    "/var/cache",
    "/var/lib",
    "/var/lib/apt",
    "/var/lib/dpkg",
    "/var/lib/paquerette",
    "/var/lib/systemd",
    "/var/local",
    "/var/log",
    "/var/mail",
    "/var/opt",
    "/var/run",
    "/var/spool",
    "/var/tmp",
    "/var/www",
];

impl Converge for Absent {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let Some(is) = machine.stat(&self.path)? else { return Ok(Check::InSync) };
        let what = match is.kind {
            Kind::File => "file",
            Kind::Directory => "directory",
            Kind::Symlink => "link",
            Kind::Other => "special file",
        };
        let mut found = Differences::new();
        found.push(what, Some("present"), Some(Difference::ABSENT));
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        machine.remove(&self.path)
    }

    fn validate(&self) -> Result<(), String> {
        let top = self.path.parent().is_none_or(|parent| parent.as_str() == "/");
        match top || KEPT.contains(&self.path.as_str()) {
            true => Err(format!("`path` `{}` is a directory of the system itself", self.path)),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_the_system_is_refused() {
        let absent = |path: &str| Absent { path: AbsPath::new(path).unwrap() };
        for path in ["/", "/etc", "/srv", "/var/lib", "/usr/bin"] {
            assert!(absent(path).validate().is_err(), "{path}");
        }
        for path in ["/srv/law", "/etc/nginx/sites-enabled/default"] {
            assert_eq!(absent(path).validate(), Ok(()), "{path}");
        }
    }
}
