//! Files that people changed by hand: kept, until the operator decides.
//!
//! Always true here: a file is taken for ours where its content is one that we wrote, or were about to write when we were
//! killed; for Debian's where it is as its package brought it. Every other one is somebody's work.

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobMatcher};
use pq_steps::ledger::{Ledger, Thing, ThingKind};
use pq_steps::{AbsPath, Error, Kind, Probe, as_shipped};
use pq_stream::{Diagnostic, nearest};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::work::{Planned, WorkHost};

/// What the operator decided about files that were changed by hand.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Take {
    /// Paths, or globs of paths, that get what we would write.
    pub ours: Vec<String>,
    /// Paths, or globs of paths, that stay as they are.
    pub theirs: Vec<String>,
}

/// Which of the two a path was decided for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// What we would write.
    Ours,
    /// What is there.
    Theirs,
}

/// A file that was changed by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Where.
    pub path: AbsPath,
    /// What we would write.
    pub content: Vec<u8>,
    /// SHA-256 of what is there.
    pub theirs: String,
    /// SHA-256 of what we would write.
    pub ours: String,
    /// The operator let it be, and we still want the same.
    pub accepted: bool,
}

impl Edit {
    /// The edit of the file that a step writes whole; nothing where there is none.
    ///
    /// # Errors
    /// Where the machine does not answer.
    pub fn of(planned: &Planned, machine: &dyn Probe, ledger: &Ledger) -> Result<Option<Self>, Error> {
        let Some((path, content)) = planned.step.converge().whole_file() else { return Ok(None) };
        if machine.stat(&path)?.is_none_or(|is| is.kind != Kind::File) {
            return Ok(None);
        }
        let ours = sha256(&content);
        let Some(theirs) = machine.sha256(&path)?.filter(|theirs| *theirs != ours) else { return Ok(None) };
        let written = ways_to_book(&path)
            .iter()
            .any(|thing| ledger.get(thing).is_some_and(|it| it.hashes.contains(&theirs)));
        if written || as_shipped(machine, &path)? {
            return Ok(None);
        }
        let booked = planned.step.converge().things().first().and_then(|thing| ledger.get(thing));
        let accepted = booked.and_then(|booked| booked.accepted.as_ref());
        let accepted = accepted.is_some_and(|(there, wanted)| (there, wanted) == (&theirs, &ours));
        Ok(Some(Edit { path, content, theirs, ours, accepted }))
    }

    /// What is said of it.
    pub fn told(&self) -> Diagnostic {
        let path = &self.path;
        Diagnostic::new(format!("`{path}` was changed by hand, and is kept"))
            .cause("what is in it is neither what paquerette wrote nor what its package brought")
            .hint(format!("`--take ours {path}` puts ours there, `--take theirs {path}` lets it be"))
    }
}

/// The things under which a file that we wrote may be booked: a unit's may come from a `unit` or from a `file`.
fn ways_to_book(path: &AbsPath) -> Vec<Thing> {
    let unit =
        path.as_str().strip_prefix("/etc/systemd/system/").map(|name| Thing::new(ThingKind::Unit, name));
    [Thing::at(ThingKind::File, path)].into_iter().chain(unit).collect()
}

/// Where what we would write is put, beside a file that is kept.
pub fn beside(path: &AbsPath) -> Result<AbsPath, Error> {
    AbsPath::new(format!("{path}.new"))
        .map_err(|cause| Error::failed(format!("cannot write beside `{path}`"), cause))
}

/// The thing that [`beside`] makes, in the ledger.
pub fn beside_thing(path: &AbsPath) -> Thing {
    Thing::new(ThingKind::File, format!("{path}.new"))
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The operator's decisions, ready to be asked.
#[derive(Debug, Default)]
pub struct Decisions {
    all: Vec<Decision>,
    /// The files that steps write whole, for suggestions.
    paths: BTreeSet<String>,
}

#[derive(Debug)]
struct Decision {
    text: String,
    matcher: GlobMatcher,
    decided: Decided,
    fits: bool,
}

impl Decisions {
    /// Reads them.
    ///
    /// # Errors
    /// A pattern that is none.
    pub fn new(take: &Take) -> Result<Self, Diagnostic> {
        let ours = take.ours.iter().map(|text| (text, Decided::Ours));
        let theirs = take.theirs.iter().map(|text| (text, Decided::Theirs));
        let all = ours.chain(theirs).map(|(text, decided)| {
            Ok(Decision { text: text.clone(), matcher: matcher(text)?, decided, fits: false })
        });
        Ok(Decisions { all: all.collect::<Result<_, Diagnostic>>()?, paths: BTreeSet::new() })
    }

    /// Looks at the steps of a host, for [`Decisions::all_fit`].
    pub fn see(&mut self, host: &WorkHost) {
        if self.all.is_empty() {
            return;
        }
        for (path, _) in host.steps.iter().filter_map(|planned| planned.step.converge().whole_file()) {
            for decision in &mut self.all {
                decision.fits |= decision.matcher.is_match(path.as_str());
            }
            self.paths.insert(path.as_str().to_owned());
        }
    }

    /// Whether each is about a file of the plan, once every host was seen.
    ///
    /// # Errors
    /// A pattern that fits no file which a step writes whole.
    pub fn all_fit(&self) -> Result<(), Diagnostic> {
        let Some(Decision { text, .. }) = self.all.iter().find(|decision| !decision.fits) else {
            return Ok(());
        };
        let shown = text.escape_debug();
        let error = Diagnostic::new(format!("`--take`: no step of the plan writes the whole of `{shown}`"));
        Err(match nearest(text, self.paths.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean `{near}`? nothing was touched")),
            None => error.hint("`--check` names the files that were changed by hand; nothing was touched"),
        })
    }

    /// What was decided for a path.
    pub fn of(&self, path: &AbsPath) -> Option<Decided> {
        self.all.iter().find(|it| it.matcher.is_match(path.as_str())).map(|it| it.decided)
    }
}

fn matcher(text: &str) -> Result<GlobMatcher, Diagnostic> {
    let glob = GlobBuilder::new(text).literal_separator(true).build().map_err(|error| {
        Diagnostic::new(format!("`--take`: `{}` is no path", text.escape_debug()))
            .cause(error.kind().to_string())
            .hint("as in `/etc/nginx/sites-available/wiki`, or `/etc/nginx/**`; nothing was touched")
    })?;
    Ok(glob.compile_matcher())
}
