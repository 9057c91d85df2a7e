//! `pq-backup verify`: what is stored is read back, a seventh each day, and held against its digests.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use pq_items::Target;
use pq_stream::{Diagnostic, utc};
use serde::Deserialize;

use crate::restic::{Kind, Message, Restic, short};
use crate::session::{Session, Teller};
use crate::set::sets;
use crate::state::Verified;

/// In how many parts a repository is read.
pub const PARTS: u32 = 7;

/// Most damaged packs of which it is said what is in them.
const NAMED: usize = 5;

/// Reads back the next part of each target, or `all` of it. What is wrong is told; the answer says whether anything was.
///
/// # Errors
/// Where a target cannot be read at all.
pub fn verify(
    session: &mut Session,
    target: Option<&str>,
    all: bool,
    told: &mut dyn Teller,
) -> Result<bool, Diagnostic> {
    let targets: Vec<Target> = match target {
        Some(name) => vec![session.setup.target(Some(name))?.clone()],
        None => session.setup.strategy.targets.clone(),
    };
    let mut well = true;
    for target in targets {
        let name = target.name.as_str();
        let Some(known) = session.state.targets.get(name) else {
            told.note(&format!("target `{name}`: nothing was written to it yet"));
            continue;
        };
        let part = known.verified.as_ref().map_or(1, |it| it.part % PARTS + 1);
        let restic = session.setup.restic(&target)?;
        told.progress(&format!("verify {name}"), 0.0);
        let wrong = check(&restic, if all { None } else { Some(part) }).map_err(|failed| failed.why)?;
        for it in &wrong {
            told.wrong(it);
        }
        well &= wrong.is_empty();
        if let Some(known) = session.state.targets.get_mut(name) {
            let wrong = wrong.iter().map(Diagnostic::to_string).collect();
            let part = if all { PARTS } else { part };
            known.verified = Some(Verified { when: utc(SystemTime::now()), part, wrong });
        }
        session.save()?;
        if well {
            let what = if all { "all of it".to_owned() } else { format!("part {part} of {PARTS}") };
            told.note(&format!("target `{name}`: {what} was read back, and is as it was written"));
        }
    }
    Ok(well)
}

/// Reads back a part, or all, and says what is wrong.
fn check(restic: &Restic, part: Option<u32>) -> crate::restic::Result<Vec<Diagnostic>> {
    let subset = match part {
        Some(part) => format!("--read-data-subset={part}/{PARTS}"),
        None => "--read-data".to_owned(),
    };
    let (mut words, mut broken) = (Vec::new(), Vec::new());
    let ran =
        restic.call("verify what is stored", &["check".to_owned(), subset], &mut |message| match message {
            Message::Error { why, .. } => words.push(why.clone()),
            Message::Summary(summary) => broken.extend(summary.broken_packs.iter().flatten().cloned()),
            _ => {}
        });
    match ran {
        Ok(()) => Ok(Vec::new()),
        Err(failed) if failed.kind == Kind::Other && !(words.is_empty() && broken.is_empty()) => {
            broken.sort();
            broken.dedup();
            Ok(told(restic, &words, &broken))
        }
        Err(failed) => Err(failed),
    }
}

/// What is wrong, for people: each damaged file of the repository, and what of whom is in it.
fn told(restic: &Restic, words: &[String], broken: &[String]) -> Vec<Diagnostic> {
    let cure = "copy the repository away before anything else; then `restic repair packs ID`, and `restic repair snapshots --forget`; \
                what another target has is whole: `pq-backup verify` says so of each";
    let mut found = Vec::new();
    for pack in broken {
        let why = words.iter().find(|it| it.contains(pack.as_str()));
        let mut it = Diagnostic::new(format!("pack {} of `{}` is damaged", short(pack), restic.url));
        it = it.cause(format!("the file is `data/{}/{pack}`", pack.get(..2).unwrap_or_default()));
        if let Some(why) = why {
            let line = why.trim().lines().next().unwrap_or_default();
            it = it.cause(line.chars().take(300).collect::<String>());
        }
        if found.len() < NAMED {
            for words in within(restic, pack) {
                it = it.cause(words);
            }
        }
        found.push(it.hint(cure));
    }
    if found.is_empty() {
        let line = |it: &String| it.trim().lines().next().unwrap_or_default().to_owned();
        let mut it = Diagnostic::new(format!("`{}` is damaged", restic.url));
        it = words.iter().map(line).filter(|it| !it.is_empty()).take(5).fold(it, Diagnostic::cause);
        found.push(it.hint(cure));
    }
    found
}

/// What is in a pack: some files, of which item.
fn within(restic: &Restic, pack: &str) -> Vec<String> {
    #[derive(Deserialize)]
    struct Hit {
        #[serde(default)]
        path: String,
        snapshot: String,
    }
    let mut hits: Vec<Hit> = Vec::new();
    let args = ["find", "--pack", pack].map(str::to_owned);
    let ran = restic.call("say what is in a pack", &args, &mut |message| {
        if let Message::Answer(text) = message {
            hits.extend(serde_json::from_str::<Vec<Hit>>(text).unwrap_or_default());
        }
    });
    if ran.is_err() {
        return Vec::new();
    }
    let items: BTreeMap<String, String> = sets(restic, None)
        .unwrap_or_default()
        .iter()
        .flat_map(|set| set.snapshots().map(|it| (it.id.clone(), set.item.clone())).collect::<Vec<_>>())
        .collect();
    let mut of: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for hit in &hits {
        let item = items.get(&hit.snapshot).map_or("others", String::as_str);
        of.entry(item).or_default().insert(&hit.path);
    }
    let shown = |(item, paths): (&str, BTreeSet<&str>)| {
        let some: Vec<String> = paths.iter().take(3).map(|path| format!("`{path}`")).collect();
        let more = if paths.len() > 3 { format!(" and {} more", paths.len() - 3) } else { String::new() };
        format!("in it is of `{item}`: {}{more}", some.join(", "))
    };
    of.into_iter().map(shown).collect()
}
