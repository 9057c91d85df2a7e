//! Executes a plan: reads the whole stream, holds it to its rules, then checks and changes the machine.
//!
//! Always true here: nothing is touched before the stream's `end` was read and every step understood; `check`
//! precedes every `apply` and follows it; difference left after `apply` is a failure.

mod allowed;
mod audit;
mod behind;
mod change;
mod edits;
mod execute;
mod foreign;
mod host;
mod installed;
mod kept;
mod live;
mod only;
mod order;
mod packages;
mod published;
mod recovery;
mod seal;
mod served;
mod show;
mod space;
mod status;
mod stop;
mod tell;
mod transact;
mod undo;
mod way_in;
mod work;

pub use allowed::Allowed;
pub use edits::{Decided, Decisions, Take};
pub use execute::{Options, Told, execute_here, lock, recover};
pub use host::{HostRun, Mode, Verdict};
pub use installed::installed;
pub use only::Only;
pub use packages::{Upgrading, packages};
pub use published::{Published, Vouched, published};
pub use seal::{Opener, fill, needed, open};
pub use show::Show;
pub use space::space;
pub use status::status;
pub use stop::{AFTER_STEP, Stop};
pub use way_in::came_in;
pub use work::{Planned, Work, WorkHost, read, read_each};
