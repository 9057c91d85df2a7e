//! The laws that every step type obeys, and examples of every type on which they are tried.
//!
//! The examples are data (`examples/<type>.json`): what to prepare, the states to start from, and the step, all as
//! steps on the stream. So the same examples run on a machine in memory here and on a real one elsewhere.

mod every;
mod example;
mod law;
mod plan;
mod sources;
mod wheel;

pub use every::{Every, every};
pub use example::{Example, examples, machine};
pub use law::{Broken, Law, judge, judge_silence};
pub use plan::plan;
pub use sources::{ADDRESS, sources};
