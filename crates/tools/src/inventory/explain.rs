//! `pq-inventory --explain`: where a variable's value comes from, for people and for programs.

use std::fmt::Write as _;
use std::path::Path;

use pq_cli::{Failure, printable};
use pq_inventory::Explanation;
use pq_recipes::Catalogue;
use pq_stream::{Diagnostic, nearest};
use serde_json::{Value, json};

use super::declared;

/// Refuses a name that has a value for none of the hosts; what recipes say about it is told.
///
/// # Errors
/// That nothing sets it, that what is set does not hold it, or that the inventory's own recipes are wrong.
pub fn demand(name: &str, explanations: &[Explanation], directory: &Path) -> Result<(), Failure> {
    if explanations.iter().any(|explanation| explanation.value.is_some() && explanation.absent.is_none()) {
        return Ok(());
    }
    if let Some((explanation, holds)) =
        explanations.iter().find_map(|it| it.absent.as_ref().map(|holds| (it, holds)))
    {
        let mut error = Diagnostic::new(format!("no host of these has `{}`", name.escape_debug()));
        if let Some(setting) = explanation.settings.last() {
            error.causes.push(format!("{} sets the variable, and does not hold it", setting.place));
        }
        return Err(Failure::input(error.hint(holds)));
    }
    let catalogue = Catalogue::load(Some(&directory.join("recipes"))).map_err(Failure::input)?;
    let mut error = Diagnostic::new(format!("nothing sets variable `{}`", name.escape_debug()));
    let hints = declared::hints(&catalogue, name);
    if hints.is_empty() {
        let near = explanations.iter().find_map(|explanation| explanation.near.clone());
        let near = near.or_else(|| nearest(name, declared::names(&catalogue)));
        error.hints.extend(near.map(|near| format!("did you mean `{near}`?")));
    }
    error.hints.extend(hints);
    if error.hints.is_empty() {
        error.hints.push("`pq-inventory --json HOST` shows every variable of a host".to_owned());
    }
    Err(Failure::input(error))
}

/// A block a host.
pub fn text(name: &str, explanations: &[Explanation]) -> String {
    let mut text = String::new();
    for explanation in explanations {
        let _ = writeln!(text, "{}: {name}", explanation.host);
        let count = explanation.settings.len();
        for (at, setting) in explanation.settings.iter().enumerate() {
            let word = if at + 1 == count { "wins" } else { "loses" };
            let raw = setting.raw.as_ref().map_or("(does not hold it)".to_owned(), Value::to_string);
            let _ = writeln!(text, "  {word:5}  {}  {raw}  ({})", setting.place, setting.source);
        }
        for reading in &explanation.readings {
            let value = shown(&reading.value);
            let _ = writeln!(
                text,
                "  reads  {}  {} = {value}  (for {})",
                reading.place, reading.name, reading.by
            );
        }
        let value = explanation.value.as_ref().map_or("nothing sets it".to_owned(), shown);
        let _ = writeln!(text, "  value  {value}");
        for hint in &explanation.hints {
            let _ = writeln!(text, "  hint   {hint}");
        }
    }
    printable(&text)
}

fn shown(value: &Result<Value, String>) -> String {
    match value {
        Ok(value) => value.to_string(),
        Err(reason) => format!("none: {reason}"),
    }
}

/// A line for each place, each variable that is read, and the value.
pub fn json(name: &str, explanations: &[Explanation]) -> String {
    let mut text = String::new();
    for explanation in explanations {
        let host = &explanation.host;
        let count = explanation.settings.len();
        for (at, setting) in explanation.settings.iter().enumerate() {
            let line = json!({
                "type": "layer", "host": host, "name": name, "place": setting.place,
                "source": setting.source, "raw": setting.raw, "wins": at + 1 == count,
            });
            let _ = writeln!(text, "{line}");
        }
        for reading in &explanation.readings {
            let (value, unresolved) = halves(&reading.value);
            let line = json!({
                "type": "read", "host": host, "name": reading.name, "by": reading.by,
                "place": reading.place, "value": value, "unresolved": unresolved,
            });
            let _ = writeln!(text, "{line}");
        }
        let (value, unresolved) = explanation.value.as_ref().map_or((None, None), halves);
        let line = json!({
            "type": "value", "host": host, "name": name, "set": explanation.value.is_some(),
            "value": value, "unresolved": unresolved, "hints": explanation.hints,
        });
        let _ = writeln!(text, "{line}");
    }
    text
}

fn halves(value: &Result<Value, String>) -> (Option<&Value>, Option<&String>) {
    (value.as_ref().ok(), value.as_ref().err())
}
