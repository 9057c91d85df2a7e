//! Who is told of what is wrong, by which way, and how often. No secret stands here: each is in a file that only root reads.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AbsolutePath, Argv, Id, Line, MailAddress, Span, Url};

/// Who is told, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MonitorAlerts {
    /// By mail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mail: Vec<MailAddress>,
    /// The server that takes mail; the machine's own `sendmail` where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smtp: Option<Smtp>,
    /// Other ways, each of a name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Channel>,
    /// A page that is asked for after each run: who is there tells of a run that did not come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping: Option<Ping>,
    /// After how long it is told again, each time the next of these; the last one counts from then on.
    pub remind_after: Vec<Span>,
}

/// A server that takes mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    /// Its name.
    pub host: Line,
    /// Its port, 587 by default; 465 with `tls: wrapped`, 25 with `tls: none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How the line is kept from others.
    #[serde(default, skip_serializing_if = "Tls::is_default")]
    pub tls: Tls,
    /// An authority that is trusted beside the machine's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<AbsolutePath>,
    /// Who the mail is from, `root@` this machine by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<MailAddress>,
    /// Who logs in, with `password_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Line>,
    /// The file with the password, which only root reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<AbsolutePath>,
}

/// How the line to a mail server is kept from others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// It begins open, and nothing is said before it is encrypted.
    #[default]
    Starttls,
    /// It is encrypted from its first byte on.
    Wrapped,
    /// It is open: for a server on this machine.
    None,
}

impl Tls {
    fn is_default(&self) -> bool {
        *self == Tls::Starttls
    }
}

/// A page that is asked for after each run, as healthchecks has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ping {
    /// Its address; `/fail` is added where the run itself failed.
    pub url: Url,
}

/// A way of telling: exactly one of the keys from `ntfy` on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Written", into = "Written")]
pub struct Channel {
    /// Its name.
    pub name: Id,
    /// From when on it is used.
    pub from: Urgency,
    /// Which one it is.
    pub how: How,
}

/// Which way it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// A topic of ntfy.
    Ntfy(Ntfy),
    /// A page that takes JSON.
    Webhook(Webhook),
    /// A channel of Mattermost, or what speaks like it.
    Mattermost(Mattermost),
    /// A room of Matrix.
    Matrix(Matrix),
    /// A program.
    Exec(Exec),
}

/// A way of telling: exactly one of the keys from `ntfy` on.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Channel")]
struct Written {
    /// Its name.
    name: Id,
    /// From when on it is used.
    #[serde(default, skip_serializing_if = "Urgency::is_default")]
    from: Urgency,
    /// A topic of ntfy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ntfy: Option<Ntfy>,
    /// A page that takes JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    webhook: Option<Webhook>,
    /// A channel of Mattermost, or what speaks like it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mattermost: Option<Mattermost>,
    /// A room of Matrix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    matrix: Option<Matrix>,
    /// A program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exec: Option<Exec>,
}

impl TryFrom<Written> for Channel {
    type Error = String;

    fn try_from(it: Written) -> Result<Self, String> {
        let ways = [
            it.ntfy.map(How::Ntfy),
            it.webhook.map(How::Webhook),
            it.mattermost.map(How::Mattermost),
            it.matrix.map(How::Matrix),
            it.exec.map(How::Exec),
        ];
        let mut ways = ways.into_iter().flatten();
        match (ways.next(), ways.next()) {
            (Some(how), None) => Ok(Channel { name: it.name, from: it.from, how }),
            _ => Err(format!(
                "the channel `{}` is not exactly one of `ntfy`, `webhook`, `mattermost`, `matrix`, `exec`",
                it.name
            )),
        }
    }
}

impl From<Channel> for Written {
    fn from(Channel { name, from, how }: Channel) -> Self {
        let mut it =
            Written { name, from, ntfy: None, webhook: None, mattermost: None, matrix: None, exec: None };
        match how {
            How::Ntfy(ntfy) => it.ntfy = Some(ntfy),
            How::Webhook(webhook) => it.webhook = Some(webhook),
            How::Mattermost(mattermost) => it.mattermost = Some(mattermost),
            How::Matrix(matrix) => it.matrix = Some(matrix),
            How::Exec(exec) => it.exec = Some(exec),
        }
        it
    }
}

/// A topic of ntfy. Who knows its name reads it: it stands in a file, as a password does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ntfy {
    /// The server, `https://ntfy.sh` for example.
    pub url: Url,
    /// The file with the topic, which only root reads.
    pub topic_file: AbsolutePath,
    /// The file with a token (`tk_…`), which only root reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<AbsolutePath>,
}

/// A page that takes JSON by POST.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Its address.
    pub url: Url,
    /// The file with a token that is sent as `Authorization: Bearer`, which only root reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<AbsolutePath>,
    /// An authority that is trusted beside the machine's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<AbsolutePath>,
}

/// An incoming webhook of Mattermost, Mostlymatter, Slack, or of a bridge that speaks like them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mattermost {
    /// The file with its address, which is a secret: only root reads it.
    pub url_file: AbsolutePath,
}

/// A room of Matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// The server, `https://matrix.example.org`.
    pub url: Url,
    /// The room, `!abc:example.org`.
    pub room: Line,
    /// The file with the token of who speaks there, which only root reads.
    pub token_file: AbsolutePath,
}

/// A program that reads the message as one line of JSON, and ends with 0 where it took it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    /// Program and arguments.
    pub argv: Argv,
    /// Who runs it, `root` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Line>,
}

/// From when on a way is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// For all that is told.
    #[default]
    Warning,
    /// For what is pressing, and its end.
    Critical,
}

impl Urgency {
    fn is_default(&self) -> bool {
        *self == Urgency::Warning
    }
}
