//! A recipe of one's own, as docs/recipes.md has people write it: put into an inventory, looked over, installed, and gone without a trace.

use std::fs;

use pq_testkit::lab::{self, Machine, Result};

use crate::apps::says;
use crate::instances::traces;
use crate::world::{HOST, IDENTITY, bare, demo_inventory, nothing_left, pipe, shown};

/// The directory of recipes, and the application in it: Trac, from PyPI.
const RECIPE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/apps/trac");

/// Everybody reads its pages, and who has the password comes in.
fn works(machine: &Machine) -> Result<()> {
    machine.write("/root/password", format!("user = admin:{}", shown(machine, "demo/app/user_admin")?))?;
    let answers = says(
        machine,
        r#"page() { browser -o /root/page -w '%{http_code}\n' "$@"; }
           rm -f /root/jar; page $url/wiki; grep -o 'Les chantiers\|Trac 1.6<' /root/page | sort -u
           page $url/admin; page -u admin:guessed $url/login; page --config /root/password $url/login; page $url/admin
           grep -o 'logged in as' /root/page; rm /root/jar /root/password /root/page"#,
    )?;
    assert_eq!(answers, "200\nLes chantiers\nTrac 1.6<\n404\n401\n302\n200\nlogged in as\n");
    Ok(())
}

#[test]
fn a_recipe_of_ones_own_is_installed_and_goes_without_a_trace() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut machine = bare(&lab, "ownrecipe")?;
    demo_inventory(&lab, &machine)?;
    let directory = "/root/paquerette/inventory/recipes/apps/trac";
    machine.run(["mkdir", "-p", directory])?.success()?;
    for entry in fs::read_dir(RECIPE).map_err(|error| lab::Error::new("no recipe").because(error))? {
        let entry = entry.map_err(|error| lab::Error::new("no recipe").because(error))?;
        machine.push(
            entry.path(),
            &format!("{directory}/{}", entry.file_name().to_string_lossy()),
            "0644",
        )?;
    }
    let lint = machine.sh("cd /root/paquerette && pq-instance lint inventory/recipes --text")?;
    assert_eq!((lint.code, lint.stdout.as_str()), (0, "nothing to say\n"), "{}", lint.stderr);
    machine.write(
        HOST,
        "os: debian-12\nmemory_mb: 2048\ninstances:\n  - { app: trac, id: app, domain: app.demo.test, title: Les chantiers }\n",
    )?;
    let first = pipe(&machine, "pq-apply --text")?;
    assert_eq!(first.code, 0, "{}{}", first.stdout, first.stderr);
    machine.sh("apt-get install -y -qq curl >/dev/null")?.success()?;
    works(&machine)?;
    nothing_left(&machine)?;
    machine.reboot()?;
    works(&machine)?;
    nothing_left(&machine)?;
    machine.write(HOST, "os: debian-12\nmemory_mb: 2048\ninstances: []\n")?;
    let removal =
        "cd /root/paquerette && pq-inventory demo | pq-instance remove app --with-data --apply --text";
    machine.command(["bash", "-c", removal]).env("PQ_IDENTITY", IDENTITY).output()?.success()?;
    assert_eq!(traces(&machine, "app")?, "");
    Ok(())
}
