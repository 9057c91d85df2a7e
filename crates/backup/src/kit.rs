//! The recovery kit: one page with all that it takes to restore this machine from nothing but a repository.
//!
//! Always true here: what opens repositories stands in it sealed, for people whose identities are on no machine; this one can write it and
//! not open it. Its key is one of its own: the daily one can be taken away without it, and it without the daily one. Writing a new kit
//! takes the key of the one before away, once the new one is on the disk.

mod page;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pq_secrets::{ExposeSecret as _, Identities, Recipients, SecretString, new_password};
use pq_store::{RUN_DIR, replace};
use pq_stream::{Diagnostic, system_cause, utc};
use serde::{Deserialize, Serialize};

use crate::restic::Restic;
use crate::session::{Session, Teller};
use crate::setup::Setup;

/// Whose key it is, as restic lists it.
const USER: &str = "recovery-kit";

/// Characters of its password.
const LENGTH: usize = 40;

/// What is sealed.
#[derive(Clone, Serialize, Deserialize)]
pub struct Kit {
    /// The machine.
    pub host: String,
    /// When it was made.
    pub made: String,
    /// The version of restic.
    pub restic: String,
    /// Its repositories.
    pub repositories: Vec<Repository>,
    /// What ssh needs to reach those that it reaches: the machine's key, and the keys of the others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ssh: BTreeMap<String, String>,
}

/// A repository, and what opens it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Repository {
    /// What the target is called.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// The kit's own password.
    pub password: String,
    /// Variables of the transport.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// The page as text, and as HTML.
    pub files: Vec<PathBuf>,
    /// The targets that it opens.
    pub targets: Vec<String>,
    /// What could not be done.
    pub failed: Vec<Diagnostic>,
}

/// Writes a new kit into a directory.
///
/// # Errors
/// Where nobody could open it, or it cannot be written: the kit before stays good then.
pub fn write_kit(session: &mut Session, into: &Path, told: &mut dyn Teller) -> Result<Written, Diagnostic> {
    let strategy = session.setup.strategy.clone();
    let named: Vec<&str> = strategy.recovery_recipients.iter().map(|it| it.as_str()).collect();
    if named.is_empty() {
        return Err(Diagnostic::new("nobody could open a recovery kit: it is sealed for nobody")
            .cause("`backup_recovery_recipients` is not set")
            .hint("`pq-secret keygen -o recovery.txt` makes an identity: keep it away from every machine, on paper and with somebody else, and set its `age1…` there")
            .hint("two identities are better than one: whoever has the kit may have lost theirs"));
    }
    let recipients = Recipients::parse(&named.join("\n"), Path::new("backup_recovery_recipients"))
        .map_err(|error| Diagnostic::from_error(&error))?;
    let mut written = Written::default();
    let mut kit = Kit {
        host: session.setup.host.clone(),
        made: utc(SystemTime::now()),
        restic: session.version.clone(),
        repositories: Vec::new(),
        ssh: ssh(&strategy.targets.iter().map(|it| it.url.as_str()).collect::<Vec<_>>()),
    };
    let mut keys = Vec::new();
    for target in &strategy.targets {
        if !session.state.targets.contains_key(target.name.as_str()) {
            told.note(&format!("target `{}` is not in the kit: nothing was written to it yet", target.name));
            continue;
        }
        let restic = session.setup.restic(target)?;
        match key(&restic, told) {
            Ok((password, before)) => {
                kit.repositories.push(Repository {
                    name: target.name.to_string(),
                    url: restic.url.clone(),
                    password: password.expose_secret().to_owned(),
                    env: restic.env.iter().cloned().collect(),
                });
                written.targets.push(target.name.to_string());
                keys.push((restic, before));
            }
            Err(error) => written.failed.push(error),
        }
    }
    if kit.repositories.is_empty() {
        let none = Diagnostic::new("there is no repository that a kit could open");
        return Err(written
            .failed
            .pop()
            .unwrap_or_else(|| none.hint("`pq-backup run` makes the first backup")));
    }
    let plain = SecretString::from(
        serde_json::to_string_pretty(&kit).map_err(|error| Diagnostic::from_error(&error))?,
    );
    let sealed = recipients
        .encrypt(plain.expose_secret().as_bytes(), true)
        .map_err(|error| Diagnostic::from_error(&error))?;
    let text = page::text(&kit, &session.setup, &named, &String::from_utf8_lossy(&sealed));
    for (ending, content) in [("txt", text.clone()), ("html", page::html(&kit.host, &text))] {
        let path = into.join(format!("recovery-kit-{}.{ending}", kit.host));
        replace(&path, content.as_bytes()).map_err(|error| {
            Diagnostic::new(format!("cannot write `{}`", path.display())).cause(system_cause(&error))
        })?;
        written.files.push(path);
    }
    session.state.kit = Some(kit.made.clone());
    session.save()?;
    // Only now: whoever is killed before has two good kits.
    for (restic, before) in keys {
        for id in before {
            let args = ["key", "remove", &id].map(str::to_owned);
            if let Err(failed) = restic.call("take away the key of the kit before", &args, &mut |_| {}) {
                told.note(&format!("the kit before still opens `{}`: {}", restic.url, failed.why));
            }
        }
    }
    Ok(written)
}

/// Makes a new key, and answers its password and the ids of the kits' keys that were there.
fn key(restic: &Restic, told: &mut dyn Teller) -> Result<(SecretString, Vec<String>), Diagnostic> {
    let there = restic.keys().map_err(|failed| failed.why)?;
    let cannot = |error: std::io::Error| Diagnostic::new("cannot make a key").cause(system_cause(&error));
    let password = new_password(LENGTH).map_err(cannot)?;
    // In memory: what is below /run is on no disk.
    let mut file = tempfile::Builder::new().prefix("kit-").tempfile_in(RUN_DIR).map_err(cannot)?;
    file.write_all(password.expose_secret().as_bytes()).and_then(|()| file.flush()).map_err(cannot)?;
    let new = file.path().display().to_string();
    let add = ["key", "add", "--user", USER, "--new-password-file", &new].map(str::to_owned);
    restic.call("add the key of a kit", &add, &mut |_| {}).map_err(|failed| failed.why)?;
    // Else each call might try this one first, which is not its own.
    let kits = Restic { password_file: file.path().to_owned(), ..restic.clone() };
    if let Err(failed) = kits.cheapen() {
        told.note(&failed.why.to_string());
    }
    Ok((password, there.into_iter().filter(|it| it.user == USER).map(|it| it.id).collect()))
}

/// What ssh needs, where a target is reached by it.
fn ssh(urls: &[&str]) -> BTreeMap<String, String> {
    if !urls.iter().any(|url| url.starts_with("sftp:")) {
        return BTreeMap::new();
    }
    let names = ["known_hosts", "config", "id_ed25519", "id_rsa", "id_ecdsa"];
    let read = |name: &str| Some((name.to_owned(), fs::read_to_string(format!("/root/.ssh/{name}")).ok()?));
    names.into_iter().filter_map(read).collect()
}

impl Kit {
    /// Opens a kit: the page itself, or the sealed part of it.
    ///
    /// # Errors
    /// Where it is none, or none of the identities opens it.
    pub fn open(file: &Path, identities: &Identities) -> Result<Self, Diagnostic> {
        let shown = file.display().to_string();
        let text = fs::read_to_string(file)
            .map_err(|error| Diagnostic::new(format!("cannot read `{shown}`")).cause(system_cause(&error)))?;
        let begin = text.find("-----BEGIN AGE ENCRYPTED FILE-----");
        let end = text.find("-----END AGE ENCRYPTED FILE-----").map(|at| at + 32);
        let (Some(begin), Some(end)) = (begin, end) else {
            return Err(Diagnostic::new(format!("`{shown}` is no recovery kit"))
                .cause("the lines from BEGIN to END AGE ENCRYPTED FILE are not there"));
        };
        let sealed = text.get(begin..end).unwrap_or_default();
        let opened = identities
            .decrypt(sealed.as_bytes(), &format!("`{shown}`"))
            .map_err(|error| Diagnostic::from_error(&error))?;
        serde_json::from_str(opened.expose_secret()).map_err(|_| {
            Diagnostic::new(format!("what is sealed in `{shown}` is no recovery kit of this version"))
        })
    }

    /// A setup that reads its repositories, and nothing of this machine. Passwords are written where only root reads, in memory.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn setup(&self) -> Result<Setup, Diagnostic> {
        let cannot =
            |error: &std::io::Error| Diagnostic::new("cannot use a recovery kit").cause(system_cause(error));
        fs::create_dir_all(RUN_DIR).map_err(|error| cannot(&error))?;
        let write = |name: String, text: &str| -> Result<String, Diagnostic> {
            let path = Path::new(RUN_DIR).join(name);
            let _ = fs::remove_file(&path);
            let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
            file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| cannot(&error))?;
            Ok(path.display().to_string())
        };
        let mut targets = Vec::new();
        for it in &self.repositories {
            let mut target = serde_json::json!({ "name": it.name, "url": it.url,
                "password_file": write(format!("kit-{}.key", it.name), &it.password)? });
            if !it.env.is_empty() {
                let lines: String = it.env.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
                target["env_file"] = write(format!("kit-{}.env", it.name), &lines)?.into();
            }
            targets.push(target);
        }
        let time = "0 3 * * *";
        let strategy = serde_json::json!({
            "schedule": { "run": time, "copy": time, "verify": time, "forget": time, "rehearse": time },
            "retention": { "daily": 7, "weekly": 5, "monthly": 12 },
            "targets": targets, "max_age": "26h", "keep_free": 1,
        });
        let strategy = serde_json::from_value(strategy).map_err(|error| {
            Diagnostic::new("the kit names a repository that cannot be used").cause(error.to_string())
        })?;
        Ok(Setup { strategy, items: Vec::new(), broken: Vec::new(), host: self.host.clone() })
    }
}
