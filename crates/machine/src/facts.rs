//! What a machine says of itself: read from its files and its kernel, without asking a program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use pq_steps::Error;
use pq_steps::types::{MYSQL, memory};
use serde::{Deserialize, Serialize};

use crate::cause::failed;
use crate::os;
use crate::packages::Packages;

/// File systems that hold no data of anybody's.
const PASSING: [&str; 9] =
    ["tmpfs", "devtmpfs", "ramfs", "squashfs", "efivarfs", "proc", "sysfs", "cgroup2", "autofs"];

/// File systems of other machines: one that does not answer would be waited for without end.
const FOREIGN: [&str; 6] = ["nfs", "nfs4", "cifs", "smb3", "ceph", "9p"];

/// What a machine said of itself. Sizes are in MiB.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// As in `debian-12`.
    pub os: String,
    /// As `uname -m` says it.
    pub architecture: String,
    /// Memory.
    pub memory: u64,
    /// Processors that may be used.
    pub cores: u64,
    /// Where data can be.
    pub mounts: Vec<Mount>,
    /// Versions of PHP that are installed, as in `8.2`.
    pub php: Vec<String>,
    /// Database engines that are installed, with their versions.
    pub databases: BTreeMap<String, String>,
    /// Instances, with the version that their files are of.
    pub instances: BTreeMap<String, Installed>,
}

/// A file system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mount {
    /// Where it is.
    pub path: String,
    /// Its type.
    pub kind: String,
    /// Its size; absent where it is another machine's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// What of it is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free: Option<u64>,
}

/// An instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Installed {
    /// Its version.
    pub version: String,
}

/// What this machine says of itself; instances are looked for below `base`.
///
/// # Errors
/// Where one of the files that every machine has cannot be read.
pub fn facts(base: &str) -> Result<Facts, Error> {
    let read =
        |path: &str| fs::read_to_string(path).map_err(|error| failed(format!("cannot read `{path}`"), error));
    let packages = Packages::read(false)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(Facts {
        os: os::name()?,
        architecture: rustix::system::uname().machine().to_string_lossy().into_owned(),
        memory: memory(&read("/proc/meminfo")?),
        cores: cores as u64,
        mounts: mounts(&read("/proc/self/mounts")?),
        php: php(packages.names()),
        databases: databases(&packages),
        instances: instances(Path::new(base)),
    })
}

fn mounts(text: &str) -> Vec<Mount> {
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split(' ').skip(1);
        let (Some(path), Some(kind)) = (words.next(), words.next()) else { continue };
        if PASSING.contains(&kind) || ["/proc", "/sys", "/dev", "/run"].iter().any(|it| below(path, it)) {
            continue;
        }
        let path = path.replace("\\040", " ");
        let mount = match FOREIGN.contains(&kind) || kind.starts_with("fuse") {
            true => Some((None, None)),
            false => rustix::fs::statvfs(path.as_str()).ok().filter(|stat| stat.f_blocks > 0).map(|stat| {
                let mebibytes = |blocks: u64| Some(blocks.saturating_mul(stat.f_frsize) >> 20);
                (mebibytes(stat.f_blocks), mebibytes(stat.f_bavail))
            }),
        };
        if let Some((size, free)) = mount {
            // A later mount hides an earlier one.
            found.insert(path.clone(), Mount { path, kind: kind.to_owned(), size, free });
        }
    }
    found.into_values().collect()
}

fn below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Debian's packages carry PHP's version in their names: `php8.2-fpm`.
fn php<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let version = |name: &str| {
        let version = name.strip_prefix("php")?.strip_suffix("-common")?;
        version.starts_with(|c: char| c.is_ascii_digit()).then(|| version.to_owned())
    };
    names.filter_map(version).collect::<BTreeSet<_>>().into_iter().collect()
}

fn databases(packages: &Packages) -> BTreeMap<String, String> {
    let server = |name: &str| {
        let engine = match name {
            "mariadb-server" => "mariadb",
            _ if MYSQL.contains(&name) => "mysql",
            "redis-server" => "redis",
            _ => {
                let number = name.strip_prefix("postgresql-")?;
                return number.parse::<u32>().ok().map(|_| ("postgresql", number.to_owned()));
            }
        };
        Some((engine, upstream(&packages.get(name)?.version).to_owned()))
    };
    let found = packages.names().filter_map(server);
    found.map(|(engine, version)| (engine.to_owned(), version)).collect()
}

/// The upstream part of a version: `1:10.11.6-0+deb12u1` → `10.11.6`; deb-version(7).
pub fn upstream(version: &str) -> &str {
    let version = version.split_once(':').map_or(version, |(_, rest)| rest);
    version.rsplit_once('-').map_or(version, |(upstream, _)| upstream)
}

/// The instances below `base`: `www/<id>/current` leads to `releases/<version>`. One whose upgrade is not finished is at the version that it
/// began with, which its mark says.
fn instances(base: &Path) -> BTreeMap<String, Installed> {
    let Ok(entries) = fs::read_dir(base.join("www")) else { return BTreeMap::new() };
    let instance = |entry: fs::DirEntry| {
        let id = entry.file_name().into_string().ok()?;
        pq_stream::valid_instance_id(&id).ok()?;
        let release = fs::read_link(entry.path().join("current")).ok()?;
        let mark = fs::read_to_string(base.join("backups/upgrade").join(&id).join("began")).ok();
        let began = mark.and_then(|text| Some(text.split_once(' ')?.0.to_owned()));
        let version = began.or_else(|| Some(release.file_name()?.to_str()?.to_owned()))?;
        Some((id, Installed { version }))
    };
    entries.flatten().filter_map(instance).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_knows_itself() {
        let facts = facts("/nowhere").unwrap();
        assert!(facts.os.contains('-') && facts.memory > 0 && facts.cores > 0, "{facts:?}");
        assert!(!facts.architecture.is_empty());
        assert!(facts.mounts.iter().any(|mount| mount.path == "/"), "{facts:?}");
    }

    #[test]
    fn versions_are_what_upstream_calls_them() {
        assert_eq!(upstream("1:10.11.6-0+deb12u1"), "10.11.6");
        assert_eq!(upstream("5:7.0.15"), "7.0.15");
        let names = ["php8.2-common", "php8.2-fpm", "php-common", "php7.4-common", "phpunit"];
        assert_eq!(php(names.into_iter()), ["7.4", "8.2"]);
        assert_eq!(memory("MemTotal:        2048 kB\nMemFree: 1 kB\n"), 2);
    }

    #[test]
    fn an_instance_is_of_the_version_that_its_link_leads_to() {
        let dir = tempfile::tempdir().unwrap();
        let www = dir.path().join("www/wiki");
        fs::create_dir_all(&www).unwrap();
        std::os::unix::fs::symlink("releases/2022-07-31a", www.join("current")).unwrap();
        fs::create_dir_all(dir.path().join("www/not an id")).unwrap();
        let found = instances(dir.path());
        assert_eq!(found["wiki"].version, "2022-07-31a");
        assert_eq!(found.len(), 1);
    }
}
