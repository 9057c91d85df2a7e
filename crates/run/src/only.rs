//! `--only`: some steps of a plan, by their ids.

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobMatcher};
use pq_steps::AnyStep;
use pq_stream::{Diagnostic, nearest, owner_of};

use crate::work::WorkHost;

/// The patterns that choose steps, in which `*` stands for anything, also for `/`; without a pattern all are kept.
#[derive(Debug)]
pub struct Only {
    patterns: Vec<Pattern>,
    /// The ids that were looked at, for suggestions.
    ids: BTreeSet<String>,
    left_out: usize,
}

#[derive(Debug)]
struct Pattern {
    text: String,
    matcher: GlobMatcher,
    fits: bool,
}

impl Only {
    /// Reads the patterns.
    ///
    /// # Errors
    /// A pattern that is none.
    pub fn new(patterns: &[String]) -> Result<Self, Diagnostic> {
        let pattern = |text: &String| {
            let glob = GlobBuilder::new(text).build().map_err(|error| {
                Diagnostic::new(format!("`{}` is no pattern of step ids", text.escape_debug()))
                    .cause(error.kind().to_string())
                    .hint("as in `wiki/*`, or `*/site`; nothing was touched")
            })?;
            Ok(Pattern { text: text.clone(), matcher: glob.compile_matcher(), fits: false })
        };
        let patterns = patterns.iter().map(pattern).collect::<Result<_, Diagnostic>>()?;
        Ok(Only { patterns, ids: BTreeSet::new(), left_out: 0 })
    }

    /// Keeps the steps of a host whose ids fit one of the patterns; of a transaction all or none.
    pub fn keep(&mut self, host: &mut WorkHost) {
        if self.patterns.is_empty() {
            return;
        }
        let mut kept: BTreeSet<String> = BTreeSet::new();
        for planned in &host.steps {
            let id = &planned.record.id;
            self.ids.insert(id.clone());
            for pattern in &mut self.patterns {
                if pattern.matcher.is_match(id) {
                    pattern.fits = true;
                    kept.insert(id.clone());
                }
            }
        }
        for planned in &host.steps {
            let together = || planned.step.named().iter().chain([&planned.record.id]);
            if !planned.step.named().is_empty() && together().any(|id| kept.contains(id)) {
                kept.extend(together().cloned());
            }
        }
        // What is planned for a version is not done on another one, whatever is chosen of it.
        let owners: BTreeSet<String> = kept.iter().map(|id| owner_of(id).to_owned()).collect();
        let guards = host.steps.iter().filter(|it| matches!(it.step, AnyStep::Installed(_)));
        kept.extend(guards.map(|it| it.record.id.clone()).filter(|id| owners.contains(owner_of(id))));
        let before = host.steps.len();
        host.steps.retain(|planned| kept.contains(&planned.record.id));
        self.left_out += before - host.steps.len();
    }

    /// How many steps were left out, once every host was seen.
    ///
    /// # Errors
    /// A pattern that no step fits.
    pub fn left_out(&self) -> Result<usize, Diagnostic> {
        let Some(Pattern { text, .. }) = self.patterns.iter().find(|pattern| !pattern.fits) else {
            return Ok(self.left_out);
        };
        let ids = || self.ids.iter().map(String::as_str);
        let error = Diagnostic::new(format!("no step of the plan fits `{}`", text.escape_debug()));
        Err(match ids().any(|id| owner_of(id) == text) {
            true => error.hint(format!("did you mean `{text}/*`? nothing was touched")),
            false => match nearest(text, ids()) {
                Some(near) => error.hint(format!("did you mean `{near}`? nothing was touched")),
                None => error.hint("`--check -v` shows the ids of all steps; nothing was touched"),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> WorkHost {
        let step = |id: &str| {
            format!(
                r#"{{"type":"step","host":"a","id":"{id}","title":"t","do":"directory","path":"/srv/{id}"}}"#
            )
        };
        let lines = [
            r#"{"type":"run","format":1,"inventory":"/i","digest":"","time":"t"}"#.to_owned(),
            r#"{"type":"host","host":"a","groups":["all"],"connection":{"kind":"local"},"vars":{}}"#
                .to_owned(),
            step("platform/nginx/conf"),
            step("wiki/site"),
            step("dav/site"),
            r#"{"type":"end","hosts":1,"status":0}"#.to_owned(),
        ];
        crate::read(format!("{}\n", lines.join("\n")).as_bytes()).unwrap().hosts.remove(0)
    }

    fn kept(patterns: &[&str]) -> Result<Vec<String>, String> {
        let (mut host, patterns) = (host(), patterns.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
        let told = |error: Diagnostic| format!("{}; {}", error.message, error.hints.join("; "));
        let mut only = Only::new(&patterns).map_err(told)?;
        only.keep(&mut host);
        let left_out = only.left_out().map_err(told)?;
        assert_eq!(left_out, 3 - host.steps.len());
        Ok(host.steps.iter().map(|planned| planned.record.id.clone()).collect())
    }

    #[test]
    fn steps_are_chosen_by_their_ids() {
        assert_eq!(kept(&[]).unwrap().len(), 3);
        assert_eq!(kept(&["wiki/*"]).unwrap(), ["wiki/site"]);
        assert_eq!(kept(&["platform/*", "dav/site"]).unwrap(), ["platform/nginx/conf", "dav/site"]);
        assert_eq!(kept(&["*/site"]).unwrap(), ["wiki/site", "dav/site"]);
        let refused = |pattern| kept(&[pattern]).unwrap_err();
        assert_eq!(
            refused("wiki"),
            "no step of the plan fits `wiki`; did you mean `wiki/*`? nothing was touched"
        );
        assert!(refused("wiki/sites").contains("did you mean `wiki/site`?"));
        assert!(refused("[").contains("is no pattern"));
    }
}
