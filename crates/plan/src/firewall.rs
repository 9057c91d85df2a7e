//! Whether the rules of a firewall go together.
//!
//! ufw keeps one rule for a port, a protocol and a network: of two that differ in what they do, each run would put
//! back the one that the other replaced.

use std::collections::BTreeMap;

use pq_recipes::{Component, Kind};
use pq_stream::{Diagnostic, Host};
use serde_json::{Value, json};

use crate::scope::Scope;
use crate::values;

/// Refuses two rules of one port, protocol and network with different actions; ssh's own rule counts.
///
/// # Errors
/// Naming the variable that holds the second.
pub(crate) fn check(host: &Host, component: &Component, scope: &Scope) -> Result<(), Diagnostic> {
    // rules that are not applied may contradict each other
    if scope.var("firewall") == Some(&Value::Bool(false)) {
        return Ok(());
    }
    let mut known: BTreeMap<String, &str> = BTreeMap::new();
    let ssh = json!({ "port": host.connection.port.unwrap_or(22), "protocol": "tcp" });
    known.insert(what(&ssh), "limit");
    let declared = component.variables.iter().filter(|(_, variable)| variable.kind == Kind::FirewallRule);
    for (name, rule) in declared.flat_map(|(name, _)| rules(scope, name).map(move |rule| (name, rule))) {
        let action = rule["action"].as_str().unwrap_or_default();
        let what = what(rule);
        match known.get(&what) {
            Some(other) if *other != action => {
                let error = Diagnostic::new(format!(
                    "`{name}` of `{}` has `{action} {what}`, and there is `{other} {what}`",
                    host.host
                ));
                let error = error.cause("the firewall keeps one rule for a port, a protocol and a network");
                let error = match what == self::what(&ssh) {
                    true => error.hint(format!("leave it out: the port of ssh always has `{other} {what}`")),
                    false => error.hint("leave one of them out"),
                };
                return Err(values::at(error, values::origin(host, &[name])));
            }
            _ => drop(known.insert(what, action)),
        }
    }
    Ok(())
}

/// The rules of a variable, which may be one or many.
fn rules<'s>(scope: &'s Scope, name: &str) -> impl Iterator<Item = &'s Value> {
    let value = scope.var(name);
    let many = value.and_then(Value::as_array).into_iter().flatten();
    many.chain(value.filter(|value| value.is_object()))
}

/// What a rule is about, as people write it: `443/tcp from 10.0.0.0/8`.
fn what(rule: &Value) -> String {
    let protocol = rule["protocol"].as_str().unwrap_or_default();
    let from = rule.get("from").and_then(Value::as_str).map(|from| format!(" from {from}"));
    format!("{}/{protocol}{}", rule["port"], from.unwrap_or_default())
}
