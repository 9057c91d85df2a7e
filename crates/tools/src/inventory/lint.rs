//! `pq-inventory --lint`: what is odd about an inventory, for people and for programs.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use pq_cli::{Failure, printable};
use pq_inventory::{Finding, Inventory, Survey};
use pq_plan::{Choice, Planner, complaints};
use pq_recipes::Catalogue;
use pq_stream::{Diagnostic, Host, nearest};
use serde_json::json;

use super::declared;

/// What is odd, by place.
///
/// # Errors
/// What is wrong with the inventory, or with the recipes beside it.
pub fn findings(inventory: &Inventory, directory: &Path) -> Result<Vec<Finding>, Failure> {
    let survey = inventory.survey()?;
    let catalogue = Catalogue::load(Some(&directory.join("recipes"))).map_err(Failure::input)?;
    let mut found = unread(&survey, &catalogue);
    let planner = Planner::new(catalogue);
    for host in &survey.hosts {
        found.extend(unplanned(host, &planner, directory));
    }
    found.extend(survey.findings);
    let key = |finding: &Finding| {
        let place = finding.diagnostic.place.as_ref();
        let place = place.map(|place| (place.file.clone(), place.line, place.column));
        (place, finding.diagnostic.message.clone())
    };
    found.sort_by_key(key);
    found.dedup_by_key(|finding| key(finding));
    Ok(found)
}

/// Variables that neither a recipe nor a template reads.
fn unread(survey: &Survey, catalogue: &Catalogue) -> Vec<Finding> {
    let meant: BTreeSet<String> = declared::names(catalogue).into_iter().collect();
    let read = |name: &str| meant.contains(name) || survey.read.contains(name);
    let mut found = Vec::new();
    for (name, setters) in survey.set.iter().filter(|(name, _)| !read(name)) {
        // What is read and set was not meant by another name.
        let wanting = survey.read.iter().filter(|name| !survey.set.contains_key(*name));
        let near = nearest(name, meant.iter().chain(wanting).cloned());
        // There are more variables of Ansible's plugins than anybody knows.
        if name.starts_with("ansible_") && near.is_none() {
            continue;
        }
        let Some(first) = setters.first() else { continue };
        let secret = setters.iter().any(|setter| setter.secret);
        let what = if secret { "secret" } else { "variable" };
        let more = setters.len() - 1;
        let mut error = Diagnostic::new(format!("nothing reads {what} `{name}`")).at(first.place.clone());
        if more > 0 {
            let places = if more == 1 { "place" } else { "places" };
            error = error.cause(format!("it is set at {more} more {places}"));
        }
        error = match near {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint("remove it, unless Ansible or another program reads it"),
        };
        found.push(Finding { rule: "unread", diagnostic: error });
    }
    found
}

/// What planning would refuse of a host.
fn unplanned(host: &Host, planner: &Planner, directory: &Path) -> Vec<Finding> {
    let mut found = complaints(host, planner.catalogue());
    // Without the operating system there is no plan; whoever has no instances may want none.
    if host.os.is_some() || !host.instances.is_empty() {
        let plans = [
            planner.server(host).err(),
            planner.platform(host).err(),
            planner.instances(host, &Choice::default()).err(),
        ];
        for error in plans.into_iter().flatten() {
            let same = |known: &Diagnostic| known.message == error.message;
            if !found.iter().any(same) {
                found.push(error);
            }
        }
    }
    let finding = |mut diagnostic: Diagnostic| {
        // What is wanting stands nowhere: the built-in recipe that wants it is not the place to edit.
        diagnostic.place = diagnostic.place.filter(|place| !place.file.starts_with('<'));
        if let Some(place) = &mut diagnostic.place {
            let path = directory.join(&place.file);
            if path.is_file() {
                place.file = path.display().to_string();
            }
        }
        Finding { rule: "refused", diagnostic }
    };
    found.into_iter().map(finding).collect()
}

/// A line each.
pub fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { diagnostic, .. } in findings {
        let _ = write!(text, "{diagnostic}");
        if !diagnostic.hints.is_empty() {
            let _ = write!(text, " ({})", diagnostic.hints.join("; "));
        }
        text.push('\n');
    }
    match findings.len() {
        0 => text.push_str("nothing to say\n"),
        1 => text.push_str("1 finding\n"),
        count => drop(writeln!(text, "{count} findings")),
    }
    printable(&text)
}

/// A line each.
pub fn json(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { rule, diagnostic } in findings {
        let line = json!({
            "type": "finding", "rule": rule,
            "place": diagnostic.place.as_ref().map(ToString::to_string),
            "what": diagnostic.message, "causes": diagnostic.causes, "hints": diagnostic.hints,
        });
        let _ = writeln!(text, "{line}");
    }
    text
}
