//! Why a tool stops.

use std::io;

use pq_stream::{Diagnostic, Status};

/// Why a tool stops, and with which status.
#[derive(Debug)]
pub enum Failure {
    /// Whoever read our output closed it: no error.
    ClosedPipe,
    /// Everything was said already.
    Told(Status),
    /// These errors.
    Because(Status, Vec<Diagnostic>),
}

impl Failure {
    /// Bad command line or input: edit something.
    pub fn input(diagnostic: Diagnostic) -> Self {
        Failure::Because(Status::Input, vec![diagnostic])
    }

    /// Something failed.
    pub fn failed(diagnostic: Diagnostic) -> Self {
        Failure::Because(Status::Failed, vec![diagnostic])
    }

    /// Busy or unreachable: run again later.
    pub fn busy(diagnostic: Diagnostic) -> Self {
        Failure::Because(Status::Busy, vec![diagnostic])
    }

    /// Writing to standard output failed.
    pub fn output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
            _ => Failure::failed(Diagnostic::new("cannot write to standard output").cause(error.to_string())),
        }
    }
}

impl From<Box<Diagnostic>> for Failure {
    fn from(diagnostic: Box<Diagnostic>) -> Self {
        Failure::input(*diagnostic)
    }
}

/// Only output is written that way.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::output(&error)
    }
}
