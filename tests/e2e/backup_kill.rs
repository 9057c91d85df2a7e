//! Backups that are killed, and two hundred things that happen to them in any order: no set that was whole is lost or another, none that is
//! not whole counts, and the next run works.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use pq_testkit::lab::{self, Image, Lab, Machine, Result, Suite};
use pq_tests::{Chance, Matrix};

use crate::backup::{backup, into};
use crate::world::{demo_inventory, done, install};

/// What is backed up here: files, and a database of SQLite.
const ITEM: &str = "owner: data\npaths: { include: [/srv/data] }\nsqlite: [/srv/data/base.sqlite]\n";

const STRATEGY: &str = r#"
schedule: { run: "0 3 * * *", copy: "0 4 * * *", verify: "0 5 * * *", forget: "0 6 * * *", rehearse: "0 7 * * *" }
retention: { daily: 100, weekly: 100, monthly: 100 }
targets:
  - { name: local, url: /srv/backups/restic, password_file: /etc/paquerette/backup.key }
  - { name: away, url: /mnt/away, password_file: /etc/paquerette/backup.key }
program: /usr/local/bin/restic
max_age: 26h
keep_free: 1
"#;

/// Something changes: a file is written, grown, taken away; a row comes.
const WRITE: &str = r#"
    cd /srv/data; n=$1
    head -c $((n % 90000 + 10)) /dev/urandom > "file $((n % 17))"; echo "line $n" >> grows; rm -f "file $((n % 5))"
    mkdir -p "dir $((n % 3))"; cp grows "dir $((n % 3))/copy"; chmod 0640 grows
    sqlite3 base.sqlite "CREATE TABLE IF NOT EXISTS t (n); INSERT INTO t VALUES ($n)"
"#;

/// A machine with restic, pq-backup, and one item.
pub fn small(lab: &Lab, name: &str) -> Result<Machine> {
    let image = lab.snapshot_or("restic", &Image::Base(Suite::Bookworm), "1", |machine| {
        demo_inventory(lab, machine)?;
        let sources = lab.serve()?;
        machine
            .sh(&format!(
                "apt-get update -qq; apt-get install -y -qq curl bzip2 acl attr sqlite3 >/dev/null
                 curl -sSf {sources}/github.com/restic/restic/restic.bz2 | bunzip2 > /usr/local/bin/restic; chmod 755 /usr/local/bin/restic"
            ))?
            .success()?;
        Ok(())
    })?;
    let machine = lab.boot(name, &image)?;
    install(&machine)?;
    machine.sh("mkdir -p /srv/data /srv/backups /etc/paquerette/backup.d; umask 077; echo Vq3tJ8wPzL5mXn2RcY7hKd4sGf9bTa6E > /etc/paquerette/backup.key")?.success()?;
    machine.write("/etc/paquerette/backup.yml", STRATEGY)?;
    machine.write("/etc/paquerette/backup.d/data.yml", ITEM)?;
    Ok(machine)
}

pub fn write(machine: &Machine, number: usize) -> Result<()> {
    machine.run(["bash", "-euc", WRITE, "write", &number.to_string()])?.success().map(drop)
}

/// What the files are, and the rows of the database: its file differs from its copy in bytes that say nothing.
pub fn seen(machine: &Machine, data: &str, base: &str) -> Result<String> {
    let tree = "cd \"$1\" && find . -mindepth 1 ! -name 'base.sqlite*' -printf '%y %m %U %G %n %T@ %l %p\\n' | LC_ALL=C sort && find . -type f ! -name 'base.sqlite*' -print0 | LC_ALL=C sort -z | xargs -0r sha256sum; sqlite3 -readonly \"$2\" .dump";
    Ok(machine.run(["bash", "-euc", tree, "seen", data, base])?.success()?.stdout)
}

/// What is there now.
pub fn now(machine: &Machine) -> Result<String> {
    seen(machine, "/srv/data", "/srv/data/base.sqlite")
}

/// The names of the whole sets of a target, oldest first.
pub fn sets(machine: &Machine, target: &str) -> Result<Vec<String>> {
    let listed = done(backup(machine, &["list", "data", "--json", "--target", target])?).stdout;
    let name =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?["set"].as_str().map(str::to_owned);
    Ok(listed.lines().filter_map(name).collect())
}

/// What a set has in it, restored.
pub fn restored(machine: &Machine, target: &str, set: &str) -> Result<String> {
    let dir = into(&done(backup(machine, &["restore", "data", "--at", set, "--target", target, "--text"])?));
    let content = seen(
        machine,
        &format!("{dir}/srv/data"),
        &format!("{dir}/databases/sqlite-srv-data-base.sqlite.sql"),
    )?;
    machine.run(["rm", "-rf", &dir])?.success()?;
    Ok(content)
}

/// How long each command took when it was last left to its end.
type Took = BTreeMap<String, Duration>;

/// Runs a command, and notes how long it took.
fn timed(machine: &Machine, words: &[&str], took: &mut Took) -> Result<lab::Output> {
    let begun = Instant::now();
    let run = backup(machine, words)?;
    took.insert(words.first().copied().unwrap_or_default().to_owned(), begun.elapsed());
    Ok(run)
}

/// Starts a command, kills it (-9) after a time, and says whether that came before its end.
fn killed(machine: &Machine, words: &[&str], after: Duration) -> Result<bool> {
    let running = machine.command(["pq-backup"].iter().chain(words)).start()?;
    sleep(after);
    running.kill();
    let ended = running.wait()?;
    Ok(ended.code == 137)
}

/// The moments of each command that are tried.
const MOMENTS: [(&str, &[&str], usize); 4] = [
    ("run", &["run", "--quiet"], 12),
    ("copy", &["copy", "--quiet"], 6),
    ("forget", &["forget", "--quiet", "--here"], 6),
    ("restore", &["restore", "data", "--into", "/srv/restored"], 6),
];

#[test]
fn matrix_backup_killed_at_any_moment_loses_no_backup_and_accepts_no_bad_one() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut matrix = Matrix::open("backup");
    let points =
        MOMENTS.iter().flat_map(|(name, _, count)| (1..=*count).map(move |nth| format!("{name} {nth:02}")));
    let points = matrix.draw(points, 2);
    if points.is_empty() {
        matrix.finish();
        return Ok(());
    }
    let machine = small(&lab, "backupkill")?;
    machine.sh("head -c 60000000 /dev/urandom > /srv/data/large")?.success()?;
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    // How long each takes where nothing disturbs it.
    let mut took = Took::new();
    let mut number = 0;
    let mut change =
        |machine: &Machine, known: &mut BTreeMap<String, String>, took: &mut Took| -> Result<()> {
            number += 1;
            write(machine, number)?;
            machine.sh("head -c 8000000 /dev/urandom > /srv/data/other")?.success()?;
            done(timed(machine, &["run", "--quiet"], took)?);
            let newest = sets(machine, "local")?.pop().unwrap_or_default();
            known.insert(newest, now(machine)?);
            Ok(())
        };
    change(&machine, &mut known, &mut took)?;
    done(timed(&machine, &["copy", "--quiet"], &mut took)?);
    for point in points {
        let begun = Instant::now();
        let (name, words, _) =
            MOMENTS.iter().find(|it| point.starts_with(it.0)).copied().unwrap_or(MOMENTS[0]);
        change(&machine, &mut known, &mut took)?;
        machine.sh("rm -rf /srv/restored; head -c 8000000 /dev/urandom > /srv/data/more")?.success()?;
        let before = sets(&machine, "local")?;
        // As far into it as chance wants.
        let whole = took.get(name).map_or(1200, |it| it.as_millis() as usize);
        let after = Duration::from_millis(20 + matrix.below(whole) as u64);
        let hit = killed(&machine, words, after)?;
        eprintln!(
            "backup: {point}: {} after {} ms",
            if hit { "killed" } else { "had ended" },
            after.as_millis()
        );
        let verdict = settled(&machine, &mut known, &before, name == "forget", &mut took);
        let verdict = verdict.unwrap_or_else(|error| Err(error.to_string()));
        matrix.note(&point, verdict, begun.elapsed());
    }
    matrix.finish();
    Ok(())
}

/// Whether all that was whole is there, all that counts is whole, and the next of everything works.
fn settled(
    machine: &Machine,
    known: &mut BTreeMap<String, String>,
    before: &[String],
    forgot: bool,
    took: &mut Took,
) -> Result<std::result::Result<(), String>> {
    let after = sets(machine, "local")?;
    // Of a day, `forget` leaves the last one.
    let must = if forgot { &before[before.len() - 1..] } else { before };
    if let Some(lost) = must.iter().find(|set| !after.contains(set)) {
        return Ok(Err(format!("set {lost} is lost")));
    }
    for set in after.iter().rev().take(2) {
        if known.get(set).is_some_and(|saw| restored(machine, "local", set).is_ok_and(|is| is != *saw)) {
            return Ok(Err(format!("set {set} is not what it was")));
        }
    }
    // One that was finished in the moment of the kill is one, and has what is there now.
    let new: Vec<String> = after.iter().filter(|set| !known.contains_key(*set)).cloned().collect();
    for set in new {
        known.insert(set, now(machine)?);
    }
    for words in [
        &["run", "--quiet"][..],
        &["copy", "--quiet"],
        &["forget", "--quiet"],
        &["verify", "--all", "--quiet"],
    ] {
        let run = timed(machine, words, took)?;
        if run.code != 0 {
            return Ok(Err(format!("`{}` afterwards: {}{}", words.join(" "), run.stdout, run.stderr)));
        }
    }
    let newest = sets(machine, "local")?.pop().unwrap_or_default();
    known.insert(newest, now(machine)?);
    for target in ["local", "away"] {
        for set in sets(machine, target)?.iter().rev().take(2) {
            if known.get(set) != Some(&restored(machine, target, set)?) {
                return Ok(Err(format!("set {set} in {target} is not what it was")));
            }
        }
    }
    Ok(Ok(()))
}

/// How many things happen in each `make test`, and in a whole matrix.
const FEW: usize = 12;
const MANY: usize = 200;

#[test]
fn matrix_backup_operations_in_any_order_every_restore_is_what_its_backup_saw() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut matrix = Matrix::open("backup_operations");
    let many = if matrix.whole() { MANY } else { FEW };
    let points = matrix.draw([format!("{MANY} operations")], 1);
    for point in points {
        let begun = Instant::now();
        let mut chance = Chance::new(1 + matrix.below(1 << 30) as u64);
        let machine = small(&lab, "backupops")?;
        let verdict = operations(&machine, &mut chance, many).unwrap_or_else(|error| Err(error.to_string()));
        matrix.note(&point, verdict, begun.elapsed());
    }
    matrix.finish();
    Ok(())
}

fn operations(
    machine: &Machine,
    chance: &mut Chance,
    many: usize,
) -> Result<std::result::Result<(), String>> {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let mut happened = BTreeMap::<&str, usize>::new();
    write(machine, 1)?;
    done(backup(machine, &["run", "--quiet"])?);
    for number in 0..many {
        let newest = sets(machine, "local")?;
        for new in newest.iter().filter(|set| !known.contains_key(*set)).cloned().collect::<Vec<_>>() {
            known.insert(new, now(machine)?);
        }
        let what = ["write", "run", "kill", "copy", "forget", "restore", "restore away"][chance.below(7)];
        *happened.entry(what).or_default() += 1;
        eprintln!("backup_operations: {number}: {what}");
        match what {
            "write" => write(machine, 1 + chance.below(100_000))?,
            "run" | "copy" | "forget" => drop(done(backup(machine, &[what, "--quiet"])?)),
            "kill" => {
                let words = [&["run", "--quiet"][..], &["copy", "--quiet"], &["forget", "--quiet", "--here"]]
                    [chance.below(3)];
                killed(machine, words, Duration::from_millis(20 + chance.below(1500) as u64))?;
            }
            restore => {
                let target = if restore == "restore" { "local" } else { "away" };
                let there = match target {
                    "away" if machine.sh("test -e /mnt/away/config")?.code != 0 => continue,
                    target => sets(machine, target)?,
                };
                if there.is_empty() {
                    continue;
                }
                let set = &there[chance.below(there.len())];
                let Some(saw) = known.get(set) else {
                    return Ok(Err(format!("set {set} of {target} was never made")));
                };
                if *saw != restored(machine, target, set)? {
                    return Ok(Err(format!("operation {number}: set {set} of {target} is not what it saw")));
                }
            }
        }
    }
    eprintln!("backup_operations: {happened:?}");
    Ok(Ok(()))
}
