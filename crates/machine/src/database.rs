//! The database servers of the machine, spoken to over their local sockets in their own protocols.
//!
//! Always true here: a server knows who asks from the kernel, so there is no password, unless root has one of its own in
//! `/root/.my.cnf`; what is said stands in no argument and no environment; nothing takes longer than its time. There is no library in between: the known ones bring a
//! runtime of their own, and what is needed (one plain way to log in, plain texts to and fro) has not changed in
//! twenty years.

mod mariadb;
mod own_file;
mod postgres;
mod proof;
mod wire;

use std::io;
use std::time::{Duration, Instant};

use pq_steps::{Engine, Error, Heard, Refusal, Session, Talk};
use pq_stream::Diagnostic;

use crate::cause::{failed, words};
use crate::users::Users;
use own_file::Login;
use wire::Wire;

/// What a server has beyond the time that it gives its statements itself, before it is taken for dead.
const GRACE: Duration = Duration::from_secs(10);

/// PostgreSQL's word for "not yet": it is starting.
const STARTING: &str = "57P03";

/// MariaDB's and MySQL's words for somebody who is not let in.
const NOBODY: [&str; 2] = ["1045", "1698"];

/// The name of our lock in MariaDB, as an expression: one a database.
const MARIADB_LOCK: &str = "CONCAT('paquerette/', LEFT(IFNULL(DATABASE(), ''), 50))";

/// The number of our lock in PostgreSQL, where each database has its own.
const POSTGRES_LOCK: u32 = 7_812_749;

/// Who has the session of a number.
const MARIADB_HOLDER: &str = "SELECT CONCAT('`', user, '`@`', host, '` (', id, ')') FROM \
                              information_schema.processlist WHERE id = ";

/// Who holds the lock of a number.
const POSTGRES_HOLDER: &str = "SELECT '`' || a.usename || '` (' || a.pid || ')' FROM pg_catalog.pg_locks l JOIN \
                               pg_catalog.pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND \
                               l.granted AND l.objsubid = 1 AND l.database = (SELECT oid FROM \
                               pg_catalog.pg_database WHERE datname = current_database()) AND l.objid = ";

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    Looking,
    Changing,
}

/// A session with a server.
enum Server {
    Mariadb(mariadb::Mariadb),
    Postgres(postgres::Postgres),
}

impl Server {
    fn say(&mut self, sql: &str, end: Instant) -> io::Result<Heard> {
        match self {
            Server::Mariadb(server) => server.say(sql, end),
            Server::Postgres(server) => server.say(sql, end),
        }
    }
}

/// Asks where nothing can be written.
pub fn ask(session: &Session, sql: &str, users: &Users) -> Result<Heard, Error> {
    match open(session, For::Looking, users)? {
        Ok(mut server) => say(session, &mut server, sql),
        Err(refusal) => Ok(Err(refusal)),
    }
}

/// Opens a session in which things are changed, once no other of ours is left.
pub fn talk(session: &Session, users: &Users) -> Result<Result<Box<dyn Talk>, Refusal>, Error> {
    let mut server = match open(session, For::Changing, users)? {
        Ok(server) => server,
        Err(refusal) => return Ok(Err(refusal)),
    };
    // The lock is the session's: it goes with it, after the server has done what it was still doing.
    let (lock, holder) = match session.engine {
        Engine::Mariadb => {
            let seconds = session.timeout.as_secs();
            (
                format!("SELECT GET_LOCK({MARIADB_LOCK}, {seconds})"),
                format!("{MARIADB_HOLDER}IS_USED_LOCK({MARIADB_LOCK})"),
            )
        }
        Engine::Postgres => (
            format!("SELECT pg_catalog.pg_advisory_lock({POSTGRES_LOCK})"),
            format!("{POSTGRES_HOLDER}{POSTGRES_LOCK}"),
        ),
    };
    let got = match say(session, &mut server, &lock)? {
        Ok(rows) if session.engine == Engine::Mariadb => {
            rows.concat().pop().flatten().as_deref() == Some("1")
        }
        Ok(_) => true,
        // The time of the statement was over.
        Err(refusal) if ["57014", "1969"].contains(&refusal.code.as_str()) => false,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if got {
        return Ok(Ok(Box::new(Conversation { session: session.clone(), server })));
    }
    let held = say(session, &mut server, &holder)?.map(|rows| rows.concat().into_iter().flatten().next());
    let whose = held.ok().flatten().map_or_else(|| "a session".to_owned(), |who| format!("{who}'s session"));
    Ok(Err(Refusal::new(
        "1205",
        format!("{whose} holds paquerette's lock in the server: wait until it ends, or end it there"),
    )))
}

struct Conversation {
    session: Session,
    server: Server,
}

impl Talk for Conversation {
    fn say(&mut self, sql: &str) -> Result<Heard, Error> {
        say(&self.session, &mut self.server, sql)
    }
}

fn say(session: &Session, server: &mut Server, sql: &str) -> Result<Heard, Error> {
    server.say(sql, Instant::now() + session.timeout + GRACE).map_err(|error| silent(session, &error))
}

/// A server that does not answer, or not in time.
fn silent(session: &Session, error: &io::Error) -> Error {
    let cause = match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            format!("it did not answer within {} s", (session.timeout + GRACE).as_secs())
        }
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
            "it ended the session without a word: it may have been stopped".to_owned()
        }
        _ => words(error),
    };
    Diagnostic::new(format!("cannot talk to {}", session.engine.word())).cause(cause).into()
}

/// Opens a session. Who administers MariaDB is who root's own file says, and else whom the kernel tells of.
fn open(session: &Session, purpose: For, users: &Users) -> Result<Result<Server, Refusal>, Error> {
    let administers = session.engine == Engine::Mariadb && session.user.is_none();
    let Some(own) = administers.then(own_file::read).flatten() else {
        return open_as(session, None, purpose, users);
    };
    match open_as(session, Some(&own), purpose, users)? {
        // A file that nobody needs any more is no reason to stay outside.
        Err(refusal) if NOBODY.contains(&refusal.code.as_str()) => {
            let plain = open_as(session, None, purpose, users)?;
            Ok(plain.map_err(|_| {
                Refusal::new(refusal.code, format!("{} (as `{}` says)", refusal.message, own_file::FILE))
            }))
        }
        opened => Ok(opened),
    }
}

/// Opens a session; a server that is starting is waited for.
fn open_as(
    session: &Session,
    own: Option<&Login>,
    purpose: For,
    users: &Users,
) -> Result<Result<Server, Refusal>, Error> {
    let end = Instant::now() + GRACE;
    loop {
        match open_once(session, own, purpose, users, end)? {
            Err(refusal) if refusal.code == STARTING && Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(50));
            }
            opened => return Ok(opened),
        }
    }
}

fn open_once(
    session: &Session,
    own: Option<&Login>,
    purpose: For,
    users: &Users,
    end: Instant,
) -> Result<Result<Server, Refusal>, Error> {
    let (socket, administrator) = match session.engine {
        Engine::Mariadb => ("/run/mysqld/mysqld.sock", "root"),
        Engine::Postgres => ("/run/postgresql/.s.PGSQL.5432", "postgres"),
    };
    let absent = || Error::absent("running database server", session.engine.word());
    let name = session.user.as_deref().unwrap_or(administrator);
    let user = match (users.user(name), &session.user) {
        (Some(user), _) => user.id,
        (None, Some(name)) => return Err(Error::absent("user", name.clone())),
        // The server's package brings it.
        (None, None) => return Err(absent()),
    };
    let wire = match Wire::connect(socket, user, GRACE) {
        Ok(wire) => wire,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Err(absent());
        }
        Err(error) => return Err(failed(format!("cannot talk to {}", session.engine.word()), error)),
    };
    let opened = match session.engine {
        Engine::Mariadb => {
            let plain = Login { user: Some(name.to_owned()), password: String::new() };
            let login = own.unwrap_or(&plain);
            mariadb::open(wire, login, session, purpose, end).map(|it| it.map(Server::Mariadb))
        }
        Engine::Postgres => {
            postgres::open(wire, name, session, purpose, end).map(|it| it.map(Server::Postgres))
        }
    };
    opened.map_err(|error| silent(session, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_server_is_told_apart_from_one_without_a_user() {
        let users = Users::parse("root:x:0:0:root:/root:/bin/sh\n", "root:x:0:\n");
        let session = |user: Option<&str>| Session {
            engine: Engine::Postgres,
            database: None,
            user: user.map(str::to_owned),
            timeout: Duration::from_secs(1),
        };
        let absent = |user| ask(&session(user), "SELECT 1", &users).unwrap_err();
        assert_eq!(absent(None), Error::absent("running database server", "postgres"));
        assert_eq!(absent(Some("wiki")), Error::absent("user", "wiki"));
    }
}
