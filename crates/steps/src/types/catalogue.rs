//! All databases and users of a server, by one question that is the same for every step: asked once, it answers all.
//!
//! What is read are the server's own tables, whose fields are the same in every language and of one meaning in all versions that
//! are supported (MariaDB 10.5 and later, MySQL 8 and later, PostgreSQL 13 and later). What stands in `/*M! */` is for MariaDB alone, what
//! stands in `/*!80000 */` for MySQL.

use std::collections::{BTreeMap, BTreeSet};

use super::engine::{asking, field, heard};
use crate::{AbsPath, Engine, Error, Heard, Probe};

/// Rows begin with what they tell of.
const MARIADB: &str = "\
SELECT 'database', schema_name, '', default_character_set_name, default_collation_name FROM information_schema.schemata;
SELECT 'user', User, Host, /*M! Priv FROM mysql.global_priv */ \
/*!80000 json_object('plugin', plugin, 'authentication_string', if(plugin = 'mysql_native_password', authentication_string, ''), \
'account_locked', cast(if(account_locked = 'Y', 'true', 'false') AS json), 'access', (SELECT count(*) FROM \
information_schema.user_privileges WHERE privilege_type <> 'USAGE' AND grantee = concat(quote(User), '@', quote(Host)))) FROM mysql.user */;
SELECT 'all', count(*) FROM information_schema.columns WHERE table_schema = 'mysql' AND table_name = 'db' \
AND right(column_name, 5) = '_priv' AND column_name <> 'Grant_priv';
SELECT 'right', grantee, table_schema, privilege_type, is_grantable FROM information_schema.schema_privileges;
SELECT DISTINCT 'beyond', User, Host, concat('rights on table ', Db, '.', Table_name) FROM mysql.tables_priv;
SELECT DISTINCT 'beyond', User, Host, concat('rights on columns of ', Db, '.', Table_name) FROM mysql.columns_priv;
SELECT DISTINCT 'beyond', User, Host, concat('rights on routine ', Db, '.', Routine_name) FROM mysql.procs_priv;
SELECT 'member', /*M! User, Host, Role FROM mysql.roles_mapping */ /*!80000 TO_USER, TO_HOST, FROM_USER FROM mysql.role_edges */;
";

const POSTGRES: &str = "\
SELECT 'database', datname, pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate FROM pg_database;
SELECT 'right', CASE it.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(it.grantee) END, datname, it.privilege_type, it.is_grantable \
FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) AS it;
SELECT 'user', rolname, '', rolpassword, rolcanlogin AND coalesce(rolvaliduntil > now(), true), \
rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls FROM pg_authid;
SELECT 'member', pg_get_userbyid(member), '', pg_get_userbyid(roleid) FROM pg_auth_members;
";

/// A database.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Base {
    /// Empty in MariaDB, where it belongs to nobody.
    pub owner: String,
    pub charset: String,
    pub collation: String,
    /// What every user may do with it, as PostgreSQL has it.
    pub open: BTreeSet<String>,
}

/// A user.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// What it shows who it is by: `socket`, `password`, or the server's name of something else.
    pub auth: String,
    /// What the server keeps of its password.
    pub kept: String,
    /// Whether it may log in at all.
    pub login: bool,
    /// Its rights by database; in MariaDB by the pattern that means databases.
    pub rights: BTreeMap<String, BTreeSet<String>>,
    /// Roles whose rights it has too.
    pub roles: BTreeSet<String>,
    /// Rights on other than databases, in words.
    pub beyond: BTreeSet<String>,
}

/// The right to pass a right on.
pub(super) const GRANT_OPTION: &str = "GRANT OPTION";

/// All that a server tells of its databases and users.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    pub databases: BTreeMap<String, Base>,
    /// By name and, in MariaDB, host.
    pub users: BTreeMap<(String, String), Account>,
    /// How many rights on a database there are.
    pub all: usize,
}

impl Catalogue {
    /// Asks a server.
    pub fn of(
        engine: Engine,
        what: &str,
        mut ask: impl FnMut(&str) -> Result<Heard, Error>,
    ) -> Result<Self, Error> {
        let question = match engine {
            Engine::Mariadb => MARIADB,
            Engine::Postgres => POSTGRES,
        };
        // What PostgreSQL calls CONNECT, CREATE and TEMPORARY.
        let mut all = Catalogue { all: 3, ..Catalogue::default() };
        for row in heard(ask(question)?, engine, what, false)? {
            all.take(engine, &row);
        }
        all.users.values_mut().for_each(|user| user.rights.retain(|_, rights| !rights.is_empty()));
        Ok(all)
    }

    fn take(&mut self, engine: Engine, row: &[Option<String>]) {
        let at = |at: usize| field(row, at);
        let named = |name: usize, host: usize| (at(name).to_owned(), at(host).to_owned());
        match (at(0), engine) {
            ("database", _) => {
                let base = self.databases.entry(at(1).to_owned()).or_default();
                (base.owner, base.charset, base.collation) =
                    (at(2).to_owned(), at(3).to_owned(), at(4).to_owned());
            }
            ("all", _) => self.all = at(1).parse().unwrap_or(0),
            ("user", Engine::Mariadb) => account(self.users.entry(named(1, 2)).or_default(), at(3)),
            ("user", Engine::Postgres) => {
                let user = self.users.entry(named(1, 2)).or_default();
                user.auth = if at(3).is_empty() { "socket" } else { "password" }.to_owned();
                (user.kept, user.login) = (at(3).to_owned(), at(4) == "t");
                if at(5) == "t" {
                    user.beyond.insert("rights of an administrator".to_owned());
                }
            }
            ("right", Engine::Postgres) if at(1).is_empty() => {
                self.databases.entry(at(2).to_owned()).or_default().open.insert(at(3).to_owned());
            }
            ("right", _) => {
                let user = match engine {
                    Engine::Mariadb => grantee(at(1)),
                    Engine::Postgres => (at(1).to_owned(), String::new()),
                };
                let rights = self.users.entry(user).or_default().rights.entry(at(2).to_owned()).or_default();
                if at(3) != "USAGE" {
                    rights.insert(at(3).to_owned());
                }
                if matches!(at(4), "YES" | "t") {
                    rights.insert(GRANT_OPTION.to_owned());
                }
            }
            ("beyond", _) => drop(self.users.entry(named(1, 2)).or_default().beyond.insert(at(3).to_owned())),
            ("member", _) => drop(self.users.entry(named(1, 2)).or_default().roles.insert(at(3).to_owned())),
            _ => {}
        }
    }
}

/// `'name'@'host'`; neither of ours holds a quote.
fn grantee(text: &str) -> (String, String) {
    let (name, host) = text.split_once("'@'").unwrap_or((text, ""));
    (name.trim_start_matches('\'').to_owned(), host.trim_end_matches('\'').to_owned())
}

/// What MariaDB keeps of a user, a JSON document.
fn account(user: &mut Account, text: &str) {
    let kept: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let word = |name: &str| kept.get(name).and_then(serde_json::Value::as_str).unwrap_or("").to_owned();
    let is = |name: &str| kept.get(name).and_then(serde_json::Value::as_bool).unwrap_or(false);
    user.kept = word("authentication_string");
    user.login = !is("account_locked");
    user.auth = match word("plugin").as_str() {
        _ if kept.get("auth_or").is_some() => "several ways".to_owned(),
        "unix_socket" | "auth_socket" => "socket".to_owned(),
        "" | "mysql_native_password" if user.kept.is_empty() => "nothing".to_owned(),
        "" | "mysql_native_password" => "password".to_owned(),
        other => other.to_owned(),
    };
    // A bit a right; that to pass them on is one of them.
    if kept.get("access").and_then(serde_json::Value::as_u64).unwrap_or(0) != 0 {
        user.beyond.insert("rights on all databases".to_owned());
    }
}

/// Whether a database of the ledger is on the machine.
pub(crate) fn database_is_there(machine: &dyn Probe, named: &str) -> Result<bool, Error> {
    is_there(machine, named, |all, name| all.databases.contains_key(name))
}

/// Whether a database user of the ledger is on the machine.
pub(crate) fn user_is_there(machine: &dyn Probe, named: &str) -> Result<bool, Error> {
    is_there(machine, named, |all, name| {
        let (name, host) = name.split_once('@').unwrap_or((name, ""));
        all.users
            .keys()
            .any(|(other, from)| other == name && (host == from || host.is_empty() && from == "localhost"))
    })
}

/// The server in `engine/name`, and the name.
pub(super) fn engine_of(named: &str) -> Option<(Engine, &str)> {
    let (word, name) = named.split_once('/')?;
    let engine = [Engine::Mariadb, Engine::Postgres].into_iter().find(|engine| engine.word() == word)?;
    Some((engine, name))
}

/// Looks for `engine/name`. Where a server is only stopped, it may be there all the same: that is an error.
fn is_there(machine: &dyn Probe, named: &str, has: impl Fn(&Catalogue, &str) -> bool) -> Result<bool, Error> {
    let Some((engine, name)) = engine_of(named) else { return Ok(false) };
    let data = match engine {
        Engine::Mariadb => "/var/lib/mysql",
        Engine::Postgres => "/var/lib/postgresql",
    };
    if machine.stat(&AbsPath::known(data))?.is_none() {
        return Ok(false);
    }
    let what = format!("cannot look for `{named}`");
    Ok(has(&Catalogue::of(engine, &what, asking(machine, &engine.server()))?, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Heard {
        let fields = |line: &str| line.split('|').map(|it| (it != "null").then(|| it.to_owned())).collect();
        Ok(text.lines().map(fields).collect())
    }

    #[test]
    fn what_mariadb_tells_of_a_user_is_put_together() {
        let told = "database|wiki||utf8mb4|utf8mb4_general_ci\nall|18\n\
            user|wiki|localhost|{\"access\":0,\"plugin\":\"mysql_native_password\",\"authentication_string\":\"*AB\"}\n\
            user|root|localhost|{\"access\":18446744073709551615,\"plugin\":\"mysql_native_password\",\"auth_or\":[{},{\"plugin\":\"unix_socket\"}]}\n\
            right|'wiki'@'localhost'|wiki|SELECT|NO\nright|'wiki'@'localhost'|other|USAGE|YES\nmember|wiki|localhost|boss";
        let all = Catalogue::of(Engine::Mariadb, "x", |_| Ok(rows(told))).unwrap();
        let wiki = &all.users[&("wiki".to_owned(), "localhost".to_owned())];
        assert_eq!((wiki.auth.as_str(), wiki.kept.as_str(), wiki.login), ("password", "*AB", true));
        assert!(wiki.rights["wiki"].contains("SELECT") && wiki.rights["other"].contains(GRANT_OPTION));
        assert!(wiki.roles.contains("boss") && wiki.beyond.is_empty());
        let root = &all.users[&("root".to_owned(), "localhost".to_owned())];
        assert_eq!(root.auth, "several ways");
        assert!(root.beyond.contains("rights on all databases"));
        assert_eq!((all.all, all.databases["wiki"].collation.as_str()), (18, "utf8mb4_general_ci"));
    }

    #[test]
    fn what_postgres_tells_of_a_database_and_its_users_is_put_together() {
        let told = "database|wiki|wiki|UTF8|C.UTF-8\nright||wiki|CONNECT|f\nright|guest|wiki|CONNECT|t\n\
            user|wiki||null|t|f\nuser|guest||SCRAM-SHA-256$x|f|t";
        let all = Catalogue::of(Engine::Postgres, "x", |_| Ok(rows(told))).unwrap();
        assert!(all.databases["wiki"].open.contains("CONNECT"));
        let user = |name: &str| &all.users[&(name.to_owned(), String::new())];
        assert_eq!((user("wiki").auth.as_str(), user("wiki").login), ("socket", true));
        assert_eq!((user("guest").auth.as_str(), user("guest").login), ("password", false));
        assert!(user("guest").rights["wiki"].contains(GRANT_OPTION) && user("guest").beyond.len() == 1);
    }
}
