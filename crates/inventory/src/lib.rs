//! An inventory directory in Ansible's layout in, the records of its hosts out.
//!
//! It reads files and writes none, asks no machine, and knows neither recipes nor steps. Secret values go from
//! age files into sealed messages; everywhere else their tokens stand.
//!
//! Always true here: a host's files are checked before its first record exists; an error points into a file;
//! no text of an encrypted file is in an error.

mod audience;
mod clear;
mod concealed;
mod digest;
mod document;
mod effective;
mod explain;
mod file;
mod foreign;
#[cfg(fuzzing)]
pub mod fuzzing;
mod genuine;
mod groups;
mod hosts;
mod hosts_yaml;
mod instances;
mod inventory;
mod lazy;
mod list;
mod lookups;
mod magic;
mod node;
mod pattern;
mod python;
mod range;
mod recipients;
mod record;
mod scalar;
mod scope;
mod stray;
mod survey;
mod unresolved;
mod variables;
mod vaulted;
mod words;
mod world;
mod yaml;

pub use clear::is_hosts_file;
pub use document::Document;
pub use explain::{Explanation, Reading, Setting};
pub use file::MAX_FILE;
pub use inventory::Inventory;
pub use list::Secrets;
pub use recipients::recipients_file;
pub use stray::Misplaced;
pub use survey::{Finding, Setter, Survey};
pub use variables::EXTENSIONS;
pub use vaulted::Vaulted;
