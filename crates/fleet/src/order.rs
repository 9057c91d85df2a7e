//! What travels to a machine: what is asked of it, the values that its steps need, and its steps.
//!
//! On the wire: `paquerette LENGTH`, a line end, and that many bytes of lines: the order, then a stream of one host,
//! which is local there. Behind it may come `cancel`. The end of input is a cut line, and ends nothing.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;

use pq_run::Take;
use pq_stream::{Connection, ConnectionKind, End, Host, Record, Run, Secret, Status};
use serde::{Deserialize, Serialize};

/// The word that begins a frame.
const WORD: &str = "paquerette";

/// The line that asks to stop.
pub const CANCEL: &str = "cancel";

/// No plan of one machine is longer.
const MOST: u64 = 1 << 30;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// What differs.
    Check,
    /// End the differences.
    Apply,
    /// What the machine says of itself.
    Facts,
    /// What runs left on it.
    Status,
    /// What apt would change there.
    Packages,
    /// Upgrade its packages.
    Upgrade,
    /// Upgrade those of its packages whose newer version is for security.
    UpgradeSecurity,
    /// What paquerette keeps there.
    Space,
    /// What is installed there.
    Installed,
    /// What `pq-backup` there does or says.
    Backup,
    /// What `pq-monitor` there says.
    Monitor,
    /// Nothing: that this came shows that there is a way in.
    ComeIn,
}

/// What is asked of a machine.
#[derive(Serialize, Deserialize)]
pub struct Order {
    /// What.
    pub question: Question,
    /// Ask every application's health.
    pub verify: bool,
    /// What the operator decided about files that were changed by hand.
    #[serde(default)]
    pub take: Take,
    /// The held transactions that go on.
    #[serde(default)]
    pub resume: Vec<String>,
    /// The owners and steps that may destroy data without a verified backup.
    #[serde(default)]
    pub data_loss: Vec<String>,
    /// The steps that `--only` chose; what comes is no whole plan then.
    #[serde(default)]
    pub only: Vec<String>,
    /// What others are told of this run while it holds the machine's lock.
    pub command: String,
    /// Where instances are, for facts.
    #[serde(default)]
    pub base: String,
    /// The arguments of the tool there that is asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
    /// What stands in the place of each token. Only what is filled in travels: no key from which more could be derived.
    pub values: BTreeMap<String, String>,
    /// Names and values that must not be shown.
    pub hidden: Vec<(String, String)>,
}

/// What is sent.
#[derive(Clone)]
pub struct Frame {
    head: Arc<String>,
    steps: Arc<String>,
    tail: &'static str,
}

impl Frame {
    /// The frame of an order; `steps` are lines of the stream about the host whose `secret` it is, with the names of those that they
    /// need.
    pub fn new(order: &Order, run: &Run, secret: Secret, steps: Arc<String>) -> io::Result<Self> {
        let connection = Connection { kind: ConnectionKind::Local, address: None, port: None, user: None };
        let record = Host {
            host: secret.host.clone(),
            groups: Vec::new(),
            connection,
            os: None,
            instances: Vec::new(),
            vars: serde_json::Map::new(),
            origins: BTreeMap::new(),
            facts: Default::default(),
        };
        let mut head = serde_json::to_string(order)?;
        for record in [Record::Run(run.clone()), Record::Host(record), Record::Secret(secret)] {
            head.push('\n');
            head.push_str(&serde_json::to_string(&record)?);
        }
        head.push('\n');
        Ok(Frame { head: Arc::new(head), steps, tail: "{\"type\":\"end\",\"hosts\":1,\"status\":0}\n" })
    }

    /// Writes it.
    ///
    /// # Errors
    /// What the line answers.
    pub fn write(&self, mut line: impl Write) -> io::Result<()> {
        let length = self.head.len() + self.steps.len() + self.tail.len();
        line.write_all(format!("{WORD} {length}\n").as_bytes())?;
        line.write_all(self.head.as_bytes())?;
        line.write_all(self.steps.as_bytes())?;
        line.write_all(self.tail.as_bytes())?;
        line.flush()
    }
}

/// Reads a frame: the order, and the stream behind it.
///
/// # Errors
/// Where it is cut, or none.
pub fn read(input: &mut impl BufRead) -> io::Result<(Order, Vec<u8>)> {
    let wrong = |cause: &str| io::Error::new(io::ErrorKind::InvalidData, cause.to_owned());
    let mut first = String::new();
    input.take(64).read_line(&mut first)?;
    let length = first
        .strip_prefix(WORD)
        .and_then(|rest| rest.trim().parse::<u64>().ok())
        .filter(|length| *length <= MOST)
        .ok_or_else(|| wrong("no plan came"))?;
    let mut bytes = Vec::new();
    input.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != length {
        return Err(wrong("the plan was cut"));
    }
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(|| wrong("the plan has no order"))?;
    let order = serde_json::from_slice(&bytes[..end]).map_err(|_| wrong("its order is not understood"))?;
    Ok((order, bytes.split_off(end + 1)))
}

/// The verdict of a machine, as it travels back.
pub fn end(host: &str, status: Status) -> Record {
    Record::End(End { host: Some(host.to_owned()), hosts: None, status, counts: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Vec<u8> {
        let order = Order {
            question: Question::Apply,
            verify: true,
            take: Take::default(),
            resume: Vec::new(),
            data_loss: Vec::new(),
            only: Vec::new(),
            command: "pq-apply".to_owned(),
            base: String::new(),
            words: Vec::new(),
            values: BTreeMap::from([("@secret{a}".to_owned(), "value".to_owned())]),
            hidden: vec![("a".to_owned(), "value".to_owned())],
        };
        let run = Run { format: 1, inventory: "/i".to_owned(), digest: String::new(), time: String::new() };
        let mut bytes = Vec::new();
        let step = r#"{"type":"step","host":"web","id":"a/b","title":"t","do":"directory","path":"/srv/a"}"#;
        let steps = Arc::new(format!("{step}\n"));
        let secret = Secret { host: "web".to_owned(), names: vec!["a".to_owned()], sealed: String::new() };
        Frame::new(&order, &run, secret, steps).unwrap().write(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_is_sent_is_a_whole_plan_of_one_local_host() {
        let bytes = [frame(), b"cancel\n".to_vec()].concat();
        let mut input = bytes.as_slice();
        let (order, stream) = read(&mut input).unwrap();
        assert_eq!((order.question, order.values.len()), (Question::Apply, 1));
        let work = pq_run::read(stream.as_slice()).unwrap();
        assert_eq!(work.hosts[0].steps[0].record.id, "a/b");
        assert_eq!(work.hosts[0].host.connection.kind, ConnectionKind::Local);
        assert_eq!(input, b"cancel\n");
    }

    #[test]
    fn what_is_cut_anywhere_is_no_plan() {
        let bytes = frame();
        for cut in 0..bytes.len() {
            assert!(read(&mut &bytes[..cut]).is_err(), "cut at {cut}");
        }
        assert!(read(&mut &b"paquerette 99999999999999\n"[..]).is_err());
    }
}
