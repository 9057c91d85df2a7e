//! A connection to a local socket, and what stands in the messages that come over it.

use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::Uid;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with, sockopt};
use rustix::thread::set_thread_res_uid;

/// The longest answer that is taken, all of its rows; no catalogue and no question's comes near.
const LONGEST: usize = 64 << 20;

/// A connection to a server on this machine.
#[derive(Debug)]
pub struct Wire {
    stream: BufReader<UnixStream>,
    /// How much was taken since something was last said.
    taken: usize,
}

impl Wire {
    /// Connects as this user of the system: the kernel tells the server who was at work when the connection was made.
    pub fn connect(path: &str, user: u32, patience: Duration) -> io::Result<Self> {
        let stream = match user == rustix::process::geteuid().as_raw() {
            true => dial(path, patience)?,
            // What a thread becomes, the others do not.
            false => thread::scope(|scope| {
                let other = scope.spawn(|| {
                    set_thread_res_uid(None, Some(Uid::from_raw(user)), None)?;
                    dial(path, patience)
                });
                other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })?,
        };
        Ok(Wire { stream: BufReader::new(stream), taken: 0 })
    }

    /// Sends all of it.
    pub fn send(&mut self, bytes: &[u8], end: Instant) -> io::Result<()> {
        self.taken = 0;
        let stream = self.stream.get_mut();
        stream.set_write_timeout(Some(left(end)?))?;
        stream.write_all(bytes)
    }

    /// Waits for so many bytes.
    pub fn take(&mut self, count: usize, end: Instant) -> io::Result<Vec<u8>> {
        self.taken = self.taken.saturating_add(count);
        if self.taken > LONGEST {
            return Err(unexpected("an answer of more than 64 MiB"));
        }
        let mut bytes = vec![0; count];
        if self.stream.buffer().len() < count {
            self.stream.get_ref().set_read_timeout(Some(left(end)?))?;
        }
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
impl Wire {
    /// A connection on whose other end all of this was said.
    pub fn told(bytes: &[u8]) -> (Self, UnixStream) {
        let Ok((ours, mut theirs)) = UnixStream::pair() else { panic!("no pair of sockets") };
        assert!(theirs.write_all(bytes).is_ok());
        (Wire { stream: BufReader::new(ours), taken: 0 }, theirs)
    }
}

/// A connection; the queue of a server that does not take it up is waited in for so long.
fn dial(path: &str, patience: Duration) -> io::Result<UnixStream> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(patience))?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(UnixStream::from(socket))
}

fn left(end: Instant) -> io::Result<Duration> {
    match end.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
        left => Ok(left),
    }
}

/// What no server that we know sends.
pub fn unexpected(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("it sent what was not expected: {what}"))
}

/// The rest of a message.
#[derive(Debug, Clone, Copy)]
pub struct Body<'a>(pub &'a [u8]);

impl<'a> Body<'a> {
    /// The next bytes.
    pub fn bytes(&mut self, count: usize) -> io::Result<&'a [u8]> {
        let (bytes, rest) =
            self.0.split_at_checked(count).ok_or_else(|| unexpected("a message that is cut"))?;
        self.0 = rest;
        Ok(bytes)
    }

    /// The next byte.
    pub fn byte(&mut self) -> io::Result<u8> {
        Ok(self.bytes(1)?[0])
    }

    /// A number whose highest byte comes first.
    pub fn big(&mut self, count: usize) -> io::Result<u64> {
        Ok(self.bytes(count)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// A number whose lowest byte comes first.
    pub fn little(&mut self, count: usize) -> io::Result<u64> {
        Ok(self.bytes(count)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// A text that ends with a NUL.
    pub fn text(&mut self) -> io::Result<String> {
        let end = self.0.iter().position(|byte| *byte == 0);
        let text = self.bytes(end.ok_or_else(|| unexpected("a text without an end"))?)?;
        self.byte()?;
        Ok(String::from_utf8_lossy(text).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_up_to_a_limit_however_many_messages_it_has() {
        let end = Instant::now() + Duration::from_secs(60);
        let (mut wire, mut other) = Wire::told(b"");
        let said = thread::spawn(move || while other.write_all(&[0; 1 << 20]).is_ok() {});
        let taken = (0..100).take_while(|_| wire.take(1 << 20, end).is_ok()).count();
        assert_eq!(taken, 64);
        wire.send(b"the next question", end).unwrap();
        assert!(wire.take(1 << 20, end).is_ok());
        drop(wire);
        said.join().unwrap();
    }

    #[test]
    fn numbers_and_texts_are_taken_off_and_a_cut_message_is_an_error() {
        let mut body = Body(b"\x01\x02\x03\x04\x05text\0\x07");
        assert_eq!(
            (body.big(2).unwrap(), body.little(2).unwrap(), body.byte().unwrap()),
            (0x0102, 0x0403, 5)
        );
        assert_eq!(body.text().unwrap(), "text");
        assert!(body.text().is_err() && Body(b"\x01").big(2).is_err());
    }
}
