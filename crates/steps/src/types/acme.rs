//! A certificate from a public authority, through certbot: asked for once each name is seen to lead here, served once it is there.
//!
//! What cannot be had yet is *pending*, and no failure: the site goes on with the public certificate that it has, the operator's own of
//! before, or the machine's, and the authority is asked again after a while that doubles each time.
//!
//! Always true here: nobody is asked before the names were tried from here, nor before the while is over; a certificate is served only
//! where it, its key and its names are whole. What a killed run left of certbot's is found by looking, and taken away.

mod reach;
mod tried;
mod words;

use std::time::{Duration, SystemTime};

use pq_stream::{Diagnostic, utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;
use super::tls::{Tls, is_a_pair, valid_names};
use crate::ledger::{Thing, ThingKind};
use crate::{AbsPath, Check, Command, Converge, Differences, Error, Output, Probe, System, Text};
use tried::Tried;

/// A certificate from a public authority, for these names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Acme {
    /// What certbot calls it: `/etc/letsencrypt/live/<name>`.
    pub name: String,
    /// DNS names, the first also as common name.
    pub names: Vec<String>,
    /// The directory in which servers read it, as in a step `tls`.
    pub path: AbsPath,
    /// The directory of the authority: the `https://` address where its protocol begins.
    pub directory: String,
    /// Where the authority writes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Authority to trust where the public one's own site is not signed by one that the system trusts, a PEM file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<AbsPath>,
    /// What the web server serves at `/.well-known/acme-challenge/` of each name is below this directory.
    pub webroot: AbsPath,
    /// Whether each name is tried from here, through each of its addresses, before the authority is asked. By default yes.
    #[serde(default = "super::accounts::yes")]
    pub reach: bool,
    /// Asked for now, whatever was tried before, also where a good one is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub now: bool,
}

/// Where certbot keeps what it has.
const CERTBOT: &str = "/etc/letsencrypt";

/// Where certbot says what happened.
const LOG: &str = "/var/log/letsencrypt/letsencrypt.log";

/// How long certbot may take.
const MOST: Duration = Duration::from_secs(300);

/// How long certbot is waited for where it is at work already, as its timer has it.
const AT_WORK: Duration = Duration::from_secs(60);

/// How things stand.
enum Standing {
    /// A good one is there.
    Good,
    /// It is not its time yet.
    Waiting(Tried),
    /// It is to be asked for, and why.
    Due(&'static str),
}

impl Acme {
    /// A path below certbot's directory.
    fn certbot(&self, below: &str) -> Result<AbsPath, Error> {
        AbsPath::new(format!("{CERTBOT}/{below}"))
            .map_err(|cause| Error::failed(format!("cannot look after certificate `{}`", self.name), cause))
    }

    /// The pair as servers read it.
    fn pair(&self) -> Result<Tls, Error> {
        Ok(Tls {
            path: self.path.clone(),
            names: self.names.clone(),
            chain: self.certbot(&format!("live/{}/fullchain.pem", self.name))?,
            key: self.certbot(&format!("live/{}/privkey.pem", self.name))?,
            required: false,
        })
    }

    /// Why a new certificate is to be asked for; nothing where the one that is there will do.
    fn due(&self, machine: &dyn Probe) -> Result<Option<&'static str>, Error> {
        let pair = self.pair()?;
        if pair.flaw(machine)?.is_some() {
            return Ok(Some("there is no good one"));
        }
        let Some(is) = machine.certificate(&pair.chain)? else { return Ok(Some("there is none")) };
        let mut names = self.names.clone();
        names.sort();
        if is.names != names {
            return Ok(Some("it is for other names"));
        }
        let conf = machine.read(&self.certbot(&format!("renewal/{}.conf", self.name))?)?.unwrap_or_default();
        let conf = String::from_utf8_lossy(&conf);
        let server = conf.lines().find_map(|line| line.strip_prefix("server = "));
        if server.map(str::trim) != Some(self.directory.as_str()) {
            return Ok(Some("it is from another authority"));
        }
        // certbot's timer renews long before.
        let life = is.not_after.duration_since(is.not_before).unwrap_or_default();
        match machine.now() >= is.not_before + life * 5 / 6 {
            true => Ok(Some("it ends soon, and nothing has renewed it")),
            false => Ok(None),
        }
    }

    fn standing(&self, machine: &dyn Probe) -> Result<Standing, Error> {
        let tried = Tried::of(machine, self)?;
        let now = seconds(machine.now());
        if self.now {
            return Ok(match tried.filter(Tried::is_ours) {
                Some(tried) if tried.wait > 0 => Standing::Waiting(tried),
                Some(_) => Standing::Good,
                None => Standing::Due("it is asked for now"),
            });
        }
        Ok(match (self.due(machine)?, tried) {
            (None, _) => Standing::Good,
            (Some(_), Some(tried)) if tried.waits(now) => Standing::Waiting(tried),
            (Some(why), _) => Standing::Due(why),
        })
    }

    /// Tries to get one; what came of it is noted, whatever it is.
    fn attempt(&self, machine: &mut dyn System) -> Result<(), Error> {
        let before = Tried::of(machine, self)?;
        let (mut said, reached) = match self.reach {
            true => reach::all(self, machine)?,
            false => (Vec::new(), true),
        };
        let got = reached && {
            let (words, got) = self.ask_authority(machine)?;
            said.extend(words);
            got
        };
        Tried::now(self, machine.now(), got, before.as_ref(), said).note(machine, self)
    }

    /// Has certbot ask the authority: what it says, and whether a good certificate is there now.
    fn ask_authority(&self, machine: &mut dyn System) -> Result<(Vec<String>, bool), Error> {
        self.clear(machine)?;
        let command = self.command()?;
        let began = std::time::Instant::now();
        let (mut nonces, mut output) = (0, machine.run(&command)?);
        while output.status != 0 {
            if words::is_at_work(&output) && began.elapsed() < AT_WORK {
                std::thread::sleep(Duration::from_secs(2));
            } else if words::is_nonce(&self.words(machine, &output)?) && nonces < 2 {
                nonces += 1;
            } else {
                return Ok((self.words(machine, &output)?, false));
            }
            output = machine.run(&command)?;
        }
        let pair = self.pair()?;
        let flaw = match pair.flaw(machine)? {
            None if is_a_pair(machine, &pair.chain, &pair.key)? => None,
            None => Some(format!("`{}` is not the key of `{}`", pair.key, pair.chain)),
            flaw => flaw,
        };
        Ok(match flaw {
            None => (vec![format!("{} issued it", self.directory)], true),
            Some(flaw) => (vec![format!("certbot says that all is well, and {flaw}")], false),
        })
    }

    fn command(&self) -> Result<Command, Error> {
        let mut argv: Vec<&str> = vec!["certbot", "certonly", "--webroot", "-w", self.webroot.as_str()];
        argv.extend([
            "--cert-name",
            &self.name,
            "--server",
            &self.directory,
            "--non-interactive",
            "--agree-tos",
        ]);
        // What is asked for is due: certbot would think so only later, or ask back.
        argv.extend(["--force-renewal", "--renew-with-new-domains", "--no-directory-hooks"]);
        match &self.email {
            Some(email) => argv.extend(["-m", email.as_str(), "--no-eff-email"]),
            None => argv.push("--register-unsafely-without-email"),
        }
        argv.extend(self.names.iter().flat_map(|name| ["-d", name.as_str()]));
        let mut command = Command::new(argv);
        command.timeout = MOST;
        if let Some(ca) = &self.ca {
            command.env.insert("REQUESTS_CA_BUNDLE".to_owned(), Text::from(ca.as_str()));
        }
        Ok(command)
    }

    /// What certbot says, in the authority's own words where it has any.
    fn words(&self, machine: &dyn Probe, output: &Output) -> Result<Vec<String>, Error> {
        let log = AbsPath::new(LOG).map_err(|cause| Error::failed("cannot read certbot's log", cause))?;
        let log = machine.read(&log)?.unwrap_or_default();
        Ok(words::said(output, &String::from_utf8_lossy(&log)))
    }

    /// Takes away what a killed certbot left of a certificate that it can no longer read: it would begin another beside it.
    fn clear(&self, machine: &mut dyn System) -> Result<(), Error> {
        let conf = self.certbot(&format!("renewal/{}.conf", self.name))?;
        let text = machine.read(&conf)?.unwrap_or_default();
        let whole = String::from_utf8_lossy(&text).contains("[renewalparams]");
        let chain = self.pair()?.chain;
        let readable = matches!(machine.certificate(&chain), Ok(Some(_)));
        if whole && readable {
            return Ok(());
        }
        for path in [
            conf,
            self.certbot(&format!("live/{}", self.name))?,
            self.certbot(&format!("archive/{}", self.name))?,
        ] {
            if machine.stat(&path)?.is_some() {
                machine.remove(&path)?;
            }
        }
        Ok(())
    }
}

impl Converge for Acme {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let mut found = match self.pair()?.check(machine)? {
            Check::InSync => Vec::new(),
            Check::Differs(found) => found,
        };
        if let Standing::Due(why) = self.standing(machine)? {
            let mut due = Differences::new();
            due.push("certificate", Some(why), Some(&format!("one from {}", self.directory)));
            if let Check::Differs(due) = due.into_check() {
                found.extend(due);
            }
        }
        Ok(if found.is_empty() { Check::InSync } else { Check::Differs(found) })
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        let pair = self.pair()?;
        if let Standing::Due(_) = self.standing(machine)? {
            self.attempt(machine)?;
        }
        match pair.check(machine)? {
            Check::InSync => Ok(()),
            Check::Differs(_) => pair.apply(machine),
        }
    }

    fn notice(&self, machine: &dyn Probe) -> Result<Option<Diagnostic>, Error> {
        let (name, names) = (&self.name, self.names.join(", "));
        let tried = match self.standing(machine)? {
            Standing::Waiting(tried) => tried,
            Standing::Good if self.now => {
                let said = Tried::of(machine, self)?.map(|it| it.said).unwrap_or_default();
                let told = Diagnostic::new(format!("the certificate of {names} was asked for"));
                return Ok(Some(said.into_iter().fold(told, Diagnostic::cause)));
            }
            Standing::Good | Standing::Due(_) => return Ok(None),
        };
        let pair = self.pair()?;
        let serves = match (pair.flaw(machine)?, pair.before(machine)?) {
            (None, _) => "the site is served with the one that it has".to_owned(),
            (Some(_), Some(own)) => {
                format!(
                    "the site goes on with the operator's own, which is good until {}",
                    utc(own.not_after)
                )
            }
            (Some(_), None) => "the site is served with one of the machine's own authority".to_owned(),
        };
        let told = Diagnostic::new(format!("the certificate of {names} is pending: {serves}"));
        let told = tried.said.iter().cloned().fold(told, Diagnostic::cause);
        let next = utc(SystemTime::UNIX_EPOCH + Duration::from_secs(tried.at + tried.wait));
        Ok(Some(told.hint(format!("a run after {next} tries again, and `pq-instance renew {name}` at once"))))
    }

    fn validate(&self) -> Result<(), String> {
        valid_names(&self.names)?;
        rules::url("directory", &self.directory)?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        if self.name.is_empty() || self.name.starts_with('-') || !self.name.chars().all(plain) {
            return Err(format!("`name` `{}` is no name of a certificate", self.name.escape_debug()));
        }
        match &self.email {
            Some(email) if email.starts_with('-') || !email.contains('@') => {
                Err(format!("`email` `{}` is no address", email.escape_debug()))
            }
            _ => Ok(()),
        }
    }

    fn things(&self) -> Vec<Thing> {
        let certbot = |kind, below: String| Thing::new(kind, format!("{CERTBOT}/{below}"));
        let name = &self.name;
        vec![
            certbot(ThingKind::Tree, format!("archive/{name}")),
            certbot(ThingKind::Tree, format!("live/{name}")),
            certbot(ThingKind::File, format!("renewal/{name}.conf")),
            Thing::new(ThingKind::File, Tried::path(self)),
        ]
    }
}

/// Seconds since 1970.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}
