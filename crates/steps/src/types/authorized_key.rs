//! A public key opens a user's account over ssh: one line of `~/.ssh/authorized_keys`. The other lines stay as they are.
//!
//! Always true here: no link is followed that the user could have planted, and a key has one line: with another comment
//! or other options it is edited, not added, since sshd would take the first.

use pq_stream::{Diagnostic, Difference};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ssh_key::{self, PublicKey};
use super::{accounts, compare_meta, in_the_way};
use crate::ledger::{Thing, ThingKind};
use crate::{AbsPath, Check, Converge, Differences, Error, Kind, Meta, Mode, Probe, Stat, System};

/// Whether something is to be there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// It is there.
    #[default]
    Present,
    /// It is not.
    Absent,
}

/// A public key opens a user's account over ssh, or does not; `sshd` must look into `~/.ssh/authorized_keys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthorizedKey {
    /// Whose account; the user and its home must exist.
    pub user: String,
    /// The public key as its `.pub` file has it: type, base64, comment.
    pub key: String,
    /// What sshd is to hold it to, as in `restrict,command="/usr/bin/rrsync /srv"`; sshd(8) lists them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<String>,
    /// Whether it is to be there, by default `present`; `absent` takes it away, whatever its options and comment.
    #[serde(default)]
    pub state: Presence,
}

/// Where a user's keys are, and whose they must be.
struct Account {
    home: AbsPath,
    directory: AbsPath,
    file: AbsPath,
    group: String,
}

const DIRECTORY: Mode = Mode::from_bits(0o700);
const FILE: Mode = Mode::from_bits(0o600);

impl AuthorizedKey {
    /// The step that takes a key of the ledger away.
    pub(crate) fn gone(name: &str) -> Self {
        let (user, key) = name.split_once(' ').unwrap_or((name, ""));
        AuthorizedKey { user: user.to_owned(), key: key.to_owned(), options: None, state: Presence::Absent }
    }

    /// Its line: the user's file, and the key in it.
    pub fn place(&self) -> String {
        let key = PublicKey::read(&self.key).map_or(String::new(), |key| key.fingerprint());
        format!("~{}/.ssh/authorized_keys {key}", self.user)
    }

    fn key(&self) -> Result<PublicKey, Error> {
        PublicKey::read(&self.key).map_err(|why| self.cannot(format!("the key {why}")).into())
    }

    fn cannot(&self, cause: impl Into<String>) -> Diagnostic {
        Diagnostic::new(format!("cannot keep the ssh keys of `{}`", self.user)).cause(cause)
    }

    /// Where the user's keys are; none where there is no such user.
    fn account(&self, machine: &dyn Probe) -> Result<Option<Account>, Error> {
        let Some(user) = accounts::user(machine, &self.user)? else { return Ok(None) };
        let bad = |why: String| Error::from(self.cannot(format!("its home is not usable: {why}")));
        let home = AbsPath::new(user.home).map_err(bad)?;
        let directory = home.join(".ssh").map_err(bad)?;
        let file = directory.join("authorized_keys").map_err(bad)?;
        let group = accounts::group_of(machine, user.group)?.unwrap_or_else(|| user.group.to_string());
        Ok(Some(Account { home, directory, file, group }))
    }

    /// The user's home is there, and such that sshd trusts what is in it (`StrictModes`).
    fn home_is_trusted(&self, machine: &dyn Probe, home: &AbsPath) -> Result<(), Error> {
        let is = machine.stat(home)?.ok_or_else(|| Error::absent("directory", home.as_str()))?;
        let cause = match is.kind {
            // Whose link it is decides whether it is followed.
            Kind::Symlink => return Ok(()),
            Kind::Directory if is.owner != self.user && is.owner != "root" => {
                format!("its home `{home}` belongs to `{}`", is.owner)
            }
            Kind::Directory if is.mode.bits() & 0o022 != 0 => {
                format!("others can write to its home `{home}` ({})", is.mode)
            }
            Kind::Directory => return Ok(()),
            _ => return Err(in_the_way("directory", home, &is)),
        };
        Err(self
            .cannot(cause)
            .hint("sshd takes no keys from there: correct the home by a `directory` step before this one")
            .into())
    }

    /// What stands at one of the user's places, which must be of a kind; a link is not followed.
    fn stat(machine: &dyn Probe, path: &AbsPath, kind: Kind) -> Result<Option<Stat>, Error> {
        match machine.stat(path)? {
            Some(is) if is.kind != kind => {
                Err(in_the_way(if kind == Kind::File { "file" } else { "directory" }, path, &is))
            }
            is => Ok(is),
        }
    }

    /// The lines of the user's file.
    fn content(machine: &dyn Probe, place: &Account) -> Result<Option<Vec<u8>>, Error> {
        let there = Self::stat(machine, &place.directory, Kind::Directory)?.is_some()
            && Self::stat(machine, &place.file, Kind::File)?.is_some();
        if there { machine.read(&place.file) } else { Ok(None) }
    }

    /// The file with the key's line in it once, where it first stood or at the end; or without it.
    fn edited(&self, key: &PublicKey, content: &[u8]) -> Vec<u8> {
        let wanted = key.line(self.options.as_deref()).into_bytes();
        let mut missing = self.state == Presence::Present;
        let mut edited = Vec::with_capacity(content.len() + wanted.len() + 1);
        for line in content.split_inclusive(|byte| *byte == b'\n') {
            if !key.is_in(line.trim_ascii_end()) {
                edited.extend(line);
            } else if std::mem::take(&mut missing) {
                edited.extend(&wanted);
                edited.push(b'\n');
            }
        }
        if missing {
            if edited.last().is_some_and(|last| *last != b'\n') {
                edited.push(b'\n');
            }
            edited.extend(&wanted);
            edited.push(b'\n');
        }
        // A file that lacks only its last line end has the line all the same.
        if edited.strip_suffix(b"\n") == Some(content) { content.to_vec() } else { edited }
    }

    /// What sshd wants of the directory and the file; where a key only goes, they stay as they are.
    fn meta(&self, place: &Account, mode: Mode) -> Meta {
        match self.state {
            Presence::Present => Meta::new(mode, &self.user, &place.group),
            Presence::Absent => Meta::default(),
        }
    }
}

impl Converge for AuthorizedKey {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let key = self.key()?;
        let what = format!("key {}", key.fingerprint());
        let place = self.account(machine)?;
        let present = self.state == Presence::Present;
        let place = match place {
            Some(place) => place,
            None if present => return Err(Error::absent("user", self.user.clone())),
            None => return Ok(Check::InSync),
        };
        if present {
            self.home_is_trusted(machine, &place.home)?;
        }
        let content = Self::content(machine, &place)?;
        let mut found = Differences::new();
        let is = content.as_deref().unwrap_or_default();
        let there = is.split(|byte| *byte == b'\n').any(|line| key.is_in(line));
        match self.edited(&key, is) == is {
            true => {}
            false if !present => found.push(&what, Some("present"), Some(Difference::ABSENT)),
            false if !there => found.push(&what, Some("missing"), Some("present")),
            // What stands there is the user's, and not for everybody to read.
            false => {
                let wanted = key.line(self.options.as_deref());
                found.push(&what, Some("with another comment, other options or twice"), Some(&wanted));
            }
        }
        if present {
            let user = self.user.as_str();
            for (path, kind, mode) in
                [(&place.directory, Kind::Directory, DIRECTORY), (&place.file, Kind::File, FILE)]
            {
                if let Some(is) = Self::stat(machine, path, kind)? {
                    compare_meta(&mut found, &is, mode, user, &place.group);
                }
            }
        }
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        if self.check(machine)? == Check::InSync {
            return Ok(());
        }
        // Without a user there is no key, which was in sync.
        let Some(place) = self.account(machine)? else { return Ok(()) };
        if self.state == Presence::Present {
            machine.make_dir(&place.directory, &self.meta(&place, DIRECTORY))?;
        }
        // First, since it refuses a file that has other names: the user would be given what is in it.
        if Self::stat(machine, &place.file, Kind::File)?.is_some() {
            machine.set_meta(&place.file, &self.meta(&place, FILE))?;
        }
        let content = Self::content(machine, &place)?.unwrap_or_default();
        let edited = self.edited(&self.key()?, &content);
        match edited == content {
            true => Ok(()),
            false => machine.write(&place.file, &edited, &self.meta(&place, FILE)),
        }
    }

    fn things(&self) -> Vec<Thing> {
        let mut words = self.key.split_whitespace();
        match (self.state, words.next(), words.next()) {
            (Presence::Present, Some(kind), Some(key)) => {
                vec![Thing::new(ThingKind::Key, format!("{} {kind} {key}", self.user))]
            }
            _ => Vec::new(),
        }
    }

    fn validate(&self) -> Result<(), String> {
        accounts::valid_name("user", &self.user)?;
        PublicKey::read(&self.key).map_err(|why| format!("`key` {why}"))?;
        match &self.options {
            None => Ok(()),
            Some(_) if self.state == Presence::Absent => {
                Err("`options` mean nothing where `state` is `absent`: the key goes, whatever they are"
                    .to_owned())
            }
            Some(options) => ssh_key::valid_options(options),
        }
    }
}
