//! The portable builds of `make dist` start and work on every Debian that there is support for.

use std::path::{Path, PathBuf};

use pq_testkit::lab::{self, Image, Machine, Result, Suite};
use pq_tests::{TOOLS, tools};

use crate::world::apply;

const PLAN: &str = include_str!("small.ndjson");

/// Where `make dist` leaves them; nothing where it was not run.
pub fn portable() -> Option<PathBuf> {
    let dir = tools().join("../dist").join(std::env::consts::ARCH);
    if dir.is_dir() {
        return Some(dir);
    }
    let required = std::env::var("PQ_E2E").is_ok_and(|wish| wish == "require");
    assert!(!required, "there is no `{}`: `make dist` makes it", dir.display());
    eprintln!("portable builds are not tested: `make dist` makes them");
    None
}

/// The Debian package installs, its pages and completions are where they are looked for, and it goes as it came.
fn packaged(machine: &Machine, built: &Path) -> Result<()> {
    let package = beside(built, ".deb");
    machine.push(&package, "/root/paquerette.deb", "0644")?;
    machine.run(["dpkg", "-i", "/root/paquerette.deb"])?.success()?;
    for tool in TOOLS {
        let said = machine.run([tool, "--version"])?.success()?.stdout;
        assert!(said.starts_with(tool), "{said}");
        let page = machine.sh(&format!("zcat /usr/share/man/man1/{tool}.1.gz"))?.success()?.stdout;
        assert!(page.contains("EXIT STATUS") || page.contains("Exit status"), "{tool}: {page}");
        let completes =
            format!("bash -c '. /usr/share/bash-completion/completions/{tool} && complete -p {tool}'");
        assert!(machine.sh(&completes)?.success()?.stdout.contains(tool));
    }
    machine.run(["dpkg", "--purge", "paquerette"])?.success()?;
    assert_eq!(machine.sh("ls /usr/bin/pq-* /usr/share/doc/paquerette 2>/dev/null | wc -l")?.text(), "0");
    // The tarball holds the same tools.
    let tarball = beside(built, ".tar.xz");
    machine.push(&tarball, "/root/paquerette.tar.xz", "0644")?;
    // Older systems have no xz of their own.
    let unpacked = "python3 -c 'import tarfile; tarfile.open(\"/root/paquerette.tar.xz\").extractall(\"/opt\")' && \
                    /opt/paquerette-*/bin/pq-apply --version";
    assert!(machine.sh(unpacked)?.success()?.stdout.starts_with("pq-apply"));
    Ok(())
}

/// The package of this architecture beside its builds.
fn beside(built: &Path, ending: &str) -> PathBuf {
    let architecture = [std::env::consts::ARCH, if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" }];
    let directory = built.parent().unwrap_or(built);
    let names = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let of = |path: &PathBuf| {
        let name = path.to_string_lossy();
        name.ends_with(ending) && architecture.iter().any(|it| name.contains(it))
    };
    names.into_iter().find(of).unwrap_or_else(|| directory.join(ending))
}

#[test]
fn portable_builds_work_on_every_debian() -> Result<()> {
    let (Some(lab), Some(built)) = (lab::available(), portable()) else { return Ok(()) };
    for (suite, name) in [(Suite::Bullseye, "11"), (Suite::Bookworm, "12"), (Suite::Trixie, "13")] {
        let machine = lab.boot("dist", &Image::Base(suite))?;
        packaged(&machine, &built)?;
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
