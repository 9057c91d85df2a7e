//! Asks a server on this machine, or at an address, as a browser would that found it by its name.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};

use pq_steps::{Error, Http, Reply};

use crate::cause::failed;
use crate::web;

/// Most bytes of a body that are read.
const MOST: u64 = 1 << 20;

/// One GET request.
pub fn ask(request: &Http) -> Result<Reply, Error> {
    let at = request.at.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let agent = web::at(at, request.ca.as_ref(), request.timeout)?;
    let answer = agent.get(&request.url).call().map_err(|error| {
        let place = request.at.map_or_else(|| "on this machine".to_owned(), |at| format!("at {at}"));
        Error::failed(format!("no answer from `{}` {place}", request.url), web::cause(&error))
    })?;
    let status = answer.status().as_u16();
    let mut body = Vec::new();
    answer
        .into_body()
        .into_reader()
        .take(MOST)
        .read_to_end(&mut body)
        .map_err(|error| failed(format!("the answer of `{}` broke off", request.url), error))?;
    Ok(Reply { status, body: String::from_utf8_lossy(&body).into_owned() })
}
