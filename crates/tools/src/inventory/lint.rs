//! `pq-inventory --lint`: what is odd about an inventory, for people and for programs.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use pq_cli::{Failure, printable};
use pq_inventory::{Finding, Inventory, Survey};
use pq_plan::{Choice, Planner, Unused, complaints};
use pq_recipes::Catalogue;
use pq_stream::{Diagnostic, Host, Status, nearest};
use serde_json::json;

use super::declared;

/// So many pairs of names are compared, to say which of them was meant: a tenth of a second.
const MAX_COMPARED: usize = 2_000_000;

/// What is odd, by place.
///
/// # Errors
/// What is wrong with the inventory, or with the recipes beside it.
pub fn findings(inventory: &Inventory, directory: &Path) -> Result<Vec<Finding>, Failure> {
    let survey = inventory.survey().map_err(|errors| Failure::Because(Status::Input, errors))?;
    let catalogue = Catalogue::load(Some(&directory.join("recipes"))).map_err(Failure::input)?;
    let mut found = unread(&survey, &catalogue);
    found.extend(refused(&survey.hosts, &Planner::new(catalogue), directory));
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
    // What is read and set was not meant by another name.
    let wanting = survey.read.iter().filter(|name| !survey.set.contains_key(*name));
    let candidates: Vec<&String> = meant.iter().chain(wanting).collect();
    let mut compared = 0;
    let read = |name: &str| meant.contains(name) || survey.read.contains(name);
    let mut found = Vec::new();
    for (name, setters) in survey.set.iter().filter(|(name, _)| !read(name)) {
        compared += candidates.len();
        let near = if compared > MAX_COMPARED { None } else { nearest(name, candidates.iter().copied()) };
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
        error.hints.extend(near.map(|near| format!("did you mean `{near}`?")));
        found.push(Finding { rule: "unread", diagnostic: error });
    }
    found
}

/// An error, without the name of its host, and how many more hosts have it.
type Shared = (Diagnostic, String, usize);

/// What planning would refuse; what several hosts share is said once.
fn refused(hosts: &[Host], planner: &Planner, directory: &Path) -> Vec<Finding> {
    let mut found: Vec<Shared> = Vec::new();
    for host in hosts {
        for mut error in of_host(host, planner) {
            // What is wanting stands nowhere: the built-in recipe that wants it is not the place to edit.
            error.place = error.place.filter(|place| !place.file.starts_with('<'));
            if let Some(place) = &mut error.place {
                let path = directory.join(&place.file);
                if path.is_file() {
                    place.file = path.display().to_string();
                }
            }
            let what = error.message.replace(&format!("`{}`", host.host), "");
            let same = |(known, of, _): &&mut Shared| {
                *of == what && known.place == error.place && known.causes == error.causes
            };
            match found.iter_mut().find(same) {
                Some((_, _, more)) => *more += 1,
                None => found.push((error, what, 0)),
            }
        }
    }
    let finding = |(mut diagnostic, _, more): Shared| {
        if more > 0 {
            let hosts = if more == 1 { "host" } else { "hosts" };
            diagnostic = diagnostic.cause(format!("the same for {more} more {hosts}"));
        }
        Finding { rule: "refused", diagnostic }
    };
    found.into_iter().map(finding).collect()
}

/// What planning would refuse of a host.
fn of_host(host: &Host, planner: &Planner) -> Vec<Diagnostic> {
    let mut found = complaints(host, planner.catalogue());
    // Without the operating system there is no plan; whoever has no instances may want none.
    if host.os.is_some() || !host.instances.is_empty() {
        let plans = [
            planner.server(host, Unused::Stays).err(),
            planner.platform(host, Unused::Stays).err(),
            planner.instances(host, &Choice::default()).err(),
        ];
        for error in plans.into_iter().flatten() {
            if !found.iter().any(|known| known.message == error.message) {
                found.push(error);
            }
        }
    }
    found
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
    let count = match findings.len() {
        0 => "nothing to say".to_owned(),
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    };
    let unread = findings.iter().any(|finding| finding.rule == "unread");
    let advice =
        if unread { "; what nothing reads can go, unless Ansible or another program reads it" } else { "" };
    let _ = writeln!(text, "{count}{advice}");
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
