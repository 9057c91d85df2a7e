//! A database exists, with its owner or its character set. What is in it is not our business, and it is never dropped.

use pq_stream::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::catalogue::{Base, Catalogue};
use super::engine::{asking, field, heard, literal, refused, valid_name};
use crate::ledger::{Thing, ThingKind};
use crate::{Check, Converge, Differences, Engine, Error, Heard, Probe, Refusal, System};

/// A database exists. In PostgreSQL it holds UTF-8, and only its owner and whom it lets may connect to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// The server.
    pub engine: Engine,
    /// Its name.
    pub name: String,
    /// The database user to whom it belongs (postgres); left as it is where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What new tables hold (mariadb), `utf8mb4` by default. Tables that are there keep what they have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charset: Option<String>,
    /// How text is ordered: in mariadb of new tables, `utf8mb4_general_ci` by default; in postgres `C.UTF-8` by default,
    /// whose order no upgrade of the system changes, and fixed for ever when the database is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// Extensions that are in it (postgres); their packages must be installed. Others stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<String>,
}

/// What PostgreSQL lets every user do with a new database, and with ours not.
const OPEN: [&str; 2] = ["CONNECT", "TEMPORARY"];

impl Database {
    fn charset(&self) -> &str {
        self.charset.as_deref().unwrap_or(match self.engine {
            Engine::Mariadb => "utf8mb4",
            Engine::Postgres => "UTF8",
        })
    }

    fn collation(&self) -> &str {
        self.collation.as_deref().unwrap_or(match self.engine {
            Engine::Mariadb => "utf8mb4_general_ci",
            Engine::Postgres => "C.UTF-8",
        })
    }

    fn what(&self) -> String {
        format!("cannot manage database `{}`", self.engine.named(&self.name))
    }

    /// The database as it is; its owner must be there.
    fn look(&self, ask: impl FnMut(&str) -> Result<Heard, Error>) -> Result<Option<Base>, Error> {
        let mut all = Catalogue::of(self.engine, &self.what(), ask)?;
        if let Some(owner) = &self.owner
            && !all.users.contains_key(&(owner.clone(), String::new()))
        {
            return Err(Error::absent("database user", self.engine.named(owner)));
        }
        Ok(all.databases.remove(&self.name))
    }

    /// What differs; what cannot be changed any more is an error.
    fn compare(&self, is: &Base) -> Result<Differences, Error> {
        let mut found = Differences::new();
        if self.engine == Engine::Mariadb {
            found.between("charset", &is.charset.as_str(), &self.charset());
            found.between("collation", &is.collation.as_str(), &self.collation());
            return Ok(found);
        }
        self.fixed("encoding", &is.charset, self.charset())?;
        if let Some(collation) = &self.collation {
            self.fixed("collation", &is.collation, collation)?;
        }
        if let Some(owner) = &self.owner {
            found.between("owner", &is.owner, owner);
        }
        if OPEN.iter().any(|right| is.open.contains(*right)) {
            found.push("who may connect", Some("every user"), Some("its owner, and whom it lets"));
        }
        Ok(found)
    }

    fn fixed(&self, what: &str, is: &str, want: &str) -> Result<(), Error> {
        let plain = |text: &str| text.replace('-', "").to_lowercase();
        if plain(is) == plain(want) {
            return Ok(());
        }
        Err(Diagnostic::new(format!("cannot use database `{}`", self.engine.named(&self.name)))
            .cause(format!("its {what} is `{is}`, not `{want}`, and that is fixed when a database is made"))
            .hint("dump it, make it anew with what is wanted, and restore it; or choose another name")
            .into())
    }

    /// The wanted extensions that are not in it.
    fn lacks(&self, mut ask: impl FnMut(&str) -> Result<Heard, Error>) -> Result<Vec<&str>, Error> {
        if self.extensions.is_empty() {
            return Ok(Vec::new());
        }
        let question = "SELECT extname FROM pg_catalog.pg_extension";
        let rows = heard(ask(question)?, self.engine, &self.what(), false)?;
        let there = |name: &&str| rows.iter().any(|row| field(row, 0) == *name);
        Ok(self.extensions.iter().map(String::as_str).filter(|name| !there(name)).collect())
    }

    /// Statements that make it, or what of it differs. None of them can be done in one transaction with another.
    fn statements(&self, is: Option<&Base>) -> Vec<String> {
        let name = self.engine.identifier(&self.name);
        let (charset, collation) = (self.charset(), self.collation());
        if self.engine == Engine::Mariadb {
            let verb = if is.is_none() { "CREATE" } else { "ALTER" };
            return vec![format!("{verb} DATABASE {name} CHARACTER SET {charset} COLLATE {collation}")];
        }
        let mut statements = Vec::new();
        let owner = self.owner.as_deref().map(|owner| self.engine.identifier(owner));
        match (is, owner) {
            (None, owner) => {
                let collation = literal(collation);
                let owner = owner.map_or(String::new(), |owner| format!(" OWNER {owner}"));
                statements.push(format!(
                    "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE {collation} LC_CTYPE {collation}{owner}"
                ));
            }
            (Some(is), Some(owner)) if Some(&is.owner) != self.owner.as_ref() => {
                statements.push(format!("ALTER DATABASE {name} OWNER TO {owner}"));
            }
            _ => {}
        }
        statements.push(format!("REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC"));
        statements
    }

    fn refused(&self, refusal: &Refusal) -> Error {
        refused(refusal, self.engine, &self.what(), false)
    }

    /// Makes the extensions that are missing.
    fn extend(&self, machine: &mut dyn System) -> Result<(), Error> {
        let session = self.engine.within(&self.name);
        let mut talk = machine.talk(&session)?.map_err(|refusal| self.refused(&refusal))?;
        for name in self.lacks(|sql| talk.say(sql))? {
            let name = self.engine.identifier(name);
            let made = talk.say(&format!("CREATE EXTENSION IF NOT EXISTS {name} SCHEMA public"))?;
            made.map_err(|refusal| self.refused(&refusal))?;
        }
        Ok(())
    }
}

impl Converge for Database {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let Some(is) = self.look(asking(machine, &self.engine.server()))? else {
            return Ok(Differences::missing("database"));
        };
        let mut found = self.compare(&is)?;
        for name in self.lacks(asking(machine, &self.engine.within(&self.name)))? {
            found.push("extension", None, Some(name));
        }
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        {
            let mut talk = machine.talk(&self.engine.server())?.map_err(|refusal| self.refused(&refusal))?;
            let is = self.look(|sql| talk.say(sql))?;
            let right = match &is {
                Some(is) => self.compare(is)?.into_check() == Check::InSync,
                None => false,
            };
            if !right {
                for statement in self.statements(is.as_ref()) {
                    talk.say(&statement)?.map_err(|refusal| self.refused(&refusal))?;
                }
            }
        }
        if self.extensions.is_empty() { Ok(()) } else { self.extend(machine) }
    }

    fn validate(&self) -> Result<(), String> {
        valid_name("name", &self.name)?;
        self.owner.as_ref().map_or(Ok(()), |owner| valid_name("owner", owner))?;
        for (field, value) in [("charset", self.charset()), ("collation", self.collation())] {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '@');
            if value.is_empty() || value.len() > 64 || !value.chars().all(plain) {
                return Err(format!("`{field}` is `{}`, which is none", value.escape_debug()));
            }
        }
        let extension = |name: &String| {
            let plain =
                name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b));
            plain && !name.is_empty() && name.len() <= 63
        };
        if let Some(name) = self.extensions.iter().find(|name| !extension(name)) {
            return Err(format!("`extensions` has `{}`, which is none", name.escape_debug()));
        }
        match self.engine {
            Engine::Mariadb => self.validate_mariadb(),
            Engine::Postgres if self.charset.is_some() => {
                Err("`charset` is for mariadb: in postgres a database holds UTF-8".to_owned())
            }
            Engine::Postgres => Ok(()),
        }
    }

    fn things(&self) -> Vec<Thing> {
        vec![Thing::new(ThingKind::Database, self.engine.named(&self.name))]
    }
}

impl Database {
    fn validate_mariadb(&self) -> Result<(), String> {
        let (charset, collation) = (self.charset(), self.collation());
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if self.owner.is_some() {
            return Err("`owner` is for postgres: in mariadb a database belongs to nobody, see `grants` of `database_user`"
                .to_owned());
        }
        if !self.extensions.is_empty() {
            return Err("`extensions` is for postgres".to_owned());
        }
        if !plain(charset) || !plain(collation) {
            return Err(format!("`charset` `{charset}` or `collation` `{collation}` is none"));
        }
        match collation.strip_prefix(charset).is_some_and(|rest| rest.starts_with('_')) {
            true => Ok(()),
            false => Err(format!(
                "`collation` `{collation}` is none of the charset `{charset}`, by which its name begins"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(fields: &str) -> String {
        let read = serde_json::from_str::<Database>(fields).map_err(|error| error.to_string());
        read.and_then(|step| step.validate()).unwrap_err()
    }

    #[test]
    fn fields_that_mean_nothing_to_the_engine_or_would_leave_their_place_are_refused() {
        for (fields, says) in [
            (r#"{"engine":"mariadb","name":"x","owner":"y"}"#, "`owner` is for postgres"),
            (r#"{"engine":"mariadb","name":"x","extensions":["hstore"]}"#, "`extensions` is for postgres"),
            (r#"{"engine":"mariadb","name":"x","charset":"latin1"}"#, "is none of the charset `latin1`"),
            (r#"{"engine":"mariadb","name":"x","collation":"utf8mb4_general_ci;"}"#, "`collation` is"),
            (r#"{"engine":"mariadb","name":"x","charset":"utf8-","collation":"utf8-_x"}"#, "is none"),
            (r#"{"engine":"postgres","name":"x","charset":"UTF8"}"#, "`charset` is for mariadb"),
            (r#"{"engine":"postgres","name":"x","collation":"C' "}"#, "`collation` is"),
            (r#"{"engine":"postgres","name":"x","extensions":["a\"b"]}"#, "`extensions` has"),
            (r#"{"engine":"postgres","name":"X"}"#, "`name` is `X`"),
            (r#"{"engine":"postgres","name":"x","owner":"root"}"#, "the server's own"),
            (r#"{"engine":"oracle","name":"x"}"#, "oracle"),
            (r#"{"engine":"postgres","name":"x","drop":true}"#, "drop"),
        ] {
            assert!(refused(fields).contains(says), "{fields}: {}", refused(fields));
        }
    }
}
