//! One question to MariaDB over its socket, as root and with no client between: the protocol's few packets.
//!
//! Source: MariaDB's documentation, "Client/Server Protocol" (connection, COM_QUERY, result set packets).

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use super::Result;

/// CLIENT_CONNECT_WITH_DB, CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION, CLIENT_PLUGIN_AUTH.
const CAPABILITIES: u32 = 0x8 | 0x200 | 0x8000 | 0x8_0000;

/// utf8mb4_general_ci.
const CHARSET: u8 = 45;

/// The first value of the first row.
pub fn ask(socket: &str, database: &str, question: &str) -> Result<String> {
    let mut server = UnixStream::connect(socket)?;
    let (mut number, _greeting) = packet(&mut server)?;
    let mut login = Vec::new();
    login.extend(CAPABILITIES.to_le_bytes());
    login.extend((1_u32 << 24).to_le_bytes());
    login.push(CHARSET);
    login.extend([0; 23]);
    login.extend(b"root\0\0");
    login.extend(database.as_bytes());
    login.extend(b"\0unix_socket\0");
    send(&mut server, number + 1, &login)?;
    loop {
        let (at, answer) = packet(&mut server)?;
        number = at;
        match answer.first() {
            Some(0x00) => break,
            // It wants another way to log in, and for the socket's there is nothing to say.
            Some(0xfe) => send(&mut server, number + 1, b"")?,
            _ => return Err(refused(&answer)),
        }
    }
    let mut query = vec![0x03];
    query.extend(question.as_bytes());
    send(&mut server, 0, &query)?;
    let (_, head) = packet(&mut server)?;
    let Some(&columns @ 1..=0xfa) = head.first() else { return Err(refused(&head)) };
    for _ in 0..=columns {
        // The columns, and the packet that ends them.
        packet(&mut server)?;
    }
    let (_, row) = packet(&mut server)?;
    match row.split_first() {
        Some((&length @ 0..=0xfa, rest)) => {
            Ok(String::from_utf8_lossy(rest.get(..usize::from(length)).unwrap_or_default()).into_owned())
        }
        _ => Err("the database answers with no row".into()),
    }
}

fn packet(server: &mut UnixStream) -> Result<(u8, Vec<u8>)> {
    let mut head = [0; 4];
    server.read_exact(&mut head)?;
    let length = u32::from_le_bytes([head[0], head[1], head[2], 0]);
    let mut body = vec![0; length as usize];
    server.read_exact(&mut body)?;
    Ok((head[3], body))
}

fn send(server: &mut UnixStream, number: u8, body: &[u8]) -> Result<()> {
    let length = u32::try_from(body.len())?.to_le_bytes();
    let mut packet = vec![length[0], length[1], length[2], number];
    packet.extend(body);
    Ok(server.write_all(&packet)?)
}

fn refused(answer: &[u8]) -> Box<dyn std::error::Error> {
    format!("the database refuses: {}", String::from_utf8_lossy(answer.get(3..).unwrap_or_default())).into()
}
