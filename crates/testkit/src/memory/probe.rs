//! What can be asked of the machine in memory.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pq_steps::{
    AbsPath, Certificate, Command, Error, Free, Heard, Http, Kind, Listener, Mode, Output, Package, Probe,
    Reply, Session, SshLogin, Stat, Taken, Unit,
};
use sha2::{Digest, Sha256};

use super::disk::What;
use super::{MemoryMachine, certificates};

/// When the machine's clock began: 2027-01-01, in seconds since 1970.
const BEGIN: u64 = 1_798_761_600;

/// Where challenges are asked for, and where the machine's server looks for them.
const CHALLENGES: &str = "/.well-known/acme-challenge/";
const WEBROOT: &str = "/var/www/acme";

/// A moment of the machine's clock.
pub(super) fn moment(clock: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(BEGIN) + Duration::from_millis(clock)
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl MemoryMachine {
    /// The bytes of a file, through links.
    fn bytes(&self, path: &AbsPath) -> Result<Option<&[u8]>, Error> {
        match self.disk.follow(path.as_str()).map(|node| &node.what) {
            Some(What::File(content)) => Ok(Some(content)),
            Some(_) => Err(Error::failed(format!("cannot read `{path}`"), "it is no file")),
            None => Ok(None),
        }
    }
}

impl Probe for MemoryMachine {
    fn stat(&self, path: &AbsPath) -> Result<Option<Stat>, Error> {
        Ok(self.disk.get(path.as_str()).map(|node| Stat {
            kind: node.kind(),
            mode: Mode::from_bits(node.mode),
            owner: node.owner.clone(),
            group: node.group.clone(),
            size: match &node.what {
                What::File(content) => content.len() as u64,
                What::Directory => 4096,
                What::Link(target) => target.len() as u64,
            },
            changed: moment(node.changed),
        }))
    }

    fn read(&self, path: &AbsPath) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.bytes(path)?.map(<[u8]>::to_vec))
    }

    fn sha256(&self, path: &AbsPath) -> Result<Option<String>, Error> {
        Ok(self.bytes(path)?.map(sha256))
    }

    fn read_link(&self, path: &AbsPath) -> Result<Option<String>, Error> {
        match self.disk.get(path.as_str()).map(|node| &node.what) {
            Some(What::Link(target)) => Ok(Some(target.clone())),
            _ => Ok(None),
        }
    }

    fn list(&self, path: &AbsPath) -> Result<Option<Vec<String>>, Error> {
        match self.disk.follow(path.as_str()).map(super::disk::Node::kind) {
            None => Ok(None),
            Some(Kind::Directory) => Ok(Some(self.disk.names(path.as_str()))),
            Some(_) => Err(Error::failed(format!("cannot list `{path}`"), "it is no directory")),
        }
    }

    fn taken(&self, path: &AbsPath) -> Result<Taken, Error> {
        Ok(Taken { bytes: self.disk.taken(path.as_str()), files: 1, partial: false })
    }

    fn free(&self, _: &AbsPath) -> Result<Free, Error> {
        Ok(Free { device: 0, bytes: 1 << 30, files: None })
    }

    fn guarded(&self, path: &AbsPath) -> Result<bool, Error> {
        let real = self.disk.resolve(path.as_str(), false).unwrap_or_default();
        let open = |node: &super::disk::Node| node.owner != "root" || node.mode & 0o022 != 0;
        Ok(!real.match_indices('/').any(|(end, _)| self.disk.get(&real[..end.max(1)]).is_some_and(open)))
    }

    fn package(&self, name: &str) -> Result<Option<Package>, Error> {
        let installed = self.installed.get(name);
        Ok(installed
            .map(|(version, configured)| Package { version: version.clone(), configured: *configured }))
    }

    fn unit(&self, name: &str) -> Result<Option<Unit>, Error> {
        Ok(self.unit_state(name))
    }

    fn os(&self) -> Result<String, Error> {
        let text = self.disk.text("/etc/os-release");
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        match (value("ID"), value("VERSION_ID")) {
            (Some(id), Some(version)) => Ok(format!("{id}-{}", version.trim_matches('"'))),
            _ => Err(Error::failed("cannot tell the operating system", "`/etc/os-release` does not say")),
        }
    }

    fn now(&self) -> SystemTime {
        moment(self.disk.clock)
    }

    /// Runs the command on a copy; one that would change the machine is an error, which no real machine gives.
    fn ask(&self, command: &Command) -> Result<Output, Error> {
        let mut copy = self.clone();
        copy.revive();
        let output = copy.execute(command)?;
        match copy.changes() == self.changes() {
            true => Ok(output),
            false => {
                Err(Error::failed(format!("`{}` was only asked", command.shown()), "it changes the machine"))
            }
        }
    }

    fn query(&self, session: &Session, sql: &str) -> Result<Heard, Error> {
        self.answer_query(session, sql)
    }

    fn http(&self, request: &Http) -> Result<Reply, Error> {
        let none = |cause: &str| Err(Error::failed(format!("no answer from `{}`", request.url), cause));
        if let Some((_, token)) = request.url.split_once(CHALLENGES) {
            let body = self.disk.text(&format!("{WEBROOT}{CHALLENGES}{token}"));
            return Ok(Reply { status: if body.is_empty() { 404 } else { 200 }, body });
        }
        let Some(answer) = self.answers.get(&request.url) else { return none("connection refused") };
        if answer.unit.as_ref().is_some_and(|unit| !self.runs(unit)) {
            return none("connection refused");
        }
        match answer.late.get() {
            0 => Ok(Reply { status: answer.status, body: answer.body.clone() }),
            late => {
                answer.late.set(late - 1);
                none("timed out")
            }
        }
    }

    fn certificate(&self, path: &AbsPath) -> Result<Option<Certificate>, Error> {
        self.bytes(path)?.map(|content| certificates::parse(path, content)).transpose()
    }

    /// What a server was given when one was last started or reloaded.
    fn presented(&self, name: &str) -> Result<Option<Certificate>, Error> {
        let path = AbsPath::new("/presented").map_err(|cause| Error::failed("no certificate", cause))?;
        let read = |text: &Vec<u8>| certificates::parse(&path, text).ok();
        Ok(self.presented.iter().filter_map(read).find(|it| it.names.iter().any(|is| is == name)))
    }

    /// Names of the laws lead here, and no others anywhere.
    fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Error> {
        match name.ends_with(".law.test") {
            true => Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]),
            false => Err(Error::failed(format!("`{name}` leads to no address"), "nobody knows it")),
        }
    }

    fn listener(&self, _port: u16) -> Result<Option<Listener>, Error> {
        Ok(None)
    }

    fn logins(&self) -> Result<Vec<SshLogin>, Error> {
        Ok(Vec::new())
    }
}
