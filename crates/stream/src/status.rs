//! Exit statuses, the same for every tool.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a tool, a host or a stream ended.
///
/// Ordered by what matters most: of several, the greatest is the status of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
#[serde(into = "u8", try_from = "u8")]
#[schemars(with = "u8")]
pub enum Status {
    /// 0: nothing (left) to do.
    #[default]
    Done,
    /// 3: something differs (`--check`).
    Differs,
    /// 75: busy or unreachable; run again later.
    Busy,
    /// 1: something failed.
    Failed,
    /// 2: bad command line or input; edit something.
    Input,
}

impl Status {
    /// The number that the process exits with.
    pub fn code(self) -> u8 {
        match self {
            Status::Done => 0,
            Status::Differs => 3,
            Status::Busy => 75,
            Status::Failed => 1,
            Status::Input => 2,
        }
    }
}

impl From<Status> for u8 {
    fn from(status: Status) -> u8 {
        status.code()
    }
}

impl TryFrom<u8> for Status {
    type Error = String;

    fn try_from(code: u8) -> Result<Self, String> {
        [Status::Done, Status::Differs, Status::Busy, Status::Failed, Status::Input]
            .into_iter()
            .find(|status| status.code() == code)
            .ok_or_else(|| format!("`{code}` is no exit status of these tools (0, 1, 2, 3, 75)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_several_hosts_is_the_status_of_the_whole() {
        let hosts = [Status::Differs, Status::Failed, Status::Busy, Status::Done];
        assert_eq!(hosts.into_iter().max(), Some(Status::Failed));
        assert_eq!(hosts.into_iter().chain([Status::Input]).max(), Some(Status::Input));
    }

    #[test]
    fn a_status_travels_as_its_number() {
        assert_eq!(serde_json::to_string(&Status::Busy).unwrap(), "75");
        assert_eq!(serde_json::from_str::<Status>("3").unwrap(), Status::Differs);
        assert!(serde_json::from_str::<Status>("4").is_err());
    }
}
