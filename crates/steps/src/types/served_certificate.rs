//! The web server of this machine gives the certificate that is on the disk: a reload that was asked for and did not happen shows.

use std::time::{Duration, Instant};

use pq_stream::{Diagnostic, Difference};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::unit::valid_unit_name;
use super::{rules, tls::valid_names};
use crate::{AbsPath, Active, Check, Command, Converge, Differences, Error, Probe, System, UnitVerb};

/// Whoever asks port 443 of this machine for a name is given the first certificate of a file; a unit that does not run gives none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServedCertificate {
    /// DNS names that are asked for.
    pub names: Vec<String>,
    /// The chain that they are to be answered with.
    pub chain: AbsPath,
    /// The web server, as in `nginx.service`: reloaded where it gives another.
    pub unit: String,
    /// Its own test of its configuration, asked before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Vec<String>>,
    /// Where a renewal notes that it could not have the web server reload: taken away once what is served is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<AbsPath>,
}

/// What differs where a renewal noted something.
const RENEWAL: &str = "renewal";

/// How long a reload of a moment ago may take to show.
const ON_ITS_WAY: Duration = Duration::from_millis(500);

/// How long our own may take.
const RELOADED: Duration = Duration::from_secs(15);

/// How many right answers show that no other will come.
const IN_A_ROW: usize = 8;

const PAUSE: Duration = Duration::from_millis(50);

impl ServedCertificate {
    /// The names that are answered with something else, and with what.
    fn wrong(&self, machine: &dyn Probe) -> Result<Vec<(String, String)>, Error> {
        let Some(want) = machine.certificate(&self.chain)? else {
            return Err(Error::absent("file", self.chain.as_str()));
        };
        let mut wrong = Vec::new();
        for name in &self.names {
            let is = match machine.presented(name) {
                Ok(Some(is)) if is.digest == want.digest => continue,
                Ok(Some(is)) => format!("another certificate, for {}", is.names.join(", ")),
                Ok(None) => "nobody answers".to_owned(),
                Err(error) => error.into_diagnostic().causes.join(": "),
            };
            wrong.push((name.clone(), is));
        }
        Ok(wrong)
    }

    /// Waits until all is right, and stays so: a process of the server that is about to end may answer once more. What is not, when
    /// that takes too long.
    fn wait(&self, machine: &dyn Probe, most: Duration) -> Result<Vec<(String, String)>, Error> {
        let until = Instant::now() + most;
        let mut right = 0;
        loop {
            let wrong = self.wrong(machine)?;
            right = if wrong.is_empty() { right + 1 } else { 0 };
            if right == IN_A_ROW || !wrong.is_empty() && Instant::now() + PAUSE >= until {
                return Ok(wrong);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// What a renewal noted.
    fn noted(&self, machine: &dyn Probe) -> Result<Option<String>, Error> {
        let Some(failed) = &self.failed else { return Ok(None) };
        let noted = machine.read(failed)?;
        Ok(noted.map(|it| String::from_utf8_lossy(&it).split_whitespace().collect::<Vec<_>>().join(" ")))
    }

    /// What is worth knowing of what was put right: that a renewal did not come to its end by itself.
    pub fn was_wrong(&self, differences: &[Difference]) -> Option<Diagnostic> {
        let noted = differences.iter().find(|it| it.what == RENEWAL)?.is.clone()?;
        let told = Diagnostic::new(format!("the certificate of {}: {noted}", self.names.join(", ")));
        Some(told.hint(format!("`{}` serves it now", self.unit)))
    }

    fn runs(&self, machine: &dyn Probe) -> Result<bool, Error> {
        let unit = machine.unit(&self.unit)?.ok_or_else(|| Error::absent("unit", self.unit.clone()))?;
        Ok(unit.active == Active::Active)
    }
}

impl Converge for ServedCertificate {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let mut found = Differences::new();
        if self.runs(machine)? {
            for (name, is) in self.wrong(machine)? {
                found.push(&name, Some(&is), Some(&format!("that of `{}`", self.chain)));
            }
        }
        if let Some(noted) = self.noted(machine)? {
            found.push(RENEWAL, Some(&noted), Some("the web server reloaded"));
        }
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        if self.runs(machine)? && !self.wait(machine, ON_ITS_WAY)?.is_empty() {
            if let Some(argv) = &self.test {
                let command = Command::new(argv.clone());
                machine.run(&command)?.success(&command)?;
            }
            machine.unit_do(UnitVerb::Reload, &self.unit)?;
            if let Some((name, is)) = self.wait(machine, RELOADED)?.into_iter().next() {
                return Err(Diagnostic::new(format!("`{name}` is not served with its certificate"))
                    .cause(format!("`{}` was reloaded, and port 443 still says: {is}", self.unit))
                    .hint(format!(
                        "`{}` is as it should be; look at the log of `{}`, and at what else listens there",
                        self.chain, self.unit
                    ))
                    .into());
            }
        }
        match &self.failed {
            Some(failed) => machine.remove(failed),
            None => Ok(()),
        }
    }

    fn validate(&self) -> Result<(), String> {
        valid_names(&self.names)?;
        valid_unit_name("unit", &self.unit)?;
        self.test.as_ref().map_or(Ok(()), |argv| rules::argv("test", argv))
    }
}
