//! What the tests of the whole share: where the built tools are, how a matrix is tried, and what a
//! secret looks like.

mod ansible;
mod answers;
mod chance;
mod forms;
mod literal;
mod matrix;

pub use ansible::ansible;
pub use answers::{Told, TwoHosts};
pub use chance::{Chance, wish};
pub use forms::Forms;
pub use literal::literal;
pub use matrix::Matrix;
/// The tools, as a person would install them.
pub use pq_recipes::TOOLS;

use std::path::PathBuf;

/// The directory of the tools that were built beside this test.
///
/// # Panics
/// Where one of them was not built: a test of an older build would say nothing.
#[expect(clippy::expect_used, reason = "called by tests, whose way to fail this is")]
pub fn tools() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    // target/<profile>/deps/<test>
    let dir = test.ancestors().nth(2).expect("a target directory").to_owned();
    for tool in TOOLS {
        assert!(
            dir.join(tool).exists(),
            "`{}` is not built: `make test` builds it first",
            dir.join(tool).display()
        );
    }
    dir
}
