//! A server on this machine answers as it should. Applying waits for that, and does nothing else.

use std::time::{Duration, Instant};

use pq_stream::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;
use crate::{AbsPath, Check, Converge, Differences, Error, Probe, System};

/// A URL answers with this status and a body that holds this text; the request goes to this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// What is asked, `https://` or `http://`; its host name is not looked up.
    pub url: String,
    /// The status that must come, 200 by default.
    #[serde(default = "default_status")]
    pub status: u16,
    /// A text that the body must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Certificate authority to trust beside the system's, a PEM file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<AbsPath>,
    /// Seconds to wait for the right answer, 30 by default.
    #[serde(default = "default_timeout")]
    pub timeout: u64,
}

fn default_status() -> u16 {
    200
}

fn default_timeout() -> u64 {
    30
}

/// What one request may take.
const ONE: Duration = Duration::from_secs(10);

/// What passes between two requests.
const PAUSE: Duration = Duration::from_millis(250);

impl Converge for Http {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        if let Some(ca) = &self.ca
            && machine.stat(ca)?.is_none()
        {
            return Err(Error::absent("file", ca.as_str()));
        }
        let timeout = ONE.min(Duration::from_secs(self.timeout));
        let request = crate::Http { url: self.url.clone(), at: None, ca: self.ca.clone(), timeout };
        let mut found = Differences::new();
        match machine.http(&request) {
            Err(error) => found.push("answer", Some(&error.to_string()), Some(&self.status.to_string())),
            Ok(reply) => {
                found.between("status", &reply.status, &self.status);
                if let Some(body) = &self.body
                    && !reply.body.contains(body)
                {
                    found.push("body", Some("other text"), Some(body));
                }
            }
        }
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        let until = Instant::now() + Duration::from_secs(self.timeout);
        loop {
            let Check::Differs(found) = self.check(machine)? else { return Ok(()) };
            if Instant::now() + PAUSE >= until {
                let mut diagnostic =
                    Diagnostic::new(format!("no right answer from `{}` in {} s", self.url, self.timeout));
                for last in found {
                    let (is, want) = (last.is.unwrap_or_default(), last.want.unwrap_or_default());
                    diagnostic = diagnostic.cause(format!("{}: {is}, not {want}", last.what));
                }
                return Err(diagnostic
                    .hint("look at the logs of the server and of what is behind it")
                    .into());
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn validate(&self) -> Result<(), String> {
        rules::url("url", &self.url)?;
        if !(100..=599).contains(&self.status) {
            return Err(format!("`status` {} is no HTTP status", self.status));
        }
        if self.body.as_ref().is_some_and(String::is_empty) {
            return Err("`body` is empty".to_owned());
        }
        match (1..=3600).contains(&self.timeout) {
            true => Ok(()),
            false => Err(format!("`timeout` {} is not from 1 to 3600 seconds", self.timeout)),
        }
    }
}
