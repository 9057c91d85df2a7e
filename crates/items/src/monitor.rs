//! What is watched of one owner: `/etc/paquerette/monitor.d/<owner>.yml`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Check, Id, Reference};

/// What is watched of one owner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MonitorItem {
    /// Whose it is: an instance's id, `platform-nginx`, `server`; also the name of the file.
    pub owner: Id,
    /// What all of its checks stand on: where that is down, one message says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Reference>,
    /// How often a check must fail before it counts, where that is not what the strategy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damping: Option<Damping>,
    /// The checks.
    #[serde(default)]
    pub checks: Checks,
}

/// Checks of one owner, no two of one id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<Check>")]
pub struct Checks(Vec<Check>);

impl TryFrom<Vec<Check>> for Checks {
    type Error = String;

    fn try_from(checks: Vec<Check>) -> Result<Self, String> {
        let twice =
            checks.iter().enumerate().find(|(at, it)| checks[..*at].iter().any(|old| old.id == it.id));
        match twice {
            Some((_, check)) => Err(format!("two checks have the id `{}`", check.id)),
            None => Ok(Checks(checks)),
        }
    }
}

impl Checks {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Check> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// How often a check must fail before it counts: `failures` of the last `of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "WrittenDamping")]
pub struct Damping {
    /// How many.
    pub failures: u8,
    /// Of how many.
    pub of: u8,
}

/// How often a check must fail before it counts: `failures` of the last `of`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Damping")]
struct WrittenDamping {
    /// How many.
    failures: u8,
    /// Of how many.
    of: u8,
}

impl TryFrom<WrittenDamping> for Damping {
    type Error = String;

    fn try_from(WrittenDamping { failures, of }: WrittenDamping) -> Result<Self, String> {
        match failures > 0 && failures <= of {
            true => Ok(Damping { failures, of }),
            false => Err(format!("`failures` is {failures} of {of}: from 1 to as many as there are")),
        }
    }
}

impl MonitorItem {
    /// An item of which nothing is watched yet.
    pub fn new(owner: Id) -> Self {
        MonitorItem { owner, depends_on: Vec::new(), damping: None, checks: Checks::default() }
    }

    /// Takes in another part of the same owner's; where both say how often a check must fail, its own counts.
    ///
    /// # Errors
    /// Where both have a check of one id.
    pub fn add(&mut self, other: MonitorItem) -> Result<(), String> {
        self.depends_on.extend(other.depends_on);
        self.depends_on.sort();
        self.depends_on.dedup();
        self.damping = self.damping.or(other.damping);
        let mut checks = std::mem::take(&mut self.checks.0);
        checks.extend(other.checks.0);
        checks.sort_by(|a, b| a.id.cmp(&b.id));
        self.checks = Checks::try_from(checks)?;
        Ok(())
    }
}
