//! A database, or a user of a database server, is taken away, with all that is in it.

use super::catalogue::{Catalogue, engine_of};
use super::engine::{literal, refused};
use crate::ledger::{Thing, ThingKind};
use crate::{Engine, Error, System};

/// Takes one away that is there. A database that somebody is connected to, and a user to whom something in another's
/// database belongs, are refused by the server.
pub(super) fn drop_thing(machine: &mut dyn System, thing: &Thing) -> Result<(), Error> {
    let what = format!("cannot remove {thing}");
    let (engine, name) =
        engine_of(&thing.name).ok_or_else(|| Error::failed(&what, "its server is none that is known"))?;
    let mut talk =
        machine.talk(&engine.server())?.map_err(|refusal| refused(&refusal, engine, &what, false))?;
    let statements = match thing.kind {
        ThingKind::Database => vec![format!("DROP DATABASE {}", engine.identifier(name))],
        _ => {
            let all = Catalogue::of(engine, &what, |sql| talk.say(sql))?;
            user(engine, name, &all)
        }
    };
    for sql in statements {
        talk.say(&sql)?.map_err(|refusal| refused(&refusal, engine, &what, false))?;
    }
    Ok(())
}

/// What takes a user away. PostgreSQL keeps one that has a right left.
fn user(engine: Engine, name: &str, all: &Catalogue) -> Vec<String> {
    if engine == Engine::Mariadb {
        let (name, host) = name.split_once('@').unwrap_or((name, "localhost"));
        return vec![format!("DROP USER {}@{}", literal(name), literal(host))];
    }
    let stated = engine.identifier(name);
    let rights =
        all.users.get(&(name.to_owned(), String::new())).map(|user| user.rights.keys()).into_iter().flatten();
    let revoke = rights
        .map(|database| format!("REVOKE ALL ON DATABASE {} FROM {stated}", engine.identifier(database)));
    revoke.chain([format!("DROP ROLE {stated}")]).collect()
}
