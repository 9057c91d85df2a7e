//! Fetches a file. It gets its name only when all of it is there and its digest is the one that was asked for.

use std::fs::File;
use std::io::{Read, Seek as _, Write};
use std::thread;
use std::time::{Duration, Instant};

use pq_steps::{AbsPath, Download, Error};
use pq_stream::Diagnostic;
use sha2::{Digest, Sha256};
use ureq::Agent;

use crate::cause::failed;
use crate::fresh::{Fresh, Numbers};
use crate::look::hex;
use crate::place::Place;
use crate::web;

/// How long is waited before each further try.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// From when on a server has to have sent enough.
const PATIENCE: Duration = Duration::from_secs(60);

/// The fewest bytes a second that a server has to send: below this, 2 GiB take a month.
const SLOWEST: u64 = 1024;

/// What helps where a server did not answer well, as often as it was asked.
const AGAIN: &str =
    "it was tried three times: run again when the server answers, or name another one with `source_mirror`";

/// What helps where a server answers, and does not have it.
const ELSEWHERE: &str = "what is pinned is not there, or not for everybody: pin another version, or name a server that has it with `source_mirror`";

/// Why a try did not succeed, and whether another may.
struct Miss {
    error: Error,
    again: bool,
}

impl From<Error> for Miss {
    fn from(error: Error) -> Self {
        Miss { error, again: false }
    }
}

/// Fetches a file to a path.
pub fn fetch(download: &Download, to: &AbsPath) -> Result<(), Error> {
    let place = Place::of(to)?;
    let agent = web::outside()?;
    patiently(|| attempt(&agent, download, &place))
}

/// Fetches a few bytes, of which nothing is known yet.
pub fn fetch_small(url: &str, max_bytes: u64) -> Result<Vec<u8>, Error> {
    let agent = web::outside()?;
    patiently(|| {
        let mut bytes = Vec::new();
        let body = ask(&agent, url)?.into_reader().take(max_bytes.saturating_add(1)).read_to_end(&mut bytes);
        body.map_err(|error| broken(url, broken_off(bytes.len() as u64, &error)))?;
        match bytes.len() as u64 > max_bytes {
            true => Err(Error::from(too_large(url, max_bytes)).into()),
            false => Ok(bytes),
        }
    })
}

/// Fetches a file of which nothing is known yet into another, from its beginning; its SHA-256 in hexadecimal, and its length.
///
/// # Errors
/// Where the server does not send it, or it is longer than `max_bytes`.
pub fn fetch_unknown(url: &str, max_bytes: u64, into: &mut File) -> Result<(String, u64), Error> {
    let agent = web::outside()?;
    patiently(|| {
        let cannot = |error: std::io::Error| failed("cannot write what is fetched", error);
        into.set_len(0).and_then(|()| into.rewind()).map_err(cannot)?;
        let body = ask(&agent, url)?;
        receive(url, max_bytes, body, &mut |bytes| into.write_all(bytes).map_err(cannot))
    })
}

/// Tries again, where that may help.
fn patiently<T>(mut attempt: impl FnMut() -> Result<T, Miss>) -> Result<T, Error> {
    let mut pauses = PAUSES.iter();
    loop {
        match attempt() {
            Ok(done) => return Ok(done),
            Err(Miss { error, again }) => match pauses.next() {
                Some(pause) if again => thread::sleep(*pause),
                _ => return Err(error),
            },
        }
    }
}

fn cannot(url: &str) -> Diagnostic {
    Diagnostic::new(format!("cannot fetch `{url}`"))
}

fn broken(url: &str, cause: String) -> Miss {
    let error = cannot(url).cause(cause).hint(AGAIN).into();
    Miss { error, again: true }
}

fn broken_off(length: u64, error: &std::io::Error) -> String {
    format!("it broke off after {length} bytes: {}", crate::cause::words(error))
}

/// The body of a server's answer, where that is a good one.
fn ask(agent: &Agent, url: &str) -> Result<ureq::Body, Miss> {
    let answer = agent.get(url).call().map_err(|error| broken(url, web::cause(&error)))?;
    let status = answer.status();
    if !status.is_success() {
        let again = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
        let error = cannot(url).cause(format!("the server answers {status}"));
        let error = error.hint(if again { AGAIN } else { ELSEWHERE }).into();
        return Err(Miss { error, again });
    }
    Ok(answer.into_body())
}

fn attempt(agent: &Agent, download: &Download, place: &Place) -> Result<(), Miss> {
    let Download { url, max_bytes, .. } = download;
    let body = ask(agent, url)?;
    let mut fresh = Fresh::begin(place)?;
    let (digest, length) = receive(url, *max_bytes, body, &mut |bytes| {
        let written = fresh.file.write_all(bytes);
        written.map_err(|error| failed(format!("cannot write `{}`", place.path), error))
    })?;
    if !digest.eq_ignore_ascii_case(&download.sha256) {
        return Err(Error::from(
            cannot(url)
                .cause(format!("its SHA-256 is {digest} ({length} bytes)"))
                .cause(format!("wanted is {}", download.sha256))
                .hint("what the server has is not what was pinned: do not install it before you know why"),
        )
        .into());
    }
    Ok(fresh.finish(Numbers { mode: Some(0o644), owner: None })?)
}

/// Reads a body to its end, and answers its SHA-256 in hexadecimal and its length.
fn receive(
    url: &str,
    max_bytes: u64,
    body: ureq::Body,
    write: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(String, u64), Miss> {
    if body.content_length().is_some_and(|length| length > max_bytes) {
        return Err(raise(too_large(url, max_bytes)).into());
    }
    let mut reader = body.into_reader();
    let (mut hasher, mut length) = (Sha256::new(), 0);
    let mut buffer = vec![0; 64 * 1024];
    let begun = Instant::now();
    loop {
        let read = reader.read(&mut buffer).map_err(|error| broken(url, broken_off(length, &error)))?;
        if read == 0 {
            break;
        }
        length += read as u64;
        if length > max_bytes {
            return Err(raise(too_large(url, max_bytes)).into());
        }
        let took = begun.elapsed();
        if took > PATIENCE && length < took.as_secs() * SLOWEST {
            let slow = format!("it comes too slowly: {length} bytes in {} seconds", took.as_secs());
            return Err(
                Error::from(cannot(url).cause(slow).hint("run again, or fetch it from elsewhere")).into()
            );
        }
        hasher.update(&buffer[..read]);
        write(&buffer[..read])?;
    }
    Ok((hex(&hasher.finalize()), length))
}

fn too_large(url: &str, max_bytes: u64) -> Diagnostic {
    cannot(url).cause(format!("it is larger than {max_bytes} bytes"))
}

fn raise(diagnostic: Diagnostic) -> Error {
    diagnostic.hint("raise `max_bytes` if that is right").into()
}
