//! The parts of an application's recipe: how it is reached, what it keeps, what runs of it, how it is known to be well.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::Node;

/// How a site answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebKind {
    /// Files, and nothing that is run.
    Static,
    /// Files, and PHP in a pool of its own.
    Php,
    /// A process of its own that the web server hands requests to.
    Proxy,
}

/// How an application is reached.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Web {
    /// How the site answers.
    pub kind: WebKind,
    /// The part of the release that is served (`static`, `php`).
    #[serde(default)]
    pub root: Option<Node>,
    /// The page of a directory (`static`, `php`).
    #[serde(default)]
    pub index: Option<String>,
    /// Paths that nobody may fetch.
    #[serde(default)]
    pub deny: Vec<String>,
    /// Where the process listens (`proxy`): `127.0.0.1:8080`.
    #[serde(default)]
    pub upstream: Option<Node>,
    /// Largest body of a request, as nginx writes it.
    #[serde(default)]
    pub max_body: Option<Node>,
    /// Files beside the recipe with what is particular to its site, by the web server for which they are written.
    #[serde(default)]
    pub locations: BTreeMap<String, Node>,
}

/// A path that lives outside the releases.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// Below the release.
    pub path: String,
    /// What of it the release brings, where that is not all of a directory.
    #[serde(default)]
    pub brings: Brings,
    /// What is taken from each new release again.
    #[serde(default)]
    pub fresh: Vec<String>,
    /// `added`: what the release brings is code and is taken again; what people added stays.
    #[serde(default)]
    pub merge: Option<Merge>,
    /// Whether the web server itself reads files there.
    #[serde(default)]
    pub served: bool,
    /// Whether nothing there is ever run (of what is served): what people upload.
    #[serde(default)]
    pub inert: bool,
}

/// What a release brings of a kept path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Brings {
    /// A directory, with what is in it.
    #[default]
    Directory,
    /// Nothing: the application makes what is in the directory.
    Nothing,
    /// Nothing: it is a file, which the recipe writes.
    NoFile,
}

/// How a kept path and a new release come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Merge {
    /// All of the release is taken again, and what was added stays.
    Added,
}

/// The process of an application, as a hardened systemd unit.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Program and arguments.
    pub exec: Vec<Node>,
    /// Whether it tells systemd when it is ready.
    #[serde(default)]
    pub notify: bool,
    /// Whether systemd listens for it, at `paths.socket`, which the web server may speak to.
    #[serde(default)]
    pub socket: bool,
    /// What must run before it.
    #[serde(default)]
    pub after: Vec<Node>,
    /// Further settings of its unit, by name, which come behind those that every unit has.
    #[serde(default)]
    pub settings: BTreeMap<String, Node>,
    /// Files with variables of its environment, which only root need be able to read.
    #[serde(default)]
    pub env_files: Vec<Node>,
    /// Directories that it writes to.
    #[serde(default)]
    pub writes: Vec<Node>,
    /// Its environment.
    #[serde(default)]
    pub env: BTreeMap<String, Node>,
    /// Files that it reads when it starts: when one differs, it is restarted.
    #[serde(default)]
    pub reads: Vec<Node>,
}

/// What an application does from time to time, as the instance's user.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Its name among the instance's jobs.
    pub id: String,
    /// When, as in crontab(5).
    pub schedule: Node,
    /// Program and arguments.
    pub argv: Vec<Node>,
}

/// What fail2ban looks for, on hosts that have it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guarded {
    /// The log in which it looks; one of `logs`.
    pub log: Node,
    /// Patterns of fail2ban for lines in which somebody came with a wrong password, `<HOST>` where the address stands.
    pub failregex: Vec<String>,
    /// How the time of a line is written, where fail2ban does not find it by itself.
    #[serde(default)]
    pub datepattern: Option<String>,
}

/// Where an application's own word of its version stands: in a file of the release, or in what a command says, which runs as
/// the instance once it is installed.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionProbe {
    /// A file below the release.
    #[serde(default)]
    pub file: Option<String>,
    /// Program and arguments.
    #[serde(default)]
    pub argv: Vec<Node>,
    /// A pattern, as Perl reads it, whose first group is the version.
    pub r#match: String,
}

/// A page that must be answered.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// Path and query.
    pub http: Node,
    /// The status.
    #[serde(default = "ok")]
    pub status: u16,
    /// A text that the answer holds.
    #[serde(default)]
    pub body: Option<Node>,
}

fn ok() -> u16 {
    200
}
