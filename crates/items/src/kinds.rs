//! What checks ask: the fields of each kind.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AbsolutePath, DatabaseName, Id, Line, MachineName, Pattern, Percent, Span, UnitName, Url};

/// A systemd unit is active.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnitRuns {
    /// The unit.
    pub name: UnitName,
    /// How it is started again; without it, it is left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<Restart>,
    /// The most memory that it may take, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u32>,
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
    /// The status, 200 by default; of the last page where redirections are followed.
    #[serde(default = "ok", skip_serializing_if = "is_ok")]
    pub status: u16,
    /// A text that the answer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Line>,
    /// A regular expression that the answer matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<Pattern>,
    /// A text that the answer does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without: Option<Line>,
    /// Headers that the answer has, by their names, with a text that each holds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<Line, Line>,
    /// How many redirections are followed, none by default; each by the same rules.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub redirects: u8,
    /// From how long an answer on it is told that it is slow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
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

fn is_zero(number: &u8) -> bool {
    *number == 0
}

/// Another machine answers over https: a check, and one of the machines that watch each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "WrittenMonitorPeer")]
pub struct MonitorPeer {
    /// Its name in the inventory.
    pub name: MachineName,
    /// An https address that it serves; what is answered does not matter.
    pub url: Url,
    /// An authority that is trusted beside the machine's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<AbsolutePath>,
}

/// Another machine answers over https: a check, and one of the machines that watch each other.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MonitorPeer")]
struct WrittenMonitorPeer {
    /// Its name in the inventory.
    name: MachineName,
    /// An https address that it serves; what is answered does not matter.
    url: Url,
    /// An authority that is trusted beside the machine's own.
    #[serde(default)]
    ca: Option<AbsolutePath>,
}

impl TryFrom<WrittenMonitorPeer> for MonitorPeer {
    type Error = String;

    fn try_from(it: WrittenMonitorPeer) -> Result<Self, String> {
        let WrittenMonitorPeer { name, url, ca } = it;
        match url.as_str().starts_with("https://") {
            true => Ok(MonitorPeer { name, url, ca }),
            false => {
                Err(format!("`{url}` is no https address: anybody could answer in the place of `{name}`"))
            }
        }
    }
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
    /// Where it is noted that a public authority was asked for it, and why it was not given yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<AbsolutePath>,
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
    /// Where it is noted that a public authority was asked for it, and why it was not given yet.
    #[serde(default)]
    asked: Option<AbsolutePath>,
}

impl TryFrom<WrittenCertificate> for Certificate {
    type Error = String;

    fn try_from(it: WrittenCertificate) -> Result<Self, String> {
        let WrittenCertificate { names, file, served, ca, asked } = it;
        match (names.is_empty(), &file, &served) {
            (true, _, _) => Err("`names` of a certificate is empty".to_owned()),
            (_, None, None) => Err("a certificate has neither `file` nor `served`".to_owned()),
            _ => Ok(Certificate { names, file, served, ca, asked }),
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

/// A name leads where it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// The name.
    pub name: Line,
    /// What is asked of it, its IPv4 addresses by default.
    #[serde(default, rename = "type", skip_serializing_if = "RecordType::is_default")]
    pub kind: RecordType,
    /// The address of the server that is asked, the first one of the machine's own by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Line>,
    /// What must be among the answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<Line>,
}

/// What is asked of a name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    /// Its IPv4 addresses.
    #[default]
    A,
    /// Its IPv6 addresses.
    Aaaa,
    /// Where its mail goes.
    Mx,
    /// Its texts.
    Txt,
    /// Who knows of it.
    Ns,
    /// What it is another name of.
    Cname,
}

impl RecordType {
    fn is_default(&self) -> bool {
        *self == RecordType::A
    }
}

/// A database server lets in and answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Its server.
    pub engine: Server,
    /// The database, the server's own by default; nothing for Redis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<DatabaseName>,
    /// The user of the system who asks, the server's administrator by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Line>,
    /// What is asked, `SELECT 1` by default; a query that reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<Line>,
    /// The socket of Redis, `/run/redis/redis-server.sock` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<AbsolutePath>,
}

/// What serves a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Server {
    /// MariaDB, or MySQL.
    Mariadb,
    /// PostgreSQL.
    Postgres,
    /// Redis.
    Redis,
}

/// The processors keep up: the average of five minutes, in percent of what they can do at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Load {
    /// From here on it is told, 200 by default: as many processes again wait as are worked on.
    pub warn: u16,
    /// From here on it is pressing, 400 by default.
    pub critical: u16,
}

impl Default for Load {
    fn default() -> Self {
        Load { warn: 200, critical: 400 }
    }
}

/// There is memory left: percent that are taken and cannot be given back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// From here on it is told, 90 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn: Option<Percent>,
    /// From here on it is pressing, 97 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical: Option<Percent>,
}

/// There is swap left: percent that are taken. A machine without swap is well.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Swap {
    /// From here on it is told, 60 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn: Option<Percent>,
    /// From here on it is pressing, 90 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical: Option<Percent>,
}

/// The kernel ended nothing for want of memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OomKills {
    /// How long one is told of, an hour by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
}

/// The clock is right: it is set by others, and this is no year of the past.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clock {}

/// Backups are young enough, and a restore was proven.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Backups {
    /// Of these items, all that are backed up by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<Id>,
    /// How old the newest may be; as `backup.yml` says by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// How long ago the last proven restore of any item may be, 40 days by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven_within: Option<Span>,
}

/// Updates are installed, and the machine was booted anew where they ask for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Updates {
    /// How long those for security may wait, 3 days by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_within: Option<Span>,
    /// How long a boot may wait, 14 days by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reboot_within: Option<Span>,
}

/// No run of these tools was left half-way, and no transaction waits for anybody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Runs {}

/// Somebody else's job says from time to time that it is well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// The name that it says.
    pub name: Id,
    /// How long ago the last one may be: the time between two, and what one takes.
    pub within: Span,
}
