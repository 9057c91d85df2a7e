//! A database server: whether it lets in, and answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use pq_items::{DatabaseAnswers, Server};
use pq_machine::Machine;
use pq_steps::{Engine, Error, Probe, Session};

use super::{left, tcp};
use crate::Answer;

/// Where Debian's Redis listens.
const REDIS: &str = "/run/redis/redis-server.sock";

/// Asks it.
pub fn ask(database: &DatabaseAnswers, until: Instant) -> Answer {
    let began = Instant::now();
    let answer = match database.engine {
        Server::Redis => redis(database.socket.as_ref().map_or(REDIS, |it| it.as_str()), until),
        Server::Mariadb => sql(database, Engine::Mariadb, "MariaDB", until),
        Server::Postgres => sql(database, Engine::Postgres, "PostgreSQL", until),
    };
    answer.value(began.elapsed().as_secs_f64(), "s")
}

/// The session has limits of its own, which are longer than ours: it is left behind where it takes too long.
fn sql(database: &DatabaseAnswers, engine: Engine, word: &'static str, until: Instant) -> Answer {
    let session = Session {
        engine,
        database: database.name.as_ref().map(|it| it.as_str().to_owned()),
        user: database.user.as_ref().map(|it| it.as_str().to_owned()),
        timeout: left(until),
    };
    let query = database.query.as_ref().map_or("SELECT 1", |it| it.as_str()).to_owned();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(Machine::local().query(&session, &query)));
    match told.recv_timeout(left(until)) {
        Err(_) => Answer::critical("timeout", format!("{word} does not answer in time"))
            .hint("it may be at work on something long, or out of connections"),
        Ok(Err(Error::Absent(absent))) => Answer::critical("refused", format!("there is no {absent}"))
            .hint(format!("{word} does not listen on its socket")),
        Ok(Err(error)) => Answer::critical("broken", format!("{word}: {error}")),
        Ok(Ok(Err(refusal))) => {
            let code = match refusal.code.as_str() {
                "1040" | "53300" => "full",
                "1044" | "1045" | "1698" | "28000" | "28P01" => "login",
                "1049" | "3D000" => "absent",
                _ => "refused",
            };
            Answer::critical(code, format!("{word} refuses: {} ({})", refusal.message, refusal.code))
        }
        Ok(Ok(Ok(rows))) => {
            let first = rows.first().and_then(|row| row.first()).cloned().flatten();
            Answer::ok(format!(
                "{word} answers {}",
                first.map_or_else(|| "nothing".to_owned(), |it| format!("`{it}`"))
            ))
        }
    }
}

fn redis(path: &str, until: Instant) -> Answer {
    let place = format!("Redis at `{path}`");
    let said = (|| {
        let mut stream = tcp::unix_stream(path, left(until))?;
        stream.write_all(b"PING\r\n")?;
        let mut line = String::new();
        BufReader::new(stream).take(1_000).read_line(&mut line)?;
        Ok::<_, std::io::Error>(line)
    })();
    match said.as_deref().map(str::trim_end) {
        Ok("+PONG") => Answer::ok(format!("{place} answers")),
        // It answers: that it wants a password of somebody who asks nothing else is as it should be.
        Ok(line) if line.starts_with("-NOAUTH") => {
            Answer::ok(format!("{place} answers, and wants a password"))
        }
        Ok(line) if line.starts_with("-LOADING") => {
            Answer::warning("starting", format!("{place} is reading its data still"))
        }
        Ok(line) if line.starts_with("-MISCONF") => {
            Answer::critical("full", format!("{place} cannot write its data: {line}"))
        }
        Ok("") => Answer::critical("broken", format!("{place} hung up without a word")),
        Ok(line) => Answer::critical("protocol", format!("{place} answers `{line}`")),
        Err(error) => tcp::silent(&place, error),
    }
}
