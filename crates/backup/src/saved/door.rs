//! The door to an instance's PHP: the socket of its pool. Shut, nobody comes in but root, also none whom the web server took in before the
//! site was closed: an upload may take long to arrive, and a request may wait for a worker.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use pq_stream::Diagnostic;
use serde::Deserialize;

use super::cannot;

/// How pools of ours listen: `listen.mode`.
const OPEN: u32 = 0o660;

/// A door that is to be opened.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Door {
    /// The socket of its pool.
    pub socket: std::path::PathBuf,
}

/// Nobody comes in any more.
pub(super) fn shut(socket: &Path) -> Result<(), Diagnostic> {
    has_mode(socket, 0)
}

/// Whoever is of the web server comes in.
pub(super) fn open(door: &Door) -> Result<(), Diagnostic> {
    has_mode(&door.socket, OPEN)
}

/// Whether nobody comes in: also where there is no such socket.
pub(super) fn is_shut(socket: &Path) -> bool {
    mode(socket).is_none_or(|mode| mode == 0)
}

/// Whether the door is open, or is not there: then what is asked of it says so.
pub(super) fn is_open(door: &Door) -> Result<(), Diagnostic> {
    match mode(&door.socket) {
        Some(mode) if mode != OPEN => Err(Diagnostic::new(format!("`{}` is shut", door.socket.display()))),
        _ => Ok(()),
    }
}

fn mode(socket: &Path) -> Option<u32> {
    fs::symlink_metadata(socket).ok().map(|is| is.permissions().mode() & 0o777)
}

fn has_mode(socket: &Path, mode: u32) -> Result<(), Diagnostic> {
    match fs::set_permissions(socket, Permissions::from_mode(mode)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(cannot("change the mode of", socket)(error)),
        _ => Ok(()),
    }
}

/// Whether a request of ours is answered within some time: then all that waited before it has come to a worker. Where nobody
/// listens, nothing waits.
pub(super) fn answers(socket: &Path, patience: Duration) -> bool {
    let (says, hears) = mpsc::channel();
    let to = socket.to_owned();
    // Left behind where nobody answers: this program ends soon.
    thread::spawn(move || says.send(ask(&to)));
    match hears.recv_timeout(patience) {
        Ok(Ok(())) => true,
        Ok(Err(error)) => matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused),
        Err(_) => false,
    }
}

/// Asks for a script that is not there, by FastCGI, and waits for the whole answer.
fn ask(socket: &Path) -> io::Result<()> {
    const BEGIN: u8 = 1;
    const PARAMS: u8 = 4;
    const STDIN: u8 = 5;
    // A responder that closes the connection.
    let mut request = record(BEGIN, &[0, 1, 0, 0, 0, 0, 0, 0]);
    let mut params = Vec::new();
    for (name, value) in [
        ("REQUEST_METHOD", "GET"),
        ("SCRIPT_NAME", "/none.php"),
        ("SCRIPT_FILENAME", "/nonexistent/none.php"),
    ] {
        params.extend([name.len() as u8, value.len() as u8]);
        params.extend(name.bytes().chain(value.bytes()));
    }
    request.extend(record(PARAMS, &params));
    request.extend(record(PARAMS, &[]));
    request.extend(record(STDIN, &[]));
    let mut stream = UnixStream::connect(socket)?;
    stream.write_all(&request)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    match answer.is_empty() {
        // A worker that was told to end may have had it.
        true => Err(ErrorKind::UnexpectedEof.into()),
        false => Ok(()),
    }
}

/// A record of FastCGI, version 1, of request 1.
fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u16).to_be_bytes();
    [&[1, kind, 0, 1, length[0], length[1], 0, 0], content].concat()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_door_is_shut_and_open_again_and_one_that_is_not_there_is_neither() {
        let dir = tempfile::tempdir().unwrap();
        let door = Door { socket: dir.path().join("blog.sock") };
        assert!(is_shut(&door.socket));
        shut(&door.socket).unwrap();
        is_open(&door).unwrap();
        let _listener = UnixListener::bind(&door.socket).unwrap();
        assert!(!is_shut(&door.socket));
        shut(&door.socket).unwrap();
        assert!(is_shut(&door.socket));
        assert!(is_open(&door).is_err());
        open(&door).unwrap();
        is_open(&door).unwrap();
    }

    #[test]
    fn a_request_that_nobody_takes_is_not_answered_and_where_nobody_listens_none_waits() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("blog.sock");
        let short = Duration::from_millis(200);
        assert!(answers(&socket, short));
        let listener = UnixListener::bind(&socket).unwrap();
        assert!(!answers(&socket, short));
        let answering = thread::spawn(move || {
            // the one that was given up, and the next
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 512];
                let length = stream.read(&mut request).unwrap();
                assert_eq!(request[..16], [1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
                assert_eq!(request[length - 8..length], [1, 5, 0, 1, 0, 0, 0, 0]);
                let _ = stream.write_all(b"404");
            }
        });
        assert!(answers(&socket, Duration::from_secs(10)));
        answering.join().unwrap();
        assert!(answers(&socket, short));
    }
}
