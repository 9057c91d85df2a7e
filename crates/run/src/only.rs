//! `--only`: some steps of a plan, by their ids.

use globset::{GlobBuilder, GlobSetBuilder};
use pq_stream::{Diagnostic, nearest, owner_of};

use crate::work::Work;

/// Keeps the steps whose ids fit one of these patterns, in which `*` stands for anything, also for `/`; answers how many
/// others there were. Without a pattern all are kept.
///
/// # Errors
/// A pattern that is none, or that no step fits.
pub fn keep(work: &mut Work, patterns: &[String]) -> Result<usize, Diagnostic> {
    if patterns.is_empty() {
        return Ok(0);
    }
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = GlobBuilder::new(pattern).build().map_err(|error| {
            Diagnostic::new(format!("`{}` is no pattern of step ids", pattern.escape_debug()))
                .cause(error.kind().to_string())
                .hint("as in `wiki/*`, or `*/site`; nothing was touched")
        })?;
        let matcher = glob.compile_matcher();
        let ids = || work.hosts.iter().flat_map(|host| &host.steps).map(|planned| planned.record.id.as_str());
        if !ids().any(|id| matcher.is_match(id)) {
            let error = Diagnostic::new(format!("no step of the plan fits `{}`", pattern.escape_debug()));
            return Err(match ids().any(|id| owner_of(id) == pattern) {
                true => error.hint(format!("did you mean `{pattern}/*`? nothing was touched")),
                false => match nearest(pattern, ids()) {
                    Some(near) => error.hint(format!("did you mean `{near}`? nothing was touched")),
                    None => error.hint("`--check -v` shows the ids of all steps; nothing was touched"),
                },
            });
        }
        set.add(glob);
    }
    let set = set.build().map_err(|error| {
        Diagnostic::new("`--only` has too many patterns").cause(error.to_string()).hint("nothing was touched")
    })?;
    let mut left_out = 0;
    for host in &mut work.hosts {
        let before = host.steps.len();
        host.steps.retain(|planned| set.is_match(&planned.record.id));
        left_out += before - host.steps.len();
    }
    Ok(left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work() -> Work {
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
        crate::read(format!("{}\n", lines.join("\n")).as_bytes()).unwrap()
    }

    fn kept(patterns: &[&str]) -> Result<Vec<String>, String> {
        let (mut work, patterns) = (work(), patterns.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
        keep(&mut work, &patterns)
            .map_err(|error| format!("{}; {}", error.message, error.hints.join("; ")))?;
        Ok(work.hosts[0].steps.iter().map(|planned| planned.record.id.clone()).collect())
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
