//! The packages that the machine in memory can install.

use std::collections::BTreeMap;

use pq_steps::Error;

use super::MemoryMachine;
use super::disk::What;

/// A package that can be installed: what it brings.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Files by path; those below a `bin` or `sbin` directory are programs.
    pub files: BTreeMap<String, String>,
    /// Symbolic links by path.
    pub links: BTreeMap<String, String>,
    /// System users that it makes, each with a group of its name.
    pub users: Vec<String>,
}

impl Offer {
    /// A package that brings these files.
    pub fn new<'a>(name: &str, files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Offer {
            name: name.to_owned(),
            version: "1.0-1".to_owned(),
            files: files.into_iter().map(|(path, content)| (path.to_owned(), content.to_owned())).collect(),
            links: BTreeMap::new(),
            users: Vec::new(),
        }
    }
}

const PROGRAM: &str = "a program\n";

const SERVICE: &str = "[Service]\n[Install]\nWantedBy=multi-user.target\n";

/// What Debian offers, as far as the examples of the laws need it.
pub(super) fn offers() -> BTreeMap<String, Offer> {
    let rules = "*filter\n### RULES ###\n\n### END RULES ###\nCOMMIT\n";
    let mut zones = Offer::new(
        "tzdata",
        [
            ("/usr/share/zoneinfo/Etc/UTC", "zone UTC\n"),
            ("/usr/share/zoneinfo/Europe/Paris", "zone Paris\n"),
            ("/usr/share/zoneinfo/America/Lima", "zone Lima\n"),
            ("/etc/timezone", "Etc/UTC\n"),
        ],
    );
    zones.links.insert("/etc/localtime".to_owned(), "/usr/share/zoneinfo/Etc/UTC".to_owned());
    // Servers that run as soon as they are installed, which those of Debian do where nothing forbids it.
    let mut postgres = Offer::new(
        "postgresql",
        [
            ("/usr/lib/postgresql/15/bin/psql", PROGRAM),
            ("/run/postgresql/.s.PGSQL.5432", ""),
            ("/var/lib/postgresql/catalogue", ""),
            ("/usr/lib/systemd/system/postgresql.service", SERVICE),
        ],
    );
    postgres.users.push("postgres".to_owned());
    let mut mariadb = Offer::new(
        "mariadb-server",
        [
            ("/usr/bin/mariadb", PROGRAM),
            ("/run/mysqld/mysqld.sock", ""),
            ("/var/lib/mysql/catalogue", ""),
            ("/usr/lib/systemd/system/mariadb.service", SERVICE),
        ],
    );
    mariadb.users.push("mysql".to_owned());
    let all = [
        postgres,
        mariadb,
        Offer::new("tree", [("/usr/bin/tree", PROGRAM)]),
        Offer::new("python3-venv", [("/usr/lib/python3.11/ensurepip/__init__.py", "# pip inside\n")]),
        Offer::new(
            "locales",
            [
                ("/usr/sbin/locale-gen", PROGRAM),
                ("/usr/share/i18n/SUPPORTED", "en_US.UTF-8 UTF-8\nfr_FR ISO-8859-1\nfr_FR.UTF-8 UTF-8\n"),
                ("/etc/locale.gen", "# This file lists locales\n# en_US.UTF-8 UTF-8\n# fr_FR.UTF-8 UTF-8\n"),
            ],
        ),
        zones,
        Offer::new(
            "ufw",
            [
                ("/usr/sbin/ufw", PROGRAM),
                ("/etc/default/ufw", "IPV6=yes\nDEFAULT_INPUT_POLICY=\"DROP\"\n"),
                ("/etc/ufw/ufw.conf", "ENABLED=no\nLOGLEVEL=low\n"),
                ("/etc/ufw/user.rules", rules),
                ("/etc/ufw/user6.rules", rules),
            ],
        ),
    ];
    all.into_iter().chain(web_servers()).map(|offer| (offer.name.clone(), offer)).collect()
}

/// nginx and apache2, as far as their sites and modules go.
fn web_servers() -> Vec<Offer> {
    let mut nginx = Offer::new("nginx", [("/etc/nginx/sites-available/default", "server { }\n")]);
    let default = "/etc/nginx/sites-available/default".to_owned();
    nginx.links.insert("/etc/nginx/sites-enabled/default".to_owned(), default);
    let available = |file: &str| format!("/etc/apache2/mods-available/{file}");
    let modules = [
        ("mpm_event.load", "# Conflicts: mpm_worker mpm_prefork\nLoadModule mpm_event_module x\n"),
        ("mpm_event.conf", "StartServers 2\n"),
        ("mpm_prefork.load", "# Conflicts: mpm_event mpm_worker\nLoadModule mpm_prefork_module x\n"),
        ("mpm_prefork.conf", "StartServers 5\n"),
        ("env.load", "LoadModule env_module x\n"),
        ("mime.load", "LoadModule mime_module x\n"),
        ("mime.conf", "TypesConfig /etc/mime.types\n"),
        ("setenvif.load", "LoadModule setenvif_module x\n"),
        ("setenvif.conf", "BrowserMatch x y\n"),
        ("socache_shmcb.load", "LoadModule socache_shmcb_module x\n"),
        ("ssl.load", "# Depends: setenvif mime socache_shmcb\nLoadModule ssl_module x\n"),
        ("ssl.conf", "SSLSessionCacheTimeout 300\n"),
    ]
    .map(|(file, content)| (available(file), content));
    let site = ("/etc/apache2/sites-available/000-default.conf".to_owned(), "<VirtualHost *:80>\n");
    let notes = [
        "module/enabled_by_maint/mpm_event",
        "module/enabled_by_maint/mime",
        "site/enabled_by_admin/000-default",
    ]
    .map(|note| (format!("/var/lib/apache2/{note}"), ""));
    let files = modules.iter().chain([&site]).chain(&notes);
    let mut apache = Offer::new("apache2", files.map(|(path, content)| (path.as_str(), *content)));
    for (kind, file) in [
        ("mods", "mpm_event.conf"),
        ("mods", "mpm_event.load"),
        ("mods", "mime.conf"),
        ("mods", "mime.load"),
        ("mods", "env.load"),
        ("sites", "000-default.conf"),
    ] {
        let target = format!("../{kind}-available/{file}");
        apache.links.insert(format!("/etc/apache2/{kind}-enabled/{file}"), target);
    }
    vec![nginx, apache]
}

impl MemoryMachine {
    /// Removes packages and their files; what is below `/etc` stays.
    pub(super) fn uninstall_packages(&mut self, names: &[&str]) -> Result<(), Error> {
        for name in names {
            let files = self.offers.get(*name).map(|offer| offer.files.clone()).unwrap_or_default();
            for path in files.keys().filter(|path| !path.starts_with("/etc/")) {
                if self.disk.get(path).is_some() {
                    self.disk.unlink(path)?;
                }
            }
            self.disk.act()?;
            self.installed.remove(*name);
        }
        Ok(())
    }

    /// Installs packages: unpacks each, then configures each. Files below `/etc` that are there stay as they are.
    pub(super) fn install_packages(&mut self, names: &[&str]) -> Result<(), Error> {
        let mut wanted = Vec::new();
        for name in names {
            let unknown =
                || Error::failed("cannot install packages", format!("unable to locate package {name}"));
            wanted.push(self.offers.get(*name).cloned().ok_or_else(unknown)?);
        }
        for offer in &wanted {
            // As apt does: what is named and there in another version is upgraded.
            if self.installed.get(&offer.name).is_some_and(|(version, _)| *version == offer.version) {
                continue;
            }
            self.disk.act()?;
            self.installed.insert(offer.name.clone(), (offer.version.clone(), false));
        }
        for offer in &wanted {
            if self.installed.get(&offer.name).is_some_and(|(_, configured)| *configured) {
                continue;
            }
            for (path, content) in &offer.files {
                self.disk.act()?;
                let mode = if path.contains("bin/") { 0o755 } else { 0o644 };
                if !path.starts_with("/etc/") || self.disk.get(path).is_none() {
                    self.disk.lay_node(path, What::File(content.clone().into_bytes()), mode);
                }
            }
            for (number, user) in (100..).zip(&offer.users) {
                let lines = [
                    ("/etc/passwd", format!("{user}:x:{number}:{number}::/var/lib/{user}:/bin/sh\n")),
                    ("/etc/group", format!("{user}:x:{number}:\n")),
                ];
                for (path, line) in lines {
                    let text = self.disk.text(path);
                    if !text.contains(&line) {
                        self.disk.replace(path, (text + &line).as_bytes())?;
                    }
                }
            }
            for (path, target) in &offer.links {
                self.disk.act()?;
                if self.disk.get(path).is_none() {
                    self.disk.lay_node(path, What::Link(target.clone()), 0o777);
                }
            }
            self.disk.act()?;
            self.installed.insert(offer.name.clone(), (offer.version.clone(), true));
            self.reloaded = self.disk.clock;
        }
        Ok(())
    }
}
