//! What an application has that comes from no release of ours: packages of a repository of its makers; and which other
//! instances it works for.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::Node;

/// A repository of packages, and what is installed of it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Apt {
    /// Where it is.
    pub uris: Vec<Node>,
    /// Its suites; `./` where it has none.
    pub suites: Vec<Node>,
    /// Its components, where it has suites.
    #[serde(default)]
    pub components: Vec<Node>,
    /// The file beside the recipe with the armored keys that sign it.
    #[serde(default)]
    pub key: Option<Node>,
    /// Instead: where these keys are.
    #[serde(default)]
    pub key_url: Option<Node>,
    /// The whole fingerprint of each of them; a list.
    pub fingerprints: Node,
    /// The packages; a list.
    pub packages: Node,
}

/// Instances that this one works for, named by one of its variables: by id where they are on the same host, else by domain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The application that they are of.
    pub app: String,
    /// What it is for, in one line.
    pub about: String,
}
