//! What a service reads: the files that its globs match, their digest together, and when one of them last changed.
//!
//! A glob is matched part by part, so only directories that it names are listed; `**` matches any number of them.
//! Links are followed for content, and are part of the digest themselves.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::SystemTime;

use globset::{Glob, GlobBuilder, GlobMatcher};
use sha2::{Digest, Sha256};

use crate::{AbsPath, Error, Kind, Probe};

/// How many links are followed from one path.
const LINKS: usize = 16;

/// What the globs of a service match now.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// Path → what it is and holds.
    found: BTreeMap<String, String>,
    /// The latest change of a file, of a link on the way to it, or of a directory that was listed.
    newest: Option<SystemTime>,
}

impl Reads {
    /// Looks at everything that the globs match.
    pub(super) fn look(machine: &dyn Probe, globs: &[String]) -> Result<Self, Error> {
        let mut reads = Reads::default();
        for glob in globs {
            let parts: Vec<&str> = glob.split('/').filter(|part| !part.is_empty()).collect();
            reads.walk(machine, &AbsPath::known("/"), &parts)?;
        }
        Ok(reads)
    }

    /// SHA-256 over paths, kinds and contents, in hexadecimal.
    pub(super) fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        for (path, what) in &self.found {
            hasher.update(format!("{path}\0{what}\n"));
        }
        hasher.finalize().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Whether nothing changed since then.
    pub(super) fn older_than(&self, time: SystemTime) -> bool {
        self.newest.is_none_or(|newest| newest < time)
    }

    fn changed(&mut self, time: SystemTime) {
        self.newest = self.newest.max(Some(time));
    }

    fn walk(&mut self, machine: &dyn Probe, at: &AbsPath, parts: &[&str]) -> Result<(), Error> {
        let Some((part, rest)) = parts.split_first() else { return self.take(machine, at) };
        if *part == "**" {
            self.walk(machine, at, rest)?;
        } else if !part.contains(SPECIAL) {
            let path = at.join(part).map_err(|cause| Error::failed("cannot follow a glob", cause))?;
            return self.walk(machine, &path, rest);
        }
        let deep = *part == "**";
        let fitting = Part::of(part)?;
        for name in self.names(machine, at)? {
            let Ok(path) = at.join(&name) else { continue };
            let directory =
                || Ok::<_, Error>(machine.stat(&path)?.is_some_and(|is| is.kind == Kind::Directory));
            if deep && directory()? {
                self.walk(machine, &path, parts)?;
            } else if !deep && fitting.fits(&name) && (!name.starts_with('.') || part.starts_with('.')) {
                self.walk(machine, &path, rest)?;
            }
        }
        Ok(())
    }

    /// The names in a directory, whose own change is one of what is read: a file may have gone.
    fn names(&mut self, machine: &dyn Probe, at: &AbsPath) -> Result<Vec<String>, Error> {
        let Some((_, is)) = self.follow(machine, at)? else { return Ok(Vec::new()) };
        match is {
            Kind::Directory => Ok(machine.list(at)?.unwrap_or_default()),
            _ => Ok(Vec::new()),
        }
    }

    /// Notes what stands at a path.
    fn take(&mut self, machine: &dyn Probe, path: &AbsPath) -> Result<(), Error> {
        let Some((links, kind)) = self.follow(machine, path)? else {
            // A file that went leaves its trace in the directory.
            if let Some(parent) = path.parent() {
                self.follow(machine, &parent)?;
            }
            return Ok(());
        };
        let what = match kind {
            Kind::File => format!("file {}", machine.sha256(path)?.unwrap_or_default()),
            Kind::Directory => "directory".to_owned(),
            Kind::Symlink => "dangling".to_owned(),
            Kind::Other => "special".to_owned(),
        };
        self.found.insert(path.as_str().to_owned(), format!("{links}{what}"));
        Ok(())
    }

    /// Follows the links at a path: their targets as text, and the kind of what is at the end. Notes every change.
    fn follow(&mut self, machine: &dyn Probe, path: &AbsPath) -> Result<Option<(String, Kind)>, Error> {
        let Some(mut is) = machine.stat(path)? else { return Ok(None) };
        let (mut at, mut links) = (path.clone(), String::new());
        for _ in 0..LINKS {
            self.changed(is.changed);
            if is.kind != Kind::Symlink {
                return Ok(Some((links, is.kind)));
            }
            let target = machine.read_link(&at)?.unwrap_or_default();
            let _ = write!(links, "link {target}, ");
            let Some(next) = resolved(&at, &target) else { break };
            let Some(there) = machine.stat(&next)? else { break };
            (at, is) = (next, there);
        }
        Ok(Some((links, Kind::Symlink)))
    }
}

/// The paths that a glob matches now.
pub(super) fn matching(machine: &dyn Probe, glob: &str) -> Result<Vec<AbsPath>, Error> {
    let reads = Reads::look(machine, &[glob.to_owned()])?;
    let path = |path: &String| {
        AbsPath::new(path.clone()).map_err(|cause| Error::failed("cannot follow a glob", cause))
    };
    reads.found.keys().map(path).collect()
}

/// Where a link's text leads, by its parts.
pub(super) fn resolved(link: &AbsPath, target: &str) -> Option<AbsPath> {
    let mut parts: Vec<&str> = match target.starts_with('/') {
        true => Vec::new(),
        false => link.as_str().split('/').filter(|part| !part.is_empty()).collect(),
    };
    if !target.starts_with('/') {
        parts.pop();
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    AbsPath::new(format!("/{}", parts.join("/"))).ok()
}

/// One part of a glob. Few need what takes the most time to make.
enum Part<'a> {
    /// `*` and a literal end, which may be empty.
    Ends(&'a str),
    Glob(GlobMatcher),
}

impl<'a> Part<'a> {
    fn of(part: &'a str) -> Result<Self, Error> {
        match part.strip_prefix('*') {
            Some(end) if !end.contains(SPECIAL) && !end.contains(['\\', ']', '}']) => Ok(Part::Ends(end)),
            _ => glob(part)
                .map(|glob| Part::Glob(glob.compile_matcher()))
                .map_err(|error| Error::failed(format!("cannot read glob `{part}`"), error)),
        }
    }

    fn fits(&self, name: &str) -> bool {
        match self {
            Part::Ends(end) => name.ends_with(end),
            Part::Glob(glob) => glob.is_match(name),
        }
    }
}

/// By what a glob is told from a path.
const SPECIAL: [char; 4] = ['*', '?', '[', '{'];

fn glob(text: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(text).literal_separator(true).build()
}

/// Whether a path fits a whole glob.
pub(super) fn fits(whole: &str, path: &str) -> bool {
    // Most paths are told apart by what comes before the first `*`.
    match whole.find(SPECIAL) {
        None => whole == path,
        Some(first) if !path.starts_with(&whole[..first]) => false,
        Some(_) => glob(whole).is_ok_and(|glob| glob.compile_matcher().is_match(path)),
    }
}

/// Refuses a glob that is no absolute path, or that cannot be read.
pub(super) fn valid_glob(field: &str, glob: &str) -> Result<(), String> {
    AbsPath::new(glob).map_err(|cause| format!("`{field}`: {cause}"))?;
    glob.split('/').try_for_each(|part| {
        self::glob(part).map(drop).map_err(|error| format!("`{field}` `{}`: {error}", glob.escape_debug()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_resolved_by_its_parts() {
        let at = AbsPath::new("/etc/nginx/sites-enabled/wiki").unwrap();
        assert_eq!(
            resolved(&at, "../sites-available/wiki").unwrap().as_str(),
            "/etc/nginx/sites-available/wiki"
        );
        assert_eq!(resolved(&at, "/x").unwrap().as_str(), "/x");
        assert_eq!(resolved(&at, "../../../../..").unwrap().as_str(), "/");
    }

    #[test]
    fn a_part_and_a_whole_glob_fit_as_globs_do() {
        for (part, name, fit) in [
            ("*", "a", true),
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf~", false),
            ("a*.conf", "a.conf", true),
            ("*a*", "bab", true),
            ("{a,b}.conf", "b.conf", true),
            ("[0-9]*", "a9", false),
            ("*[", "x[", false),
        ] {
            assert_eq!(Part::of(part).is_ok_and(|it| it.fits(name)), fit, "{part} {name}");
        }
        for (whole, path, fit) in [
            ("/etc/a", "/etc/a", true),
            ("/etc/a", "/etc/ab", false),
            ("/etc/*/x", "/etc/a/x", true),
            ("/etc/*", "/etc/a/x", false),
            ("/etc/**/x", "/etc/a/b/x", true),
            ("/srv/{a,b}/*.conf", "/srv/b/x.conf", true),
        ] {
            assert_eq!(fits(whole, path), fit, "{whole} {path}");
        }
    }

    #[test]
    fn a_glob_that_leaves_its_place_or_cannot_be_read_is_refused() {
        for glob in ["etc/*", "/etc/../x", "/etc/[", "/etc/{a,b/c}", ""] {
            assert!(valid_glob("reads", glob).is_err(), "{glob}");
        }
        for glob in ["/etc/nginx/**/*.conf", "/etc/php/8.?/fpm/php.ini", "/etc/nginx/{a,b}.conf"] {
            assert_eq!(valid_glob("reads", glob), Ok(()), "{glob}");
        }
    }
}
