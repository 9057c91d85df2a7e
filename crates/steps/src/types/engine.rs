//! What steps for database servers share: names, strings, sessions, and errors that tell no secret.
//!
//! Always true here: a name that gets into a statement was held to narrow rules and is quoted all the same, any other text is a
//! string of the SQL standard; sessions are made to take it as one.

use std::time::Duration;

use pq_stream::Diagnostic;

use crate::{Engine, Error, Heard, Probe, Refusal, Rows, Session};

/// How long a question, or a change of one database or user, may take in the server.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// What belongs to the servers themselves: databases, users, and words that stand for users.
const RESERVED: [&str; 14] = [
    "current_role",
    "current_user",
    "information_schema",
    "mysql",
    "none",
    "performance_schema",
    "postgres",
    "public",
    "root",
    "session_user",
    "sys",
    "template0",
    "template1",
    "user",
];

impl Engine {
    /// A name as an identifier.
    pub(super) fn identifier(self, name: &str) -> String {
        match self {
            Engine::Mariadb => format!("`{}`", name.replace('`', "``")),
            Engine::Postgres => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    /// A name in the ledger: `engine/name`.
    pub(super) fn named(self, name: &str) -> String {
        format!("{}/{name}", self.word())
    }

    /// The server itself, talked to by its administrator.
    pub(super) fn server(self) -> Session {
        Session { engine: self, database: None, user: None, timeout: PATIENCE }
    }

    /// One database, talked to by the server's administrator.
    pub(super) fn within(self, database: &str) -> Session {
        Session { database: Some(database.to_owned()), ..self.server() }
    }
}

/// A text as a string of SQL.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Refuses a name that would have to be quoted, that is too long for either engine, or that is the server's own.
pub(super) fn valid_name(field: &str, name: &str) -> Result<(), String> {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let rest = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !first || !rest || name.len() > 63 {
        return Err(format!(
            "`{field}` is `{}`: at most 63 lower case letters, digits and `_`, the first no digit",
            name.escape_debug()
        ));
    }
    match RESERVED.contains(&name) || name.starts_with("pg_") {
        true => Err(format!("`{field}` is `{name}`, which is the server's own")),
        false => Ok(()),
    }
}

/// Asks the machine's server, in a way in which nothing can be written.
pub(super) fn asking<'a>(
    machine: &'a dyn Probe,
    session: &'a Session,
) -> impl FnMut(&str) -> Result<Heard, Error> + 'a {
    move |sql| machine.query(session, sql)
}

/// The rows that were heard, or the error that the server's refusal is. What it says is left out where it may show a
/// secret: a server quotes what it does not understand.
pub(super) fn heard(heard: Heard, engine: Engine, what: &str, secret: bool) -> Result<Rows, Error> {
    heard.map_err(|refusal| refused(&refusal, engine, what, secret))
}

/// The error that a refusal is.
pub(super) fn refused(refusal: &Refusal, engine: Engine, what: &str, secret: bool) -> Error {
    let Refusal { code, message } = refusal;
    let words = if secret { "(its words are left out: they may show a secret)" } else { message };
    let error =
        Diagnostic::new(what.to_owned()).cause(format!("{} says: error {code}: {words}", engine.word()));
    match (engine, code.as_str()) {
        (Engine::Mariadb, "1045" | "1698") => error.hint(
            "who asks is told by the socket: `root` and the users of the system log in with the plugin `unix_socket`, as Debian sets it up; \
             where root has a password, `/root/.my.cnf` has it below `[client]`, for root alone to write",
        ),
        (Engine::Postgres, "28000" | "28P01") => error.hint(
            "who asks is told by the socket: `pg_hba.conf` needs its lines `local all postgres peer` and `local all all peer`, as Debian has them",
        ),
        (Engine::Mariadb, "1205" | "1969") | (Engine::Postgres, "55P03" | "57014") => {
            error.hint("it took too long, or an earlier run's statement is still at work; run again when the server is idle")
        }
        _ => error,
    }
    .into()
}

/// A field of a row; nothing where it is null or missing.
pub(super) fn field(row: &[Option<String>], at: usize) -> &str {
    row.get(at).and_then(Option::as_deref).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_needs_quotes_or_is_the_servers_own_is_refused() {
        let long = "a".repeat(64);
        for name in
            ["", "1a", "A", "a-b", "a b", "a'b", "a\"b", "a`b", "é", "a\\", "pg_x", "mysql", "root", &long]
        {
            assert!(valid_name("name", name).is_err(), "{name:?}");
        }
        for name in ["wiki", "_a", "nc_amap2", &long[..63]] {
            assert_eq!(valid_name("name", name), Ok(()), "{name:?}");
        }
    }

    #[test]
    fn what_a_server_quotes_is_left_out_where_it_may_be_a_secret() {
        let refusal = Refusal::new("42601", "syntax error at or near \"hunter22\"");
        let told =
            |secret| format!("{:?}", refused(&refusal, Engine::Postgres, "cannot run statements", secret));
        assert!(told(false).contains("hunter22") && !told(true).contains("hunter22"));
        assert!(told(true).contains("42601"));
    }
}
