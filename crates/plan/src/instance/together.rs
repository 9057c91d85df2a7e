//! Whether the instances of a machine go together.

use std::collections::BTreeMap;

use pq_stream::{Diagnostic, Host};

use super::keys;
use super::life::Life;
use crate::values::at;

/// Refuses two instances with one name on the net, or one value of what only one can have.
pub(super) fn check(host: &Host, lives: &[Life<'_>]) -> Result<(), Diagnostic> {
    let mut taken: BTreeMap<(String, String), &str> = BTreeMap::new();
    for (nth, life) in lives.iter().enumerate().filter(|(_, life)| life.app.single) {
        if let Some(other) = lives[..nth].iter().find(|other| other.app.name == life.app.name) {
            let text = format!(
                "`{}` and `{}` on `{}` are both of `{}`",
                other.id(),
                life.id(),
                host.host,
                life.app.name
            );
            let error = at(Diagnostic::new(text), keys::place(host, life.instance, "app"));
            return Err(error
                .cause("a machine can have one of it")
                .hint("leave one of them out, or put it on another host"));
        }
    }
    for life in lives {
        let unique = life.app.variables.iter().filter(|(_, variable)| variable.unique);
        let unique = unique.filter_map(|(name, _)| Some((name.clone(), life.scope.var(name)?.to_string())));
        let names = life.names()?.into_iter().map(|name| ("domain".to_owned(), name));
        for (key, value) in names.chain(unique) {
            if let Some(other) = taken.insert((key.clone(), value.clone()), life.id()) {
                let error = Diagnostic::new(format!(
                    "`{other}` and `{}` on `{}` have the same `{key}`",
                    life.id(),
                    host.host
                ));
                let error =
                    at(error, keys::place(host, life.instance, &key)).cause(format!("both have `{value}`"));
                return Err(error.hint(format!("give one of them another `{key}`")));
            }
        }
    }
    Ok(())
}
