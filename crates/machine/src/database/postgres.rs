//! PostgreSQL's protocol 3.0: a startup, then plain queries, each a text of statements and an answer of texts.
//!
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>

use std::io;
use std::time::Instant;

use pq_steps::{Heard, Refusal, Rows, Session};

use super::For;
use super::wire::{Body, Wire, unexpected};

/// Version 3.0.
const PROTOCOL: u32 = 3 << 16;

/// A session with PostgreSQL.
pub struct Postgres(Wire);

/// Opens a session.
pub fn open(
    mut wire: Wire,
    user: &str,
    session: &Session,
    purpose: For,
    end: Instant,
) -> io::Result<Result<Postgres, Refusal>> {
    wire.send(&startup(user, session, purpose), end)?;
    let mut server = Postgres(wire);
    loop {
        let (kind, body) = server.message(end)?;
        match kind {
            b'R' => match Body(&body).big(4)? {
                0 => {}
                // As PostgreSQL words it where a password is wrong.
                _ => return Ok(Err(Refusal::new("28P01", format!("it asks `{user}` for a password")))),
            },
            b'E' => return Ok(Err(refusal(&body)?)),
            b'Z' => return Ok(Ok(server)),
            // Parameters, the key to cancel, notices.
            b'S' | b'K' | b'N' => {}
            other => return Err(unexpected(&format!("`{}` at the start", other.escape_ascii()))),
        }
    }
}

/// The first message: who, where, and the settings of the session.
fn startup(user: &str, session: &Session, purpose: For) -> Vec<u8> {
    let timeout = session.timeout.as_millis().to_string();
    let mut settings = vec![
        ("user", user),
        ("database", session.database.as_deref().unwrap_or("postgres")),
        ("application_name", "paquerette"),
        ("client_encoding", "UTF8"),
        ("standard_conforming_strings", "on"),
        ("statement_timeout", &timeout),
    ];
    if session.user.is_none() {
        // What only an administrator may set. An error's own words are logged apart from its statement, and may quote a value.
        settings.extend([
            ("log_statement", "none"),
            ("log_min_messages", "panic"),
            ("log_min_error_statement", "panic"),
            ("log_min_duration_statement", "-1"),
            ("log_duration", "off"),
        ]);
    }
    if session.database.is_none() {
        settings.push(("search_path", "pg_catalog"));
    }
    if purpose == For::Looking {
        settings.push(("default_transaction_read_only", "on"));
    }
    let mut body = PROTOCOL.to_be_bytes().to_vec();
    for (name, value) in settings {
        body.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
    }
    body.push(0);
    sized(&body)
}

/// A message with its length, which counts itself, before it.
fn sized(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), body].concat()
}

impl Postgres {
    fn message(&mut self, end: Instant) -> io::Result<(u8, Vec<u8>)> {
        let head = self.0.take(5, end)?;
        let mut body = Body(&head);
        let (kind, length) = (body.byte()?, body.big(4)?);
        let length = usize::try_from(length).ok().and_then(|it| it.checked_sub(4));
        Ok((kind, self.0.take(length.ok_or_else(|| unexpected("a message without a length"))?, end)?))
    }

    fn send(&mut self, kind: u8, text: &str, end: Instant) -> io::Result<()> {
        let mut message = vec![kind];
        message.extend(sized(&[text.as_bytes(), b"\0"].concat()));
        self.0.send(&message, end)
    }

    /// Has statements done; without others around them, all of them or none.
    pub fn say(&mut self, sql: &str, end: Instant) -> io::Result<Heard> {
        self.send(b'Q', sql, end)?;
        let mut heard: Heard = Ok(Rows::new());
        loop {
            let (kind, body) = self.message(end)?;
            match kind {
                b'D' => {
                    if let Ok(rows) = &mut heard {
                        rows.push(row(&body)?);
                    }
                }
                b'E' => {
                    let refusal = refusal(&body)?;
                    // One by which the server ends the session is the last that is heard of it.
                    let over = refusal.code.starts_with("57P");
                    heard = Err(refusal);
                    if over {
                        return Ok(heard);
                    }
                }
                b'Z' => return Ok(heard),
                // `COPY … FROM STDIN`: there is no more than the statements.
                b'G' => self.send(b'f', "there is nothing to copy from", end)?,
                // Columns, ends of statements, what is copied out, notices, settings.
                b'T' | b'C' | b'I' | b'H' | b'd' | b'c' | b'N' | b'S' | b'A' => {}
                other => return Err(unexpected(&format!("`{}`", other.escape_ascii()))),
            }
        }
    }
}

fn row(body: &[u8]) -> io::Result<Vec<Option<String>>> {
    let mut body = Body(body);
    let count = body.big(2)?;
    (0..count)
        .map(|_| match body.big(4)? {
            // -1
            0xffff_ffff => Ok(None),
            length => {
                let bytes = body.bytes(usize::try_from(length).unwrap_or(usize::MAX))?;
                Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
            }
        })
        .collect()
}

/// Fields, each a letter and a text: `C` is the SQLSTATE, `M` the message.
fn refusal(body: &[u8]) -> io::Result<Refusal> {
    let mut body = Body(body);
    let mut refusal = Refusal::new("", "");
    loop {
        match body.byte()? {
            0 => return Ok(refusal),
            b'C' => refusal.code = body.text()?,
            b'M' => refusal.message = body.text()?,
            _ => drop(body.text()?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pq_steps::Engine;
    use std::time::Duration;

    fn session(user: Option<&str>) -> Session {
        Session {
            engine: Engine::Postgres,
            database: None,
            user: user.map(str::to_owned),
            timeout: Duration::from_secs(30),
        }
    }

    #[test]
    fn only_an_administrator_asks_for_silence_and_only_a_look_is_read_only() {
        let text =
            |user, purpose| String::from_utf8_lossy(&startup("x", &session(user), purpose)).into_owned();
        let look = text(None, For::Looking);
        assert!(look.contains("log_statement\0none\0") && look.contains("read_only\0on\0"));
        let change = text(Some("wiki"), For::Changing);
        assert!(!change.contains("log_statement") && !change.contains("read_only"));
        assert!(change.contains("statement_timeout\x0030000\0") && change.ends_with("\0\0"));
    }

    #[test]
    fn a_row_has_its_nulls_and_a_refusal_its_code() {
        let body = b"\0\x03\0\0\0\x01a\xff\xff\xff\xff\0\0\0\0";
        assert_eq!(row(body).unwrap(), [Some("a".to_owned()), None, Some(String::new())]);
        assert!(row(&body[..6]).is_err());
        let said = b"SERREUR\0VERROR\0C42P01\0Mil n'y a rien\0\0";
        assert_eq!(refusal(said).unwrap(), Refusal::new("42P01", "il n'y a rien"));
    }

    /// A message as a server sends it.
    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind], sized(body).as_slice()].concat()
    }

    fn said(messages: &[Vec<u8>]) -> io::Result<Heard> {
        let (wire, mut other) = Wire::told(&messages.concat());
        other.shutdown(std::net::Shutdown::Write).unwrap();
        let heard = Postgres(wire).say("SELECT 1", Instant::now() + Duration::from_secs(5));
        let mut sent = Vec::new();
        std::io::Read::read_to_end(&mut other, &mut sent).unwrap();
        assert!(sent.starts_with(b"Q\0\0\0\x0dSELECT 1\0"));
        heard
    }

    #[test]
    fn an_answer_ends_where_the_server_is_ready_whatever_came_before() {
        let row = message(b'D', b"\0\x01\0\0\0\x01a");
        let (end, ready) = (message(b'C', b"SELECT 1\0"), message(b'Z', b"I"));
        let heard = said(&[message(b'N', b"\0"), row.clone(), end.clone(), row.clone(), end, ready.clone()]);
        assert_eq!(heard.unwrap().unwrap().len(), 2);
        let error = message(b'E', b"C42601\0Mno\0\0");
        assert_eq!(said(&[row.clone(), error, ready.clone()]).unwrap(), Err(Refusal::new("42601", "no")));
        // The server goes down: nothing follows.
        let last = message(b'E', b"C57P01\0Mgoing down\0\0");
        assert_eq!(said(&[row, last]).unwrap().unwrap_err().code, "57P01");
        let copied = [message(b'G', b"\0\0\0"), message(b'E', b"C57014\0Mfailed\0\0"), ready];
        assert_eq!(said(&copied).unwrap().unwrap_err().code, "57014");
    }

    #[test]
    fn what_is_cut_or_no_message_is_an_error_and_not_waited_for() {
        for bytes in [
            b"".to_vec(),
            b"D\0\0".to_vec(),
            b"D\xff\xff\xff\xff".to_vec(),
            b"D\0\0\0\0".to_vec(),
            message(b'!', b""),
        ] {
            assert!(said(&[bytes]).is_err());
        }
    }
}
