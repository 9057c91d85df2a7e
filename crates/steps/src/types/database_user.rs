//! A user of a database server exists, logs in one way, and has the rights that are written down and no others.
//!
//! In PostgreSQL it is a role that may log in and is no administrator; what it owns is said by the databases' steps. Passwords
//! are compared in this process, and sent as what the server keeps of them, so that no server ever reads one.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::catalogue::{Account, Catalogue, GRANT_OPTION};
use super::engine::{asking, field, heard, literal, refused, valid_name};
use super::passwords;
use crate::ledger::{Thing, ThingKind};
use crate::{Check, Converge, Differences, Engine, Error, Heard, Probe, System, Text};

/// How a database user shows who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// It is the system's user of the same name, over the local socket: there is no password.
    Socket,
    /// By a password.
    Password,
}

/// Rights on one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The database. In postgres it must be there.
    pub database: String,
    /// Which, as the server names them, in lower case: `select`, `lock tables`; in postgres `connect`, `create`, `temporary`.
    /// All of them where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub privileges: Vec<String>,
}

/// A user of a database server on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseUser {
    /// The server.
    pub engine: Engine,
    /// Its name.
    pub name: String,
    /// From where it may come (mariadb): a name, an address, a pattern as `10.0.0.%`; `localhost`, the socket, by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// How it shows who it is.
    pub auth: Auth,
    /// Its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Text>,
    /// Its rights on databases; it has none on others, but for those that it owns (postgres).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
}

/// What MariaDB lets a user do with a database, beside `GRANT OPTION`.
const MARIADB: [&str; 18] = [
    "select",
    "insert",
    "update",
    "delete",
    "create",
    "drop",
    "references",
    "index",
    "alter",
    "create temporary tables",
    "lock tables",
    "create view",
    "show view",
    "create routine",
    "alter routine",
    "execute",
    "event",
    "trigger",
];

/// What PostgreSQL lets a user do with a database.
const POSTGRES: [&str; 3] = ["connect", "create", "temporary"];

/// What the server has, as far as this user goes.
struct Is {
    user: Account,
    /// Databases that are its own (postgres).
    own: BTreeSet<String>,
    /// How many rights on a database there are.
    all: usize,
}

impl DatabaseUser {
    fn host(&self) -> &str {
        match self.engine {
            Engine::Mariadb => self.from.as_deref().unwrap_or("localhost"),
            Engine::Postgres => "",
        }
    }

    /// Its name, with its host where that is not the usual one.
    pub fn account(&self) -> String {
        match self.host() {
            "" | "localhost" => self.name.clone(),
            host => format!("{}@{host}", self.name),
        }
    }

    /// The user in a statement.
    fn stated(&self) -> String {
        match self.engine {
            Engine::Mariadb => format!("{}@{}", literal(&self.name), literal(self.host())),
            Engine::Postgres => self.engine.identifier(&self.name),
        }
    }

    /// A database as the server's rights name it: MariaDB takes `_` alone for any letter.
    fn place(&self, database: &str) -> String {
        match self.engine {
            Engine::Mariadb => database.replace('_', "\\_"),
            Engine::Postgres => database.to_owned(),
        }
    }

    fn what(&self) -> String {
        format!("cannot manage database user `{}`", self.engine.named(&self.account()))
    }

    fn password(&self) -> Result<&str, Error> {
        let password = self.password.as_ref().map_or("", Text::as_str);
        passwords::usable(password).map_err(|why| {
            Error::failed(format!("cannot use the password of `{}`", self.engine.named(&self.name)), why)
        })?;
        Ok(password)
    }

    /// The user as it is; in postgres, the databases of its rights must be there.
    fn look(&self, ask: impl FnMut(&str) -> Result<Heard, Error>) -> Result<Option<Is>, Error> {
        let mut all = Catalogue::of(self.engine, &self.what(), ask)?;
        let missing = |grant: &&Grant| !all.databases.contains_key(&grant.database);
        if self.engine == Engine::Postgres
            && let Some(grant) = self.grants.iter().find(missing)
        {
            return Err(Error::absent("database", self.engine.named(&grant.database)));
        }
        let own = all.databases.iter().filter(|(_, base)| base.owner == self.name);
        let own: BTreeSet<String> = own.map(|(name, _)| name.clone()).collect();
        let user = all.users.remove(&(self.name.clone(), self.host().to_owned()));
        Ok(user.map(|mut user| {
            user.rights.retain(|place, _| !own.contains(place));
            Is { user, own, all: all.all }
        }))
    }

    /// The rights that are wanted, by place; an empty set stands for all. Its own database needs none.
    fn wanted(&self, own: &BTreeSet<String>) -> BTreeMap<String, BTreeSet<String>> {
        let of = |grant: &Grant| grant.privileges.iter().map(|it| it.to_uppercase()).collect();
        let grants = self.grants.iter().filter(|grant| !own.contains(&grant.database));
        grants.map(|grant| (self.place(&grant.database), of(grant))).collect()
    }

    /// The places where the rights differ: what it lacks (nothing in the set: all of them), and what it has beyond.
    fn rights(&self, is: &Is) -> Vec<Right> {
        let wanted = self.wanted(&is.own);
        let places: BTreeSet<&String> = wanted.keys().chain(is.user.rights.keys()).collect();
        let none = BTreeSet::new();
        let mut differing = Vec::new();
        for place in places {
            let has = is.user.rights.get(place).unwrap_or(&none);
            let option = has.contains(GRANT_OPTION);
            let whole = has.len() - usize::from(option) == is.all;
            let beyond = |names: BTreeSet<String>| Right { place: place.clone(), lacks: None, beyond: names };
            let right = match wanted.get(place) {
                None => beyond(has.clone()),
                Some(want) if want.is_empty() => Right {
                    lacks: (!whole).then(BTreeSet::new),
                    ..beyond(option.then(|| GRANT_OPTION.to_owned()).into_iter().collect())
                },
                Some(want) => {
                    let lacks: BTreeSet<String> = want.difference(has).cloned().collect();
                    Right {
                        lacks: (!lacks.is_empty()).then_some(lacks),
                        ..beyond(has.difference(want).cloned().collect())
                    }
                }
            };
            if right.lacks.is_some() || !right.beyond.is_empty() {
                differing.push(right);
            }
        }
        differing
    }

    /// Whether it shows who it is in another way than it should, or by another password.
    fn auth_differs(&self, is: &Account, found: &mut Differences) -> Result<bool, Error> {
        let want = match self.auth {
            Auth::Socket => "socket",
            Auth::Password => "password",
        };
        if is.auth != want {
            found.push("auth", Some(&is.auth), Some(want));
            return Ok(true);
        }
        if self.auth == Auth::Socket {
            return Ok(false);
        }
        let password = self.password()?;
        let same = match self.engine {
            Engine::Mariadb => is.kept.eq_ignore_ascii_case(&passwords::native(password)),
            Engine::Postgres => passwords::is_of(&is.kept, password),
        };
        if !same {
            found.push("password (secret)", None, None);
        }
        Ok(!same)
    }

    /// What differs, and whether its way to log in is part of it.
    fn compare(&self, is: &Is) -> Result<(Check, bool), Error> {
        let mut found = Differences::new();
        let auth = self.auth_differs(&is.user, &mut found)?;
        if !is.user.login {
            found.push("login", Some("refused"), Some("allowed"));
        }
        let words = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
        for right in self.rights(is) {
            let lacks =
                right.lacks.as_ref().map(|it| if it.is_empty() { "all".to_owned() } else { words(it) });
            let beyond = (!right.beyond.is_empty()).then(|| words(&right.beyond));
            found.push(&format!("rights on `{}`", right.place), beyond.as_deref(), lacks.as_deref());
        }
        is.user.roles.iter().for_each(|role| found.push("role", Some(role), None));
        is.user.beyond.iter().for_each(|it| found.push("beyond its databases", Some(it), None));
        Ok((found.into_check(), auth))
    }

    /// How it shows who it is, as a clause of a statement.
    fn clause(&self, mut say: impl FnMut(&str) -> Result<Heard, Error>) -> Result<String, Error> {
        Ok(match (self.engine, self.auth) {
            // What stands in the second comment is for MySQL alone.
            (Engine::Mariadb, Auth::Socket) => {
                " IDENTIFIED /*M! VIA unix_socket */ /*!80000 WITH auth_socket */".to_owned()
            }
            (Engine::Mariadb, Auth::Password) => {
                let kept = passwords::native(self.password()?);
                let kept = literal(&kept);
                format!(
                    " IDENTIFIED /*M! VIA mysql_native_password USING {kept} */ \
                     /*!80000 WITH mysql_native_password AS {kept} */"
                )
            }
            (Engine::Postgres, Auth::Socket) => " PASSWORD NULL".to_owned(),
            (Engine::Postgres, Auth::Password) => {
                let password = self.password()?;
                let drawn =
                    heard(say("SELECT pg_catalog.gen_random_uuid()")?, self.engine, &self.what(), false)?;
                let salt = drawn.first().and_then(|row| salt(field(row, 0))).ok_or_else(|| {
                    Error::failed("cannot draw a salt for a password", "the server answers with no UUID")
                })?;
                format!(" PASSWORD {}", literal(&passwords::scram(password, &salt)))
            }
        })
    }

    fn statements(&self, is: Option<&Is>, clause: &str) -> Vec<String> {
        let new = Is { user: Account::default(), own: BTreeSet::new(), all: usize::MAX };
        let rights = self.rights(is.unwrap_or(&new));
        match self.engine {
            Engine::Mariadb => self.statements_mariadb(is, clause, &rights),
            // All of them or none.
            Engine::Postgres => vec![self.statements_postgres(is, clause, &rights).join(";\n")],
        }
    }

    fn statements_mariadb(&self, is: Option<&Is>, clause: &str, rights: &[Right]) -> Vec<String> {
        let account = self.stated();
        let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
        let grant = |place: &str, names: &BTreeSet<String>| {
            let names = if names.is_empty() { "ALL PRIVILEGES".to_owned() } else { list(names) };
            format!("GRANT {names} ON {}.* TO {account}", self.engine.identifier(place))
        };
        let mut statements = match is {
            None => vec![format!("CREATE USER {account}{clause}")],
            Some(_) => vec![format!("ALTER USER {account}{clause} ACCOUNT UNLOCK")],
        };
        let user = is.map(|is| &is.user);
        let roles = user.iter().flat_map(|user| &user.roles);
        statements
            .extend(roles.map(|role| format!("REVOKE {} FROM {account}", self.engine.identifier(role))));
        if user.is_some_and(|user| !user.beyond.is_empty()) {
            statements.push(format!("REVOKE ALL PRIVILEGES, GRANT OPTION FROM {account}"));
            let wanted = self.wanted(&BTreeSet::new());
            statements.extend(wanted.iter().map(|(place, names)| grant(place, names)));
            return statements;
        }
        for right in rights {
            statements.extend(right.lacks.as_ref().map(|names| grant(&right.place, names)));
            if !right.beyond.is_empty() {
                let (names, place) = (list(&right.beyond), self.engine.identifier(&right.place));
                statements.push(format!("REVOKE {names} ON {place}.* FROM {account}"));
            }
        }
        statements
    }

    fn statements_postgres(&self, is: Option<&Is>, clause: &str, rights: &[Right]) -> Vec<String> {
        let account = self.stated();
        let mut statements = match is {
            None => vec![format!("CREATE ROLE {account} LOGIN{clause}")],
            Some(_) => vec![format!(
                "ALTER ROLE {account} LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS \
                 VALID UNTIL 'infinity'{clause}"
            )],
        };
        let roles = is.iter().flat_map(|is| &is.user.roles);
        statements
            .extend(roles.map(|role| format!("REVOKE {} FROM {account}", self.engine.identifier(role))));
        let wanted = self.wanted(&BTreeSet::new());
        for Right { place, .. } in rights {
            let database = self.engine.identifier(place);
            if is.is_some() {
                statements.push(format!("REVOKE ALL ON DATABASE {database} FROM {account}"));
            }
            if let Some(names) = wanted.get(place) {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let names = if names.is_empty() { "ALL".to_owned() } else { names.join(", ") };
                statements.push(format!("GRANT {names} ON DATABASE {database} TO {account}"));
            }
        }
        statements
    }
}

/// Where rights differ.
struct Right {
    place: String,
    lacks: Option<BTreeSet<String>>,
    beyond: BTreeSet<String>,
}

/// The 16 bytes of a UUID, 122 bits of them drawn by the server.
fn salt(uuid: &str) -> Option<Vec<u8>> {
    let digits: String = uuid.chars().filter(char::is_ascii_hexdigit).collect();
    (0..32).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect()
}

impl Converge for DatabaseUser {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        match self.look(asking(machine, &self.engine.server()))? {
            None => Ok(Differences::missing("database user")),
            Some(is) => Ok(self.compare(&is)?.0),
        }
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        // The server may quote what it was sent.
        let told = |refusal| refused(&refusal, self.engine, &self.what(), self.auth == Auth::Password);
        let mut talk = machine.talk(&self.engine.server())?.map_err(told)?;
        let is = self.look(|sql| talk.say(sql))?;
        let (check, auth) = match &is {
            None => (None, true),
            Some(is) => self.compare(is).map(|(check, auth)| (Some(check), auth))?,
        };
        if check == Some(Check::InSync) {
            return Ok(());
        }
        let clause = if auth { self.clause(|sql| talk.say(sql))? } else { String::new() };
        for statement in self.statements(is.as_ref(), &clause) {
            talk.say(&statement)?.map_err(told)?;
        }
        Ok(())
    }

    fn validate(&self) -> Result<(), String> {
        valid_name("name", &self.name)?;
        let known: &[&str] = match self.engine {
            Engine::Mariadb => &MARIADB,
            Engine::Postgres => &POSTGRES,
        };
        let mut seen = BTreeSet::new();
        for grant in &self.grants {
            valid_name("grants", &grant.database)?;
            if !seen.insert(&grant.database) {
                return Err(format!("`grants` names `{}` twice", grant.database));
            }
            if let Some(other) = grant.privileges.iter().find(|it| !known.contains(&it.as_str())) {
                let other = other.escape_debug();
                return Err(format!("`privileges` has `{other}`, which is none of {}", known.join(", ")));
            }
        }
        match (self.auth, &self.password) {
            (Auth::Password, None) => return Err("`password` is missing: `auth` is `password`".to_owned()),
            (Auth::Socket, Some(_)) => return Err("`password` is given, and `auth` is `socket`".to_owned()),
            (Auth::Password, Some(password)) if !password.is_secret() => {
                passwords::usable(password.as_str())
                    .map_err(|why| format!("`password` cannot be used: {why}"))?;
            }
            _ => {}
        }
        let Some(host) = &self.from else { return Ok(()) };
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".:%-_/".contains(&b);
        match (self.engine, self.auth) {
            (Engine::Postgres, _) => {
                Err("`from` is for mariadb: in postgres `pg_hba.conf` has it".to_owned())
            }
            _ if host.is_empty() || host.len() > 60 || !host.bytes().all(plain) => {
                Err(format!("`from` is `{}`, which is none", host.escape_debug()))
            }
            (_, Auth::Socket) if host != "localhost" => {
                Err(format!("`from` is `{host}`, and `auth` is `socket`, which is on this machine"))
            }
            _ => Ok(()),
        }
    }

    fn things(&self) -> Vec<Thing> {
        vec![Thing::new(ThingKind::DatabaseUser, self.engine.named(&self.account()))]
    }

    fn texts(&mut self) -> Vec<&mut Text> {
        self.password.iter_mut().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_mean_nothing_to_the_engine_or_would_leave_their_place_are_refused() {
        let with = |rest: &str| format!(r#"{{"engine":"mariadb","name":"x","auth":"socket"{rest}}}"#);
        for (fields, says) in [
            (with(r#","password":"x""#), "`auth` is `socket`"),
            (with(r#","from":"a'b""#), "`from` is"),
            (with(r#","from":"10.0.0.%""#), "which is on this machine"),
            (with(r#","grants":[{"database":"a`b"}]"#), "`grants` is"),
            (with(r#","grants":[{"database":"mysql"}]"#), "the server's own"),
            (with(r#","grants":[{"database":"a"},{"database":"a"}]"#), "twice"),
            (with(r#","grants":[{"database":"a","privileges":["super"]}]"#), "which is none of select"),
            (with(r#","grants":[{"database":"a","privileges":["select; drop"]}]"#), "which is none"),
            (r#"{"engine":"mariadb","name":"x","auth":"password"}"#.to_owned(), "`password` is missing"),
            (r#"{"engine":"mariadb","name":"x","auth":"password","password":"é"}"#.to_owned(), "ASCII"),
            (r#"{"engine":"postgres","name":"x","auth":"socket","from":"y"}"#.to_owned(), "`from` is for"),
            (r#"{"engine":"postgres","name":"x;","auth":"socket"}"#.to_owned(), "`name` is"),
            (r#"{"engine":"postgres","name":"x","auth":"peer"}"#.to_owned(), "peer"),
        ] {
            let read = serde_json::from_str::<DatabaseUser>(&fields).map_err(|error| error.to_string());
            let why = read.and_then(|step| step.validate()).unwrap_err();
            assert!(why.contains(says), "{fields}: {why}");
        }
    }
}
