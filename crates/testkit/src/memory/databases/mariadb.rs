//! MariaDB.

use std::collections::BTreeSet;

use pq_steps::{Engine, Heard, Refusal};
use serde_json::json;

use super::words::rights;
use super::{Account, Base, Catalogue, Server, rows, tables};

pub(super) const SERVER: Server = Server {
    engine: Engine::Mariadb,
    catalogue: "/var/lib/mysql/catalogue",
    socket: "/run/mysqld/mysqld.sock",
    administrator: "root",
    no_database: "1049",
    no_user: "1698",
    read_only: "1792",
    does,
};

/// The rights that there are on a database.
const RIGHTS: [&str; 4] = ["SELECT", "INSERT", "LOCK TABLES", "TRIGGER"];

fn does(all: &mut Catalogue, database: &str, words: &[&str]) -> Heard {
    let none = |name: &str| Refusal::new("1396", format!("there is no user {name}"));
    let done = rows::<0>([]);
    match *words {
        ["SELECT", "database", ..] => rows(
            all.databases
                .iter()
                .map(|(name, is)| ["database", name, "", &is.charset, &is.collation].map(str::to_owned)),
        ),
        ["SELECT", "user", ..] => rows(all.users.iter().map(|(name, is)| {
            let (name, host) = name.split_once('@').unwrap_or((name, ""));
            let kept = json!({"access": 0, "plugin": is.plugin, "authentication_string": is.kept,
                              "account_locked": !is.login});
            ["user".to_owned(), name.to_owned(), host.to_owned(), kept.to_string()]
        })),
        ["SELECT", "all", ..] => rows([["all".to_owned(), RIGHTS.len().to_string()]]),
        ["SELECT", "right", ..] => rows(all.users.iter().flat_map(|(name, is)| {
            let who = format!("'{}'", name.replace('@', "'@'"));
            let row =
                move |place: &String, right: &String| ["right", &who, place, right, "NO"].map(str::to_owned);
            is.rights
                .iter()
                .flat_map(|(place, names)| names.iter().map(move |name| (place, name)))
                .map(move |(place, name)| row(place, name))
                .collect::<Vec<_>>()
        })),
        ["SELECT", "DISTINCT", "beyond", ..] | ["SELECT", "member", ..] => done,
        ["CREATE", "DATABASE", name, "CHARACTER", "SET", charset, "COLLATE", collation] => {
            let (charset, collation) = (charset.to_owned(), collation.to_owned());
            match all.databases.insert(name.to_owned(), Base { charset, collation, ..Base::default() }) {
                Some(_) => Err(Refusal::new("1007", format!("there is a database {name}"))),
                None => done,
            }
        }
        ["ALTER", "DATABASE", name, "CHARACTER", "SET", charset, "COLLATE", collation] => {
            let unknown = || Refusal::new("1049", format!("there is no database {name}"));
            let base = all.databases.get_mut(name).ok_or_else(unknown)?;
            (base.charset, base.collation) = (charset.to_owned(), collation.to_owned());
            done
        }
        ["DROP", "DATABASE", name] => match all.databases.remove(name) {
            Some(_) => done,
            None => Err(Refusal::new("1008", format!("there is no database {name}"))),
        },
        ["DROP", "USER", name, "@", host] => match all.users.remove(&format!("{name}@{host}")) {
            Some(_) => done,
            None => Err(none(name)),
        },
        ["CREATE", "USER", name, "@", host, ref clause @ ..] => {
            let user = identified(Account { login: true, ..Account::default() }, clause)?;
            match all.users.insert(format!("{name}@{host}"), user) {
                Some(_) => Err(Refusal::new("1396", format!("there is a user {name}"))),
                None => done,
            }
        }
        ["ALTER", "USER", name, "@", host, ref clause @ .., "ACCOUNT", "UNLOCK"] => {
            let is = all.users.get_mut(&format!("{name}@{host}")).ok_or_else(|| none(name))?;
            *is = identified(Account { login: true, ..is.clone() }, clause)?;
            done
        }
        [verb @ ("GRANT" | "REVOKE"), ref rest @ ..] => {
            let syntax = || Refusal::new("1064", "syntax error in rights");
            let Some((names, &[place, ".", "*", "TO" | "FROM", name, "@", host])) = rights(rest) else {
                return Err(syntax());
            };
            let names: BTreeSet<String> = match names[..] == ["ALL PRIVILEGES"] {
                true => RIGHTS.map(str::to_owned).into(),
                false => names.into_iter().collect(),
            };
            let is = all.users.get_mut(&format!("{name}@{host}")).ok_or_else(|| none(name))?;
            let has = is.rights.entry(place.to_owned()).or_default();
            match verb {
                "GRANT" => has.extend(names),
                _ => has.retain(|name| !names.contains(name)),
            }
            is.rights.retain(|_, names| !names.is_empty());
            done
        }
        _ => tables(&SERVER, all, database, words),
    }
}

/// An account that shows who it is in another way.
fn identified(mut is: Account, clause: &[&str]) -> Result<Account, Refusal> {
    (is.plugin, is.kept) = match *clause {
        [] => return Ok(is),
        ["IDENTIFIED", "VIA", "unix_socket"] => ("unix_socket".to_owned(), String::new()),
        ["IDENTIFIED", "VIA", plugin @ "mysql_native_password", "USING", kept] => {
            (plugin.to_owned(), kept.to_owned())
        }
        _ => return Err(Refusal::new("1064", "syntax error in how a user is identified")),
    };
    Ok(is)
}
