//! What differs from one operating system to the next: names, versions, paths.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An operating system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Os {
    /// Its name in inventories: `debian-12`.
    pub os: String,
    /// Its name for people.
    pub about: String,
    /// The file that says the system's language.
    pub locale: String,
    /// The package that sets the clock; part of systemd where there is none.
    pub clock_package: Option<String>,
    /// `package` where the system's own restic is new enough for backups, else `release`.
    #[serde(default = "release")]
    pub restic: String,
    /// The user and group as whom web servers read files.
    pub web: Account,
    /// The ssh server.
    pub ssh: Ssh,
    /// nginx.
    pub nginx: WebServer,
    /// apache2.
    pub apache2: WebServer,
    /// MariaDB, or the server that stands for it.
    pub mariadb: Daemon,
    /// PostgreSQL, its cluster `main`.
    pub postgres: Daemon,
    /// Redis.
    pub redis: Daemon,
    /// Docker, as the system packages it.
    pub docker: Daemon,
    /// PHP.
    pub php: Php,
    /// Python.
    pub python: Python,
    /// Names that no instance may have, since its user would be one of the system's.
    pub reserved: Vec<String>,
}

fn release() -> String {
    "release".to_owned()
}

/// A user and its group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// User name.
    pub user: String,
    /// Group name.
    pub group: String,
}

/// Where the ssh server is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ssh {
    /// Its unit.
    pub unit: String,
    /// Its program.
    pub program: String,
    /// Whether its configuration reads `/etc/ssh/sshd_config.d/*.conf`.
    pub drop_ins: bool,
}

/// Where a web server is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebServer {
    /// Its version, as far as its configuration depends on it.
    pub version: String,
    /// Its unit.
    pub unit: String,
    /// Its program.
    pub program: String,
    /// Directory of its configuration.
    pub etc: String,
    /// Directory of its logs.
    pub log: String,
    /// The group that may read them.
    pub log_group: String,
}

/// A service that listens on the machine itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Daemon {
    /// Its version.
    pub version: String,
    /// Its packages.
    pub packages: Vec<String>,
    /// Its unit.
    pub unit: String,
    /// Its program.
    pub program: String,
    /// The program that talks to it, where recipes need one.
    #[serde(default)]
    pub client: Option<String>,
    /// Directory of its configuration, or of that part of it which is for additions.
    pub etc: String,
    /// Its socket, or the directory of its sockets.
    pub socket: String,
}

/// Where PHP is, and which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Php {
    /// Its version.
    pub version: String,
    /// Packages of the interpreter and its process manager.
    pub packages: Vec<String>,
    /// Its unit.
    pub unit: String,
    /// Its program.
    pub fpm: String,
    /// Directory of the process manager's configuration.
    pub etc: String,
    /// Directory of its sockets.
    pub run: String,
    /// The package of each extension; `""` for what is part of the interpreter.
    pub extensions: BTreeMap<String, String>,
}

/// Where Python is, and which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Python {
    /// Its version.
    pub version: String,
    /// Packages that virtual environments need.
    pub packages: Vec<String>,
    /// Its program.
    pub program: String,
}
