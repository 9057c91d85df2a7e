//! The catalogue of recipes and its loader: what the tools know of operating systems, components and applications.
//!
//! A recipe is data: YAML and templates below `catalogue/`, built into the binaries and overlaid with the user's own
//! `recipes/`. Here it is read and held to its form; templates are rendered, and steps made, in `pq_plan`.
//!
//! Always true here: a key that is not known is an error with its file, line and column, wherever it stands.

mod app;
mod apt;
mod catalogue;
mod code;
mod component;
mod files;
mod kind;
mod known;
mod node;
mod os;
mod pins;
mod schema;
mod source;
mod step;
mod structured;
mod typed;
mod variable;
mod yaml;

pub use app::{
    App, Brings, DATABASE, DatabaseNeeds, Engine, Guarded, Health, Job, Keep, Merge, NO_DATABASE, Needs,
    PhpNeeds, PythonNeeds, Releases, Service, Support, Upgrade, VersionProbe, Web, WebKind,
};
pub use apt::{Apt, Link};
pub use catalogue::{Catalogue, Declared};
pub use code::{ARCHIVE, DIRECTORY, GIT, Git, PACKAGES};
pub use component::Component;
pub use kind::{Kind, bytes};
pub use node::{Data, Node};
pub use os::{Account, Daemon, Os, Php, Python, Ssh, WebServer};
pub use pins::{Built, Origin, Pin, Pins, Range, Variant};
pub use pq_stream::version::{compare, meets};
pub use schema::{StepKind, schemas};
pub use source::{Mark, Source};
pub use step::{Phase, StepTemplate};
pub use structured::TOOLS;
pub use variable::Variable;
