//! PostgreSQL.

use pq_steps::{Engine, Heard, Refusal};

use super::words::rights;
use super::{Account, Base, Catalogue, Server, rows, tables};

pub(super) const SERVER: Server = Server {
    engine: Engine::Postgres,
    catalogue: "/var/lib/postgresql/catalogue",
    socket: "/run/postgresql/.s.PGSQL.5432",
    administrator: "postgres",
    no_database: "3D000",
    no_user: "28000",
    read_only: "25006",
    does,
};

const RIGHTS: [&str; 3] = ["CONNECT", "CREATE", "TEMPORARY"];

fn does(all: &mut Catalogue, database: &str, words: &[&str]) -> Heard {
    let none = |what: &str, name: &str| Refusal::new("42704", format!("there is no {what} {name}"));
    let mark = |yes: bool| if yes { "t" } else { "f" };
    let done = rows::<0>([]);
    match *words {
        ["SELECT", "database", ..] => {
            rows(all.databases.iter().map(|(name, is)| {
                ["database", name, &is.owner, &is.charset, &is.collation].map(str::to_owned)
            }))
        }
        ["SELECT", "right", ..] => {
            let open =
                all.databases.iter().flat_map(|(name, is)| is.open.iter().map(move |it| ("", name, it)));
            let of = all.users.iter().flat_map(|(user, is)| {
                is.rights
                    .iter()
                    .flat_map(move |(place, names)| names.iter().map(move |it| (user.as_str(), place, it)))
            });
            rows(open.chain(of).map(|(user, place, it)| ["right", user, place, it, "f"].map(str::to_owned)))
        }
        ["SELECT", "user", ..] => rows(all.users.iter().map(|(name, is)| {
            ["user", name, "", &is.kept, mark(is.login), mark(is.superuser)].map(str::to_owned)
        })),
        ["SELECT", "member", ..] => done,
        ["SELECT", "pg_catalog", ".", "gen_random_uuid", "(", ")"] => {
            rows([["1be814a7-de52-46eb-a9cd-6a5f23e9d725".to_owned()]])
        }
        ["SELECT", "extname", "FROM", "pg_catalog", ".", "pg_extension"] => {
            let base = all.databases.get(database).cloned().unwrap_or_default();
            rows(base.extensions.into_iter().chain(["plpgsql".to_owned()]).map(|name| [name]))
        }
        ["CREATE", "EXTENSION", "IF", "NOT", "EXISTS", name, "SCHEMA", "public"] => {
            let base = all.databases.get_mut(database).ok_or_else(|| none("database", database))?;
            base.extensions.insert(name.to_owned());
            done
        }
        [
            "CREATE",
            "DATABASE",
            name,
            "TEMPLATE",
            "template0",
            "ENCODING",
            charset,
            "LC_COLLATE",
            collation,
            "LC_CTYPE",
            _,
            ref rest @ ..,
        ] => {
            let owner = match rest {
                ["OWNER", owner] if all.users.contains_key(*owner) => *owner,
                ["OWNER", owner] => return Err(none("role", owner)),
                _ => "postgres",
            };
            let base = Base {
                owner: owner.to_owned(),
                charset: charset.to_owned(),
                collation: collation.to_owned(),
                open: ["CONNECT", "TEMPORARY"].map(str::to_owned).into(),
                ..Base::default()
            };
            match all.databases.insert(name.to_owned(), base) {
                Some(_) => Err(Refusal::new("42P04", format!("there is a database {name}"))),
                None => done,
            }
        }
        ["ALTER", "DATABASE", name, "OWNER", "TO", owner] => {
            if !all.users.contains_key(owner) {
                return Err(none("role", owner));
            }
            let base = all.databases.get_mut(name).ok_or_else(|| none("database", name))?;
            base.owner = owner.to_owned();
            done
        }
        ["DROP", "DATABASE", name] => match all.databases.remove(name) {
            Some(_) => {
                all.users.values_mut().for_each(|user| drop(user.rights.remove(name)));
                done
            }
            None => Err(none("database", name)),
        },
        ["DROP", "ROLE", name] => {
            let needed = all.databases.values().any(|base| base.owner == name);
            let has = all.users.get(name).ok_or_else(|| none("role", name))?;
            if needed || !has.rights.is_empty() {
                return Err(Refusal::new(
                    "2BP01",
                    format!("role {name} cannot be dropped: some objects depend on it"),
                ));
            }
            all.users.remove(name);
            done
        }
        ["CREATE", "ROLE", name, ref rest @ ..] => {
            match all.users.insert(name.to_owned(), role(Account::default(), rest)?) {
                Some(_) => Err(Refusal::new("42710", format!("there is a role {name}"))),
                None => done,
            }
        }
        ["ALTER", "ROLE", name, ref rest @ ..] => {
            let is = all.users.get(name).cloned().ok_or_else(|| none("role", name))?;
            all.users.insert(name.to_owned(), role(is, rest)?);
            done
        }
        [verb @ ("GRANT" | "REVOKE"), ref rest @ ..] => {
            let Some((names, &["DATABASE", place, "TO" | "FROM", name])) = rights(rest) else {
                return Err(Refusal::new("42601", "syntax error in rights"));
            };
            let base = all.databases.get_mut(place).ok_or_else(|| none("database", place))?;
            let names = if names[..] == ["ALL"] { RIGHTS.map(str::to_owned).into() } else { names };
            let has = match name {
                "PUBLIC" => &mut base.open,
                name => {
                    let user = all.users.get_mut(name).ok_or_else(|| none("role", name))?;
                    user.rights.entry(place.to_owned()).or_default()
                }
            };
            match verb {
                "GRANT" => has.extend(names),
                _ => has.retain(|name| !names.contains(name)),
            }
            all.users.values_mut().for_each(|user| user.rights.retain(|_, names| !names.is_empty()));
            done
        }
        _ => tables(&SERVER, all, database, words),
    }
}

/// A role with other attributes.
fn role(mut is: Account, mut words: &[&str]) -> Result<Account, Refusal> {
    loop {
        words = match *words {
            [] => return Ok(is),
            ["LOGIN", ref rest @ ..] => {
                is.login = true;
                rest
            }
            ["NOSUPERUSER", ref rest @ ..] => {
                is.superuser = false;
                rest
            }
            ["NOCREATEROLE" | "NOCREATEDB" | "NOREPLICATION" | "NOBYPASSRLS", ref rest @ ..] => rest,
            ["VALID", "UNTIL", "infinity", ref rest @ ..] => rest,
            ["PASSWORD", kept, ref rest @ ..] => {
                is.kept = if kept == "NULL" { String::new() } else { kept.to_owned() };
                rest
            }
            _ => return Err(Refusal::new("42601", "syntax error in the attributes of a role")),
        }
    }
}
