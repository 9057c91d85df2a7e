//! The portable builds of `make dist` start and work on every Debian that there is support for.

use std::path::PathBuf;

use pq_testkit::lab::{self, Image, Result, Suite};
use pq_tests::{TOOLS, tools};

use crate::world::apply;

const PLAN: &str = include_str!("small.ndjson");

/// Where `make dist` leaves them; nothing where it was not run.
fn built() -> Option<PathBuf> {
    let dir = tools().join("../dist").join(std::env::consts::ARCH);
    if dir.is_dir() {
        return Some(dir);
    }
    let required = std::env::var("PQ_E2E").is_ok_and(|wish| wish == "require");
    assert!(!required, "there is no `{}`: `make dist` makes it", dir.display());
    eprintln!("portable builds are not tested: `make dist` makes them");
    None
}

#[test]
fn portable_builds_work_on_every_debian() -> Result<()> {
    let (Some(lab), Some(built)) = (lab::available(), built()) else { return Ok(()) };
    for (suite, name) in [(Suite::Bullseye, "11"), (Suite::Bookworm, "12"), (Suite::Trixie, "13")] {
        let machine = lab.boot("dist", &Image::Base(suite))?;
        for tool in TOOLS {
            machine.push(built.join(tool), &format!("/usr/local/bin/{tool}"), "0755")?;
            let said = machine.run([tool, "--version"])?.success()?.stdout;
            assert!(said.starts_with(tool), "{said}");
        }
        let plan = PLAN.replace("debian-12", &format!("debian-{name}"));
        let first = apply(&machine, &plan, &["--text"])?.success()?;
        assert!(first.stdout.contains(" 14 changed"), "debian {name}: {}", first.stdout);
        let second = apply(&machine, &plan, &["--text"])?.success()?;
        assert!(second.stdout.contains(" 0 changed"), "debian {name}: {}", second.stdout);
    }
    Ok(())
}
