//! The arguments with which another machine's `pq-backup` does what this one was asked for.

use std::path::Path;

use pq_fleet::Asked;
use pq_stream::Host;

use super::{BeginArgs, FromArgs, Verb};

/// Arguments: options first, and what they are about behind `--`.
#[derive(Default)]
struct Words {
    options: Vec<String>,
    about: Vec<String>,
}

impl Words {
    fn flag(mut self, name: &str, set: bool) -> Self {
        self.options.extend(set.then(|| name.to_owned()));
        self
    }

    fn option(mut self, name: &str, value: Option<&str>) -> Self {
        self.options.extend(value.map(|value| format!("{name}={value}")));
        self
    }

    fn begin(self, begin: &BeginArgs) -> Self {
        let wait = format!("{}s", begin.wait.as_secs());
        self.option("--wait", Some(&wait)).flag("--quiet", begin.quiet)
    }

    fn from(self, from: &FromArgs) -> Self {
        self.option("--target", from.target.as_deref())
    }

    fn about<'a>(mut self, what: impl IntoIterator<Item = &'a String>) -> Self {
        self.about.extend(what.into_iter().cloned());
        self
    }

    fn of(self, verb: &str) -> Vec<String> {
        let about = (!self.about.is_empty()).then(|| "--".to_owned()).into_iter().chain(self.about);
        std::iter::once(verb.to_owned()).chain(self.options).chain(about).collect()
    }
}

impl Verb {
    /// What a host of the stream is asked; nothing where all that was named is of others.
    pub(super) fn words(&self, host: &Host, all: &[Asked]) -> Option<Vec<String>> {
        let words = Words::default();
        let of_it = |item: &str| concerns(item, host, all);
        Some(match self {
            Verb::Run { items, check, begin, .. } => {
                let own: Vec<&String> = items.iter().filter(|item| of_it(item)).collect();
                if own.is_empty() && !items.is_empty() {
                    return None;
                }
                words.flag("--check", *check).begin(begin).about(own).of("run")
            }
            Verb::Status { .. } => words.of("status"),
            Verb::List { item, from, .. } => {
                if item.as_deref().is_some_and(|item| !of_it(item)) {
                    return None;
                }
                words.from(from).about(item).of("list")
            }
            Verb::Find { item, .. } | Verb::Restore { item, .. } if !of_it(item) => return None,
            Verb::Find { item, pattern, from, .. } => words.from(from).about([item, pattern]).of("find"),
            Verb::Restore {
                item,
                paths,
                at,
                database_only,
                files_only,
                into,
                in_place,
                other,
                from,
                begin,
                ..
            } => words
                .option("--at", at.as_deref())
                .flag("--database-only", *database_only)
                .flag("--files-only", *files_only)
                .option("--into", into.as_deref().and_then(Path::to_str))
                .flag("--in-place", *in_place)
                .option("--as", other.as_deref())
                .from(from)
                .begin(begin)
                .about([item].into_iter().chain(paths))
                .of("restore"),
            Verb::Copy { from, begin, .. } => words.from(from).begin(begin).of("copy"),
            Verb::Verify { all, from, begin, .. } => {
                words.flag("--all", *all).from(from).begin(begin).of("verify")
            }
            Verb::Forget { check, from, begin, .. } => {
                words.flag("--check", *check).from(from).begin(begin).of("forget")
            }
            Verb::Rehearse { item, from, begin, .. } => {
                if item.as_deref().is_some_and(|item| !of_it(item)) {
                    return None;
                }
                words.from(from).begin(begin).about(item).of("rehearse")
            }
            Verb::RecoveryKit { into, begin, .. } => {
                words.option("--into", into.to_str()).begin(begin).of("recovery-kit")
            }
            Verb::Peer { peers, check, accept, begin, .. } => {
                words.flag("--check", *check).flag("--accept", *accept).begin(begin).about(peers).of("peer")
            }
            Verb::Rebuild { .. } | Verb::Serve | Verb::Dump { .. } => return None,
        })
    }

    /// Whether it takes away or exchanges what is there.
    pub(super) fn changes(&self) -> bool {
        matches!(
            self,
            Verb::Forget { check: false, .. }
                | Verb::Restore { in_place: true, .. }
                | Verb::Restore { other: Some(_), .. }
        )
    }
}

/// Whether an item may be of a host: an instance is of those whose inventory has it, and what no inventory has may be anybody's.
fn concerns(item: &str, host: &Host, all: &[Asked]) -> bool {
    let has = |host: &Host| host.instances.iter().any(|it| it.id == item);
    has(host) || !all.iter().any(|it| has(&it.host))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use pq_stream::Record;

    use super::*;
    use crate::backup::Args;

    fn host(name: &str, id: &str) -> Asked {
        let line = format!(
            r#"{{"type":"host","host":"{name}","groups":[],"connection":{{"kind":"ssh"}},"instances":[{{"app":"dokuwiki","id":"{id}","domain":"x.test"}}],"vars":{{}}}}"#
        );
        let Record::Host(host) = serde_json::from_str(&line).unwrap() else { panic!() };
        Asked::new(host, None)
    }

    fn words(line: &str) -> Vec<Option<String>> {
        let args = Args::parse_from(["pq-backup"].into_iter().chain(line.split(' ')));
        let all = [host("web", "wiki"), host("db", "docs")];
        all.iter().map(|it| args.verb.words(&it.host, &all).map(|it| it.join(" "))).collect()
    }

    #[test]
    fn each_host_is_asked_for_what_it_has() {
        let both = |text: &str| vec![Some(text.to_owned()), Some(text.to_owned())];
        assert_eq!(words("status"), both("status"));
        assert_eq!(words("run server --wait 1m -q"), both("run --wait=60s --quiet -- server"));
        assert_eq!(
            words("run wiki server docs"),
            [
                Some("run --wait=10800s -- wiki server".into()),
                Some("run --wait=10800s -- server docs".into())
            ]
        );
        assert_eq!(
            words("restore docs --at 2026-11-28 --target away /srv/-x"),
            [None, Some("restore --at=2026-11-28 --target=away --wait=10800s -- docs /srv/-x".into())]
        );
        assert_eq!(words("find wiki -- *.txt"), [Some("find -- wiki *.txt".into()), None]);
    }

    #[test]
    fn what_is_asked_of_a_host_is_a_command_line_of_its_own() {
        for line in [
            "status",
            "run --check wiki",
            "list wiki --target away",
            "find wiki a*",
            "restore wiki /a /b --files-only --into /srv/x",
            "restore wiki --in-place --database-only",
            "copy --target away",
            "verify --all",
            "forget --check",
            "rehearse wiki",
            "recovery-kit --into /root",
            "peer prod1 --accept",
        ] {
            let asked = words(line).remove(0).unwrap();
            let all = [host("web", "wiki")];
            let argv = ["pq-backup", "--remote", "me"].into_iter().chain(asked.split(' '));
            let again = Args::parse_from(argv).verb.words(&all[0].host, &all).unwrap();
            assert_eq!(again.join(" "), asked);
        }
    }
}
