//! One check: what is asked, how often, and what it stands on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AbsolutePath, Command, Damping, Id, Line, Percent, Reference, Span, UnitName, Url};

/// One check. Exactly one of the keys from `unit` on says what is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Written", into = "Written")]
pub struct Check {
    /// Its name among those of its item.
    pub id: Id,
    /// What it is, for people.
    pub about: Option<Line>,
    /// How often it is asked, at each run by default.
    pub every: Option<Span>,
    /// After how long an answer counts as none.
    pub timeout: Option<Span>,
    /// What it stands on beside that of its item.
    pub depends_on: Vec<Reference>,
    /// How often it must fail before it counts, where that is not what its item or the strategy says.
    pub damping: Option<Damping>,
    /// What is asked.
    pub probe: Probe,
}

/// What a check asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Probe {
    /// A systemd unit.
    Unit(UnitRuns),
    /// A page.
    Http(Http),
    /// A TCP port.
    Tcp(Tcp),
    /// A unix socket.
    Socket(Socket),
    /// A certificate.
    Certificate(Certificate),
    /// A file system.
    Disk(Disk),
    /// The age of a file.
    File(FileAge),
    /// Processes.
    Process(Process),
    /// A queue of mail.
    Queue(Queue),
    /// A program.
    Command(Command),
}

/// One check. Exactly one of the keys from `unit` on says what is asked.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Check")]
struct Written {
    /// Its name among those of its item.
    id: Id,
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    about: Option<Line>,
    /// How often it is asked, at each run by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    every: Option<Span>,
    /// After how long an answer counts as none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout: Option<Span>,
    /// What it stands on beside that of its item.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    depends_on: Vec<Reference>,
    /// How often it must fail before it counts, where that is not what its item or the strategy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    damping: Option<Damping>,
    /// A systemd unit is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<UnitRuns>,
    /// A page is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http: Option<Http>,
    /// A TCP port answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tcp: Option<Tcp>,
    /// A unix socket answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    socket: Option<Socket>,
    /// A certificate is good, served, and not near its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<Certificate>,
    /// A file system has room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    disk: Option<Disk>,
    /// A file is there, and not too old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<FileAge>,
    /// Processes run, as many as should.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    process: Option<Process>,
    /// A queue of mail does not grow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queue: Option<Queue>,
    /// A program ends well, as a Nagios plugin: 0 well, 1 warning, 2 critical, 3 not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<Command>,
}

/// A systemd unit is active.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnitRuns {
    /// The unit.
    pub name: UnitName,
    /// How it is started again; without it, it is left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<Restart>,
}

/// How often a unit may be started again: beyond that it is left alone, told, and still watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// How many times.
    pub most: u8,
    /// Within how long.
    pub within: Span,
}

/// A page is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Its address.
    pub url: Url,
    /// The status, 200 by default; redirections are not followed.
    #[serde(default = "ok", skip_serializing_if = "is_ok")]
    pub status: u16,
    /// A text that the answer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Line>,
    /// Who is asked instead of what the name leads to: `127.0.0.1:443`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Line>,
    /// An authority that is trusted beside the machine's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<AbsolutePath>,
}

fn ok() -> u16 {
    200
}

fn is_ok(status: &u16) -> bool {
    *status == 200
}

/// A TCP port answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tcp {
    /// Name or address.
    pub host: Line,
    /// The port.
    pub port: u16,
}

/// A unix socket answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Socket {
    /// Where it is.
    pub path: AbsolutePath,
}

/// A certificate is good, served, and not near its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "WrittenCertificate")]
pub struct Certificate {
    /// The names that it is for, the first one asked for.
    pub names: Vec<Line>,
    /// The file with its chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<AbsolutePath>,
    /// Where it is served: `127.0.0.1:443`; with `file` too, both must be the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub served: Option<Line>,
    /// An authority that is trusted beside the machine's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<AbsolutePath>,
}

/// A certificate is good, served, and not near its end.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Certificate")]
struct WrittenCertificate {
    /// The names that it is for, the first one asked for.
    names: Vec<Line>,
    /// The file with its chain.
    #[serde(default)]
    file: Option<AbsolutePath>,
    /// Where it is served: `127.0.0.1:443`; with `file` too, both must be the same.
    #[serde(default)]
    served: Option<Line>,
    /// An authority that is trusted beside the machine's own.
    #[serde(default)]
    ca: Option<AbsolutePath>,
}

impl TryFrom<WrittenCertificate> for Certificate {
    type Error = String;

    fn try_from(it: WrittenCertificate) -> Result<Self, String> {
        let WrittenCertificate { names, file, served, ca } = it;
        match (names.is_empty(), &file, &served) {
            (true, _, _) => Err("`names` of a certificate is empty".to_owned()),
            (_, None, None) => Err("a certificate has neither `file` nor `served`".to_owned()),
            _ => Ok(Certificate { names, file, served, ca }),
        }
    }
}

/// A file system has room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    /// A path on it.
    pub path: AbsolutePath,
    /// From how much on that is taken it is told; as the strategy says by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn: Option<Percent>,
    /// From how much on it is pressing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical: Option<Percent>,
}

/// A file is there, and not too old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileAge {
    /// The file.
    pub path: AbsolutePath,
    /// How long ago it may have been written.
    pub max_age: Span,
}

/// Processes run, as many as should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// The name of their program.
    pub name: Line,
    /// Whose they are, anybody's by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Line>,
    /// The least, 1 by default.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub least: u32,
    /// The most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u32>,
}

fn one() -> u32 {
    1
}

fn is_one(number: &u32) -> bool {
    *number == 1
}

/// A queue of mail does not grow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Whose queue.
    pub of: Program,
    /// The most that may wait.
    pub most: u32,
    /// How long the oldest may have waited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Span>,
}

/// A program with a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Program {
    /// Postfix.
    Postfix,
}

impl TryFrom<Written> for Check {
    type Error = String;

    fn try_from(it: Written) -> Result<Self, String> {
        let probes = [
            it.unit.map(Probe::Unit),
            it.http.map(Probe::Http),
            it.tcp.map(Probe::Tcp),
            it.socket.map(Probe::Socket),
            it.certificate.map(Probe::Certificate),
            it.disk.map(Probe::Disk),
            it.file.map(Probe::File),
            it.process.map(Probe::Process),
            it.queue.map(Probe::Queue),
            it.command.map(Probe::Command),
        ];
        let mut probes = probes.into_iter().flatten();
        let (Some(probe), None) = (probes.next(), probes.next()) else {
            return Err(format!(
                "the check `{}` asks not exactly one of `unit`, `http`, `tcp`, `socket`, `certificate`, `disk`, `file`, \
                 `process`, `queue`, `command`",
                it.id
            ));
        };
        let Written { id, about, every, timeout, depends_on, damping, .. } = it;
        Ok(Check { id, about, every, timeout, depends_on, damping, probe })
    }
}

impl From<Check> for Written {
    fn from(check: Check) -> Self {
        let Check { id, about, every, timeout, depends_on, damping, probe } = check;
        let mut it = Written {
            id,
            about,
            every,
            timeout,
            depends_on,
            damping,
            unit: None,
            http: None,
            tcp: None,
            socket: None,
            certificate: None,
            disk: None,
            file: None,
            process: None,
            queue: None,
            command: None,
        };
        match probe {
            Probe::Unit(unit) => it.unit = Some(unit),
            Probe::Http(http) => it.http = Some(http),
            Probe::Tcp(tcp) => it.tcp = Some(tcp),
            Probe::Socket(socket) => it.socket = Some(socket),
            Probe::Certificate(certificate) => it.certificate = Some(certificate),
            Probe::Disk(disk) => it.disk = Some(disk),
            Probe::File(file) => it.file = Some(file),
            Probe::Process(process) => it.process = Some(process),
            Probe::Queue(queue) => it.queue = Some(queue),
            Probe::Command(command) => it.command = Some(command),
        }
        it
    }
}
