//! How Debian's apache2 is put together: modules and sites are files in `…-available` and links in `…-enabled`, and
//! `/var/lib/apache2` notes who wanted them.
//!
//! The links are what counts, for apache2 and for `a2query`. The notes are for packages: one that an administrator
//! disabled is not enabled again when its package is upgraded. They are written as `a2enmod` and `a2ensite` write them
//! (apache2 2.4, `switch_marker`), before the links, so that no link is ever without its note.

use pq_stream::Diagnostic;

use super::{ensure_directory, in_the_way, write_root};
use crate::{AbsPath, Error, Kind, Probe, System};

/// What a link in a directory of enabled things is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Link {
    /// There is none.
    Missing,
    /// It leads to the file of that name.
    Right,
    /// It leads there.
    Elsewhere(String),
}

/// A link of an enabled thing, and where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Enabled {
    pub link: AbsPath,
    pub target: AbsPath,
}

impl Enabled {
    /// The link of a name in `BASE/KIND-enabled` to the file in `BASE/KIND-available`.
    pub fn of(base: &'static str, kind: &str, name: &str) -> Result<Self, Error> {
        let path = |directory: &str| {
            AbsPath::new(format!("{base}/{kind}-{directory}/{name}")).map_err(|cause| {
                Error::failed(format!("cannot use `{name}` as a name below `{base}`"), cause)
            })
        };
        Ok(Enabled { link: path("enabled")?, target: path("available")? })
    }

    /// What is written into the link: relative, as Debian's own tools do.
    pub fn text(&self) -> String {
        let directory = self.target.parent().map_or(String::new(), |parent| parent.name().to_owned());
        format!("../{directory}/{}", self.target.name())
    }

    /// What stands there; something that is no link is refused.
    pub fn look(&self, machine: &dyn Probe) -> Result<Link, Error> {
        match machine.stat(&self.link)? {
            None => return Ok(Link::Missing),
            Some(is) if is.kind != Kind::Symlink => return Err(in_the_way("link", &self.link, &is)),
            Some(_) => {}
        }
        let is = machine.read_link(&self.link)?.unwrap_or_default();
        match is == self.text() || is == self.target.as_str() {
            true => Ok(Link::Right),
            false => Ok(Link::Elsewhere(is)),
        }
    }

    /// Whether the file that it is to lead to is there.
    pub fn is_available(&self, machine: &dyn Probe) -> Result<bool, Error> {
        Ok(machine.stat(&self.target)?.is_some())
    }

    /// Makes the link, unless it is right.
    pub fn enable(&self, machine: &mut dyn System) -> Result<(), Error> {
        match self.look(machine)? {
            Link::Right => Ok(()),
            Link::Missing | Link::Elsewhere(_) => machine.symlink(&self.text(), &self.link),
        }
    }

    /// Takes the link away, wherever it leads.
    pub fn disable(&self, machine: &mut dyn System) -> Result<(), Error> {
        match self.look(machine)? {
            Link::Missing => Ok(()),
            Link::Right | Link::Elsewhere(_) => machine.remove(&self.link),
        }
    }
}

/// Where apache2 notes who wanted what.
const NOTES: &str = "/var/lib/apache2";

/// Its kinds of notes: a thing has one of them.
const STATES: [&str; 4] = ["enabled_by_admin", "enabled_by_maint", "disabled_by_admin", "disabled_by_maint"];

/// Notes that an administrator enabled or disabled a `module` or `site`; other notes of it go.
pub(super) fn note(
    machine: &mut dyn System,
    what: &'static str,
    name: &str,
    enabled: bool,
) -> Result<(), Error> {
    let ours = if enabled { "enabled_by_admin" } else { "disabled_by_admin" };
    let path_of_ours = noted(what, ours, name)?;
    ensure_directory(machine, path_of_ours.parent())?;
    write_root(machine, &path_of_ours, b"")?;
    for other in STATES.into_iter().filter(|other| *other != ours) {
        machine.remove(&noted(what, other, name)?)?;
    }
    Ok(())
}

/// Where one of its notes stands.
fn noted(what: &str, state: &str, name: &str) -> Result<AbsPath, Error> {
    AbsPath::new(format!("{NOTES}/{what}/{state}/{name}"))
        .map_err(|cause| Error::failed(format!("cannot note the {what} `{name}`"), cause))
}

/// Takes away what is noted of a site whose link is about to go.
pub(super) fn forget_site(machine: &mut dyn System, link: &AbsPath) -> Result<(), Error> {
    let name =
        link.as_str().strip_prefix("/etc/apache2/sites-enabled/").and_then(|name| name.strip_suffix(".conf"));
    let Some(name) = name else { return Ok(()) };
    STATES.into_iter().try_for_each(|state| machine.remove(&noted("site", state, name)?))
}

/// Refuses a name that leads elsewhere, or that a server would pass over.
pub(super) fn valid_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    match name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') && name.chars().all(plain) {
        true if name.len() <= 128 => Ok(()),
        _ => Err(format!(
            "`name` `{}` has other characters than letters, digits, `.`, `_` and `-`, or does not begin with one of the first",
            name.escape_debug()
        )),
    }
}

/// The error where others have to go before.
pub(super) fn others_first(message: String, cause: String, others: &[String], what: &str) -> Error {
    let names = others.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    Diagnostic::new(message)
        .cause(format!("{cause} {names}"))
        .hint(format!("put a step before this one that {what} {names}"))
        .into()
}
