//! `pq-server query`: what is installed on this machine: instances, and what they stand on.
//!
//! Asked are the machine's own files: the ledger, what `current` leads to, the site and the certificate that it serves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use pq_machine::{Machine, Until, upstream, usage};
use pq_steps::ledger::{Ledger, ThingKind};
use pq_steps::types::installed_version;
use pq_steps::{AbsPath, Error, Probe};
use pq_store::{BACKED, Backed, BackedItem, STATE_DIR};
use pq_stream::{Diagnostic, HostInstalled, InstalledInstance, utc, valid_instance_id};

use crate::space::bases;

/// How long sizes are read.
const MOST: Duration = Duration::from_secs(40);

/// What survives a new release, in an instance's home.
const DATA: [&str; 2] = ["data", "kept"];

/// Packages that are components, and what those are called.
const COMPONENTS: [(&str, &str); 9] = [
    ("nginx", "nginx"),
    ("apache2", "apache2"),
    ("mariadb-server", "mariadb"),
    ("mysql-server", "mysql"),
    ("redis-server", "redis"),
    ("docker.io", "docker"),
    ("docker-ce", "docker"),
    ("python3", "python"),
    ("restic", "restic"),
];

/// Versions of PHP and PostgreSQL that stand in the names of packages.
const PHP: [&str; 14] =
    ["5.6", "7.0", "7.1", "7.2", "7.3", "7.4", "8.0", "8.1", "8.2", "8.3", "8.4", "8.5", "8.6", "9.0"];
const POSTGRES: std::ops::RangeInclusive<u32> = 9..=25;

/// What is installed on this machine, whose instances are below `base`; its name is left empty.
///
/// # Errors
/// Where the machine does not answer.
pub fn installed(base: &str) -> Result<HostInstalled, Diagnostic> {
    let until = Until::within(MOST);
    let size = |path: &AbsPath| usage(Path::new(path.as_str()), until).map(|it| it.size);
    read(&Machine::local(), base, &size).map_err(Error::into_diagnostic)
}

fn read(
    machine: &dyn Probe,
    base: &str,
    size: &dyn Fn(&AbsPath) -> Option<u64>,
) -> Result<HostInstalled, Error> {
    let ledger = Ledger::of(machine)?;
    let mut backed = backed(machine)?;
    let mut instances = BTreeMap::new();
    for base in bases(&ledger, base) {
        let www = at(&format!("{}/www", base.display()))?;
        for id in machine.list(&www)?.unwrap_or_default() {
            if valid_instance_id(&id).is_err() {
                continue;
            }
            let home = at(&format!("{www}/{id}"))?;
            if let Some(instance) = instance(machine, &ledger, &id, &home, backed.items.remove(&id), size)? {
                instances.insert(id, instance);
            }
        }
    }
    Ok(HostInstalled {
        host: String::new(),
        instances: instances.into_values().collect(),
        components: components(machine)?,
    })
}

/// An instance; nothing where only what it left is there.
fn instance(
    machine: &dyn Probe,
    ledger: &Ledger,
    id: &str,
    home: &AbsPath,
    backed: Option<BackedItem>,
    size: &dyn Fn(&AbsPath) -> Option<u64>,
) -> Result<Option<InstalledInstance>, Error> {
    let version = installed_version(machine, &below(home, "current")?)?;
    if version.is_none() && !ledger.owners().contains(id) {
        return Ok(None);
    }
    let mut sizes = Vec::new();
    for directory in DATA {
        sizes.extend(size(&below(home, directory)?));
    }
    let backed = backed.unwrap_or_default();
    let site = site(machine, ledger, id)?;
    let chain = site.chain.unwrap_or_else(|| format!("/etc/paquerette/tls/{id}/chain.pem"));
    // One that cannot be read serves nobody: no end of it is known.
    let certificate = AbsPath::new(chain).ok().and_then(|chain| machine.certificate(&chain).ok().flatten());
    let domains = match site.names.is_empty() {
        true => certificate.as_ref().map(|it| it.names.clone()).unwrap_or_default(),
        false => site.names.into_iter().collect(),
    };
    Ok(Some(InstalledInstance {
        id: id.to_owned(),
        app: application(machine, id)?,
        state: if version.is_some() { "present" } else { "incomplete" }.to_owned(),
        version,
        wanted: None,
        listed: None,
        domains,
        size: (!sizes.is_empty()).then(|| sizes.iter().sum()),
        backup: backed.newest.map(|it| it.when),
        proven: backed.proven.map(|it| it.when),
        certificate: certificate.map(|it| utc(it.not_after)),
    }))
}

/// What pq-backup remembers; where that cannot be read, nothing is known, and `pq-backup status` says why.
fn backed(machine: &dyn Probe) -> Result<Backed, Error> {
    let bytes = machine.read(&at(&format!("{STATE_DIR}/{BACKED}"))?)?.unwrap_or_default();
    Ok(serde_json::from_slice(&bytes).unwrap_or_default())
}

/// The application that an instance is of: its user's comment is `paquerette <application>`.
fn application(machine: &dyn Probe, id: &str) -> Result<Option<String>, Error> {
    let text = machine.read(&at("/etc/passwd")?)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find(|line| line.split(':').next() == Some(id));
    let comment = line.and_then(|line| line.split(':').nth(4)?.strip_prefix("paquerette "));
    Ok(comment.map(str::to_owned))
}

/// What a site says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
struct Site {
    names: BTreeSet<String>,
    chain: Option<String>,
}

/// The site of an instance, as its web server has it.
fn site(machine: &dyn Probe, ledger: &Ledger, id: &str) -> Result<Site, Error> {
    let files = ledger.of_owner(id);
    let sites = files
        .iter()
        .filter(|(thing, _)| thing.kind == ThingKind::File && thing.name.contains("/sites-available/"));
    for (thing, _) in sites {
        if let Some(bytes) = machine.read(&thing.path()?)? {
            return Ok(parse(&String::from_utf8_lossy(&bytes)));
        }
    }
    Ok(Site::default())
}

/// Reads names and certificate out of a site of nginx or apache2, one directive a line.
fn parse(text: &str) -> Site {
    let mut site = Site::default();
    for line in text.lines() {
        let mut words = line.trim().trim_end_matches(';').split_whitespace();
        match words.next() {
            Some("server_name" | "ServerName" | "ServerAlias") => {
                site.names.extend(words.map(str::to_owned));
            }
            Some("ssl_certificate" | "SSLCertificateFile") => {
                site.chain = words.next().map(|path| path.trim_matches('"').to_owned());
            }
            _ => {}
        }
    }
    site
}

/// The components that are installed, with the versions that their makers call them by.
fn components(machine: &dyn Probe) -> Result<BTreeMap<String, String>, Error> {
    let mut found = BTreeMap::new();
    for (package, name) in COMPONENTS {
        if let Some(it) = machine.package(package)? {
            found.insert(name.to_owned(), upstream(&it.version).to_owned());
        }
    }
    let php = PHP.iter().map(|version| (format!("php{version}-fpm"), format!("php{version}")));
    let postgres = POSTGRES.map(|version| (format!("postgresql-{version}"), format!("postgres{version}")));
    for (package, name) in php.chain(postgres) {
        if let Some(it) = machine.package(&package)? {
            found.insert(name, upstream(&it.version).to_owned());
        }
    }
    Ok(found)
}

fn at(path: &str) -> Result<AbsPath, Error> {
    AbsPath::new(path).map_err(|cause| Error::failed(format!("cannot look at `{path}`"), cause))
}

fn below(home: &AbsPath, name: &str) -> Result<AbsPath, Error> {
    home.join(name).map_err(|cause| Error::failed(format!("cannot look into `{home}`"), cause))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pq_steps::ledger::{Entry, LEDGER, Thing, What};
    use pq_steps::{Meta, Mode, System};
    use pq_testkit::memory::MemoryMachine;
    use serde_json::json;

    fn entry(kind: ThingKind, name: &str) -> String {
        let what = What::Wanted { owner: "wiki".to_owned(), before: false };
        serde_json::to_string(&Entry { thing: Thing::new(kind, name), what }).unwrap() + "\n"
    }

    #[test]
    fn an_instance_is_what_its_files_say() {
        let mut machine = MemoryMachine::debian_12();
        let meta = Meta::new(Mode::from_bits(0o755), "root", "root");
        for path in ["/srv", "/srv/other", "/srv/other/www", "/srv/other/www/wiki", "/srv/other/www/old"] {
            machine.make_dir(&at(path).unwrap(), &meta).unwrap();
        }
        machine.symlink("releases/2022-07-31a", &at("/srv/other/www/wiki/current").unwrap()).unwrap();
        let site = "/etc/nginx/sites-available/wiki.conf";
        machine.put(
            site,
            "server {\n    server_name wiki.test www.wiki.test;\n    ssl_certificate /etc/none.pem;\n}\n",
        );
        machine
            .put(LEDGER, entry(ThingKind::Directory, "/srv/other/www/wiki") + &entry(ThingKind::File, site));
        machine.put(
            "/etc/passwd",
            "root:x:0:0::/root:/bin/sh\nwiki:x:999:999:paquerette dokuwiki:/srv:/bin/false\n",
        );
        let backed = json!({"items": {"wiki": {"newest": {"when": "2026-11-23T02:12:00Z", "set": "1"}, "proven": {"when": "2026-11-01T04:30:00Z"}}}});
        machine.put("/var/lib/paquerette/backup/state.json", backed.to_string());
        let size = |path: &AbsPath| path.as_str().ends_with("/data").then_some(4096);
        let is = read(&machine, "/srv/paquerette", &size).unwrap();
        assert_eq!(
            is.instances,
            [InstalledInstance {
                id: "wiki".to_owned(),
                app: Some("dokuwiki".to_owned()),
                state: "present".to_owned(),
                version: Some("2022-07-31a".to_owned()),
                domains: vec!["wiki.test".to_owned(), "www.wiki.test".to_owned()],
                size: Some(4096),
                backup: Some("2026-11-23T02:12:00Z".to_owned()),
                proven: Some("2026-11-01T04:30:00Z".to_owned()),
                ..InstalledInstance::default()
            }]
        );
    }

    #[test]
    fn both_web_servers_say_which_certificate_they_serve() {
        let nginx = parse(
            "server {\n  server_name a.test b.test;\n  ssl_certificate /etc/x/chain.pem;\n  ssl_certificate_key /k;\n}",
        );
        let apache = parse(
            "<VirtualHost *:443>\n  ServerName a.test\n  ServerAlias b.test\n  SSLCertificateFile /etc/x/chain.pem\n  SSLCertificateKeyFile /k\n",
        );
        assert_eq!(nginx, apache);
        assert_eq!(nginx.chain.as_deref(), Some("/etc/x/chain.pem"));
        assert_eq!(nginx.names.len(), 2);
    }
}
