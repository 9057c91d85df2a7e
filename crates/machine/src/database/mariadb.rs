//! The protocol 10 of MariaDB and MySQL: a greeting and its answer, then queries, each a text of statements and an answer of texts.
//!
//! <https://mariadb.com/kb/en/clientserver-protocol/>

use std::io;
use std::time::Instant;

use pq_steps::{Heard, Refusal, Rows, Session};

use super::For;
use super::own_file::Login;
use super::proof::{self, NATIVE};
use super::wire::{Body, Wire, unexpected};

/// What we can do: `PROTOCOL_41`, `TRANSACTIONS`, `SECURE_CONNECTION`, `MULTI_STATEMENTS`, `MULTI_RESULTS`, `PLUGIN_AUTH`.
const ABLE: u32 = 1 << 9 | 1 << 13 | 1 << 15 | 1 << 16 | 1 << 17 | 1 << 19;

/// That the first message names a database.
const WITH_DATABASE: u32 = 1 << 3;

/// `utf8mb4_general_ci`.
const CHARSET: u8 = 45;

/// The longest message that is sent in one packet.
const LONGEST: usize = (1 << 24) - 2;

/// That another answer follows this one.
const MORE: u64 = 1 << 3;

/// What a server says when somebody comes.
struct Greeting {
    /// Whether it is MySQL.
    mysql: bool,
    /// What it drew, for proofs of passwords.
    drawn: Vec<u8>,
}

/// Reads a greeting: `\n`, the version, a number, drawn bytes, what it can do, more drawn bytes.
fn greeting(packet: &[u8]) -> io::Result<Greeting> {
    let mut body = Body(packet);
    body.byte()?;
    let version = body.text()?;
    body.bytes(4)?;
    let mut drawn = body.bytes(8)?.to_vec();
    // a zero, what it can do, its letters, its state, what else it can do, how much it drew, and nothing
    body.bytes(1 + 2 + 1 + 2 + 2 + 1 + 10)?;
    drawn.extend(body.bytes(12)?);
    Ok(Greeting { mysql: !version.contains("MariaDB"), drawn })
}

/// A session with MariaDB or MySQL.
pub struct Mariadb {
    wire: Wire,
    /// The number that the next packet has.
    number: u8,
}

/// Opens a session.
pub fn open(
    wire: Wire,
    login: &Login,
    session: &Session,
    purpose: For,
    end: Instant,
) -> io::Result<Result<Mariadb, Refusal>> {
    let mut server = Mariadb { wire, number: 0 };
    let packet = server.packet(end)?;
    let Greeting { mysql, drawn } = match packet.first() {
        Some(10) => greeting(&packet)?,
        Some(0xff) => return Ok(Err(refusal(&packet)?)),
        _ => return Err(unexpected("a greeting of another protocol")),
    };
    let user = login.user.as_deref().unwrap_or("root");
    let proof = proof::answer(NATIVE, &login.password, &drawn);
    server.send(&answer(user, &proof, session.database.as_deref()), end)?;
    loop {
        let packet = server.packet(end)?;
        match packet.first() {
            Some(0) => break,
            Some(0xff) => return Ok(Err(refusal(&packet)?)),
            // Another way to log in is tried, with other drawn bytes. To whom the kernel has told who we are there is nothing to say.
            Some(0xfe) => {
                let mut body = Body(&packet[1..]);
                let way = body.text()?;
                let drawn = body.0.strip_suffix(b"\0").unwrap_or(body.0);
                server.send(&proof::answer(&way, &login.password, drawn), end)?;
            }
            // More of the same way: the server knows the proof (3), or has to be told the password itself (4).
            Some(1) if packet.get(1) == Some(&3) => {}
            Some(1) if packet.get(1) == Some(&4) => server.send(&proof::clear(&login.password), end)?,
            _ => return Err(unexpected("an answer to who we are")),
        }
    }
    Ok(server.say(&settings(session, purpose, mysql), end)?.map(|_| server))
}

/// Who we are, and the proof of it.
fn answer(user: &str, proof: &[u8], database: Option<&str>) -> Vec<u8> {
    let able = if database.is_some() { ABLE | WITH_DATABASE } else { ABLE };
    let mut body = able.to_le_bytes().to_vec();
    body.extend((1_u32 << 24).to_le_bytes());
    body.push(CHARSET);
    body.extend([0; 23]);
    // A proof has at most 32 bytes.
    let length = u8::try_from(proof.len()).unwrap_or_default();
    body.extend([user.as_bytes(), b"\0", &[length], proof].concat());
    body.extend(database.iter().flat_map(|name| [name.as_bytes(), b"\0"].concat()));
    body.extend([NATIVE.as_bytes(), b"\0"].concat());
    body
}

/// The settings of a session: strings as the standard has them, and mistakes that are errors.
fn settings(session: &Session, purpose: For, mysql: bool) -> String {
    let seconds = session.timeout.as_secs();
    let (limit, modes, read_only, log) = match mysql {
        // In milliseconds, and of statements that only read.
        true => (format!("max_execution_time = {}", seconds * 1000), "", "transaction_read_only", ""),
        false => (
            format!("max_statement_time = {seconds}"),
            "NO_AUTO_CREATE_USER,",
            "tx_read_only",
            ", SESSION slow_query_log = 0",
        ),
    };
    let mut sql = format!(
        "SET NAMES utf8mb4, SESSION {limit}, SESSION sql_mode = \
         'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,{modes}NO_ENGINE_SUBSTITUTION,NO_BACKSLASH_ESCAPES'"
    );
    if session.user.is_none() {
        // What only an administrator may set.
        sql.push_str(", SESSION sql_log_off = 1");
        sql.push_str(log);
    }
    if purpose == For::Looking {
        sql.push_str(&format!(", SESSION {read_only} = 1"));
    }
    sql
}

impl Mariadb {
    fn packet(&mut self, end: Instant) -> io::Result<Vec<u8>> {
        let mut whole = Vec::new();
        loop {
            let head = self.wire.take(4, end)?;
            let mut head = Body(&head);
            let length = usize::try_from(head.little(3)?).unwrap_or(usize::MAX);
            self.number = head.byte()?.wrapping_add(1);
            whole.extend(self.wire.take(length, end)?);
            // A full packet is followed by its rest.
            if length < 0xff_ffff {
                return Ok(whole);
            }
        }
    }

    fn send(&mut self, body: &[u8], end: Instant) -> io::Result<()> {
        let length = u32::try_from(body.len()).ok().filter(|length| *length <= LONGEST as u32);
        let length =
            length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it is more than 16 MiB"))?;
        let mut packet = length.to_le_bytes();
        packet[3] = self.number;
        self.number = self.number.wrapping_add(1);
        self.wire.send(&[&packet, body].concat(), end)
    }

    /// Has statements done, one after the other.
    pub fn say(&mut self, sql: &str, end: Instant) -> io::Result<Heard> {
        self.number = 0;
        self.send(&[b"\x03", sql.as_bytes()].concat(), end)?;
        let mut rows = Rows::new();
        loop {
            let packet = self.packet(end)?;
            let more = match packet.first() {
                None => return Err(unexpected("an empty answer")),
                Some(0xff) => return Ok(Err(refusal(&packet)?)),
                Some(0xfb) => return Err(unexpected("a question for a file of ours")),
                Some(0) => done(&packet)? & MORE,
                Some(_) => match self.table(&packet, &mut rows, end)? {
                    Ok(status) => status & MORE,
                    Err(refusal) => return Ok(Err(refusal)),
                },
            };
            if more == 0 {
                return Ok(Ok(rows));
            }
        }
    }

    /// One table: columns, rows, and the state in which the server is then.
    fn table(&mut self, head: &[u8], rows: &mut Rows, end: Instant) -> io::Result<Result<u64, Refusal>> {
        let columns = number(&mut Body(head))?.ok_or_else(|| unexpected("a table without columns"))?;
        // The columns themselves, and the packet that ends them.
        for _ in 0..=columns {
            self.packet(end)?;
        }
        loop {
            let packet = self.packet(end)?;
            match packet.first() {
                Some(0xff) => return Ok(Err(refusal(&packet)?)),
                Some(0xfe) if packet.len() < 9 => {
                    let mut body = Body(&packet[1..]);
                    body.bytes(2)?;
                    return Ok(Ok(body.little(2)?));
                }
                _ => rows.push(row(&packet, columns)?),
            }
        }
    }
}

/// The state in the packet of a statement without a table.
fn done(packet: &[u8]) -> io::Result<u64> {
    let mut body = Body(&packet[1..]);
    // Rows that were changed, the last number that was given.
    number(&mut body)?;
    number(&mut body)?;
    body.little(2)
}

fn row(packet: &[u8], columns: u64) -> io::Result<Vec<Option<String>>> {
    let mut body = Body(packet);
    (0..columns)
        .map(|_| match number(&mut body)? {
            None => Ok(None),
            Some(length) => {
                let bytes = body.bytes(usize::try_from(length).unwrap_or(usize::MAX))?;
                Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
            }
        })
        .collect()
}

/// A number that says itself how long it is; nothing where it stands for null.
fn number(body: &mut Body<'_>) -> io::Result<Option<u64>> {
    match body.byte()? {
        0xfb => Ok(None),
        0xfc => body.little(2).map(Some),
        0xfd => body.little(3).map(Some),
        0xfe => body.little(8).map(Some),
        small => Ok(Some(small.into())),
    }
}

/// `\xff`, the number, `#` and five letters of SQLSTATE where the session is open, the words.
fn refusal(packet: &[u8]) -> io::Result<Refusal> {
    let mut body = Body(packet);
    body.byte()?;
    let code = body.little(2)?;
    let words = body.0.strip_prefix(b"#").and_then(|rest| rest.get(5..)).unwrap_or(body.0);
    Ok(Refusal::new(code.to_string(), String::from_utf8_lossy(words)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_its_nulls_and_a_refusal_its_code() {
        let long = "x".repeat(300);
        let packet = [b"\x01a\xfb\xfc\x2c\x01".as_slice(), long.as_bytes(), b"\0"].concat();
        assert_eq!(row(&packet, 4).unwrap(), [Some("a".to_owned()), None, Some(long), Some(String::new())]);
        assert!(row(&packet[..9], 4).is_err());
        let said = b"\xff\x7a\x04#42S02Table 'a.b' doesn't exist";
        assert_eq!(refusal(said).unwrap(), Refusal::new("1146", "Table 'a.b' doesn't exist"));
        let early = b"\xff\x10\x04Too many connections";
        assert_eq!(refusal(early).unwrap(), Refusal::new("1040", "Too many connections"));
    }

    #[test]
    fn who_we_are_names_the_database_only_where_there_is_one() {
        let with = answer("root", b"", Some("wiki"));
        assert_eq!(with[0] & 8, 8);
        assert!(with.ends_with(b"root\0\0wiki\0mysql_native_password\0"));
        let proved = answer("root", &[7; 20], None);
        assert!(proved.ends_with(&[&b"root\0\x14"[..], &[7; 20], b"mysql_native_password\0"].concat()));
        let without = answer("root", b"", None);
        assert_eq!(without[0] & 8, 0);
        assert!(without.ends_with(b"root\0\0mysql_native_password\0"));
    }

    #[test]
    fn a_greeting_tells_the_server_and_what_it_drew() {
        let said = |version: &str| {
            let head = [b"\x0a", version.as_bytes(), b"\0\x07\0\0\0abcdefgh\0\xfe\xf7\x2d\x02\0\xff\x81\x15"]
                .concat();
            greeting(&[&head[..], &[0; 10], b"ijklmnopqrst\0", b"mysql_native_password\0"].concat())
        };
        let mariadb = said("5.5.5-10.11.6-MariaDB-0+deb12u1").unwrap();
        assert!(!mariadb.mysql);
        assert_eq!(mariadb.drawn, b"abcdefghijklmnopqrst");
        assert!(said("9.7.4-2").unwrap().mysql);
        assert!(greeting(b"\x0a8.0").is_err());
    }

    /// Packets as a server sends them, numbered from 1.
    fn said(packets: &[&[u8]]) -> io::Result<Heard> {
        let packet = |(number, body): (u8, &&[u8])| {
            [&[u8::try_from(body.len()).unwrap(), 0, 0, number], *body].concat()
        };
        let bytes: Vec<u8> = (1..).zip(packets).flat_map(packet).collect();
        let (wire, other) = Wire::told(&bytes);
        other.shutdown(std::net::Shutdown::Write).unwrap();
        Mariadb { wire, number: 0 }.say("SELECT 1", Instant::now() + std::time::Duration::from_secs(5))
    }

    #[test]
    fn answers_follow_each_other_until_the_server_says_that_it_was_the_last() {
        let (table, column, last) = (b"\x01".as_slice(), b"column".as_slice(), b"\xfe\0\0\0\0".as_slice());
        let (end, more) = (b"\xfe\0\0\x02\0".as_slice(), b"\xfe\0\0\x08\0".as_slice());
        let done_more = b"\0\0\0\x08\0\0\0".as_slice();
        let heard = said(&[done_more, table, column, end, b"\x01a", more, table, column, end, b"\xfb", last]);
        assert_eq!(heard.unwrap().unwrap(), [[Some("a".to_owned())], [None]]);
        let refused = b"\xff\x28\x04#42000no".as_slice();
        let heard = said(&[done_more, refused]).unwrap();
        assert_eq!(heard, Err(Refusal::new("1064", "no")));
        let heard = said(&[table, column, end, b"\x01a", refused]).unwrap();
        assert_eq!(heard, Err(Refusal::new("1064", "no")));
    }

    #[test]
    fn what_is_cut_or_asks_for_a_file_is_an_error_and_not_waited_for() {
        let (table, column, end) = (b"\x01".as_slice(), b"column".as_slice(), b"\xfe\0\0\0\0".as_slice());
        let cases: [&[&[u8]]; 5] =
            [&[], &[b""], &[b"\xfb/etc/passwd"], &[table, column], &[table, column, end, b"\x09a"]];
        for packets in cases {
            assert!(said(packets).is_err(), "{packets:?}");
        }
    }
}
