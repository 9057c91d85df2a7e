//! What dpkg says is installed: its status file, read once.

use std::collections::HashMap;
use std::path::Path;

use pq_steps::{Error, Package};

use crate::cause::failed;

/// Where dpkg keeps what it knows.
const DPKG: &str = "/var/lib/dpkg";

/// Every package that is installed, or was being installed when dpkg was interrupted.
#[derive(Debug, Default)]
pub struct Packages {
    found: HashMap<String, Package>,
    /// Whether dpkg was interrupted: packages wait to be configured, or its own records to be merged.
    pub interrupted: bool,
    /// Packages that were killed while they were unpacked: only unpacking them anew mends them. With their architecture.
    pub half: Vec<String>,
    /// Packages that are unpacked and not configured, or not even that: their installation failed or was interrupted.
    pub unfinished: Vec<String>,
    /// Packages that somebody wants to stay as they are: `apt-mark hold`.
    pub on_hold: Vec<String>,
}

impl Packages {
    /// Reads dpkg's status.
    ///
    /// Where a transaction of ours was killed before its end, no package counts as configured: that has it ended.
    pub fn read(killed: bool) -> Result<Self, Error> {
        let status = Path::new(DPKG).join("status");
        let bytes = std::fs::read(&status)
            .map_err(|error| failed(format!("cannot read `{}`", status.display()), error))?;
        let mut packages = Self::parse(&String::from_utf8_lossy(&bytes));
        let updates = std::fs::read_dir(Path::new(DPKG).join("updates"));
        packages.interrupted |= updates.is_ok_and(|mut entries| entries.next().is_some());
        packages.found.values_mut().for_each(|package| package.configured &= !killed);
        Ok(packages)
    }

    /// Reads the text of a status file: paragraphs with `Package`, `Status`, `Version`, `Architecture`.
    pub(crate) fn parse(text: &str) -> Self {
        let mut packages = Packages::default();
        for paragraph in text.split("\n\n") {
            let (mut name, mut status, mut version, mut architecture) = ("", "", "", "all");
            for line in paragraph.lines() {
                match line.split_once(": ") {
                    Some(("Package", value)) => name = value,
                    Some(("Status", value)) => status = value,
                    Some(("Version", value)) => version = value,
                    Some(("Architecture", value)) => architecture = value,
                    _ => {}
                }
            }
            // `want error state`, dpkg(1): `install ok installed`.
            let mut words = status.split(' ');
            let state = words.nth(2).unwrap_or("");
            let configured = match state {
                "installed" => status.split(' ').nth(1) == Some("ok"),
                // The next trigger run ends these by itself, and the package does its work meanwhile.
                "triggers-awaited" | "triggers-pending" => true,
                "half-installed" | "unpacked" | "half-configured" => false,
                _ => continue,
            };
            packages.interrupted |= state != "installed";
            if !configured {
                packages.unfinished.push(name.to_owned());
            }
            if status.starts_with("hold ") {
                packages.on_hold.push(name.to_owned());
            }
            if state == "half-installed" || status.split(' ').nth(1) == Some("reinstreq") {
                packages.interrupted = true;
                packages.half.push(match architecture {
                    "all" => name.to_owned(),
                    other => format!("{name}:{other}"),
                });
            }
            let package = Package { version: version.to_owned(), configured };
            let known = packages.found.entry(name.to_owned()).or_insert_with(|| package.clone());
            // Of several architectures, one that is configured counts.
            if package.configured && !known.configured {
                *known = package;
            }
        }
        packages
    }

    /// The names of all of them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.found.keys().map(String::as_str)
    }

    /// One of them.
    pub fn get(&self, name: &str) -> Option<&Package> {
        self.found.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_removed_or_interrupted_is_not_installed() {
        let packages = Packages::parse(
            "Package: tree\nStatus: install ok installed\nVersion: 2.1.0-1\nDescription: tree\n Version: 9\n\n\
             Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n\
             Package: half\nStatus: install ok half-configured\nVersion: 3\n",
        );
        assert_eq!(packages.get("tree"), Some(&Package { version: "2.1.0-1".to_owned(), configured: true }));
        assert_eq!(packages.get("gone"), None);
        assert!(packages.get("half").is_some_and(|half| !half.configured));
        assert!(packages.interrupted && packages.half.is_empty());
        assert_eq!(packages.unfinished, ["half"]);
        let half = Packages::parse(
            "Package: a\nStatus: install reinstreq half-installed\nArchitecture: amd64\nVersion: 1\n\n\
             Package: b\nStatus: install ok half-installed\nArchitecture: all\nVersion: 1\n",
        );
        assert!(half.interrupted && half.half == ["a:amd64", "b"]);
        let held = "Package: a\nStatus: hold ok installed\nVersion: 1\n\nPackage: b\nStatus: install ok installed\nVersion: 1\n";
        assert_eq!(Packages::parse(held).on_hold, ["a"]);
        assert!(!Packages::parse("Package: a\nStatus: install ok installed\nVersion: 1\n").interrupted);
    }
}
