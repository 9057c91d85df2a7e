//! Backups of a machine with a wiki, a calendar server, WordPress on MariaDB and MediaWiki on PostgreSQL: made, found, restored, proven,
//! copied away.

use std::fs;

use pq_testkit::lab::{self, Image, Lab, Machine, Output, Result, Suite};
use pq_tests::{TOOLS, tools};
use sha2::{Digest, Sha256};

use crate::world::{HOST, bare, demo_inventory, done, install, pipe, sha256};

/// A file with each thing that a restore may lose.
const ODD: &str = r#"
    cd /srv/paquerette/www/wiki/kept/data/media
    printf 'un fichier' > "d'un 'nom' $(printf '\001\n') étrange"; printf linked > one; ln one two; ln -s ../../nowhere broken
    truncate -s 3M sparse; printf end >> sparse; printf acl > acl; setfacl -m u:www-data:r acl; setfattr -n user.note -v "kept" acl
    mkdir -m 2751 sticky; mkfifo pipe; chown -h wiki: * ; chown 4242:4343 one; touch -d '2001-02-03 04:05:06' acl
"#;

/// All that a directory holds but for what the wiki makes again, line by line: kind, mode, owner, links, time, content, access lists,
/// attributes.
const TREE: &str = r#"
    cd "$1"; sorted() { LC_ALL=C sort -z; }
    list() { find . -mindepth 1 \( -name cache -o -name locks -o -name tmp \) -prune -o "$@"; }
    list -type d -printf '%m %u %g %T@ %p\0' | sorted | tr '\0' '\n'
    list ! -type d -printf '%y %m %u %g %n %T@ %l %p\0' | sorted | tr '\0' '\n'
    list -type f -print0 | sorted | xargs -0r sha256sum
    list ! -type l -print0 | sorted | xargs -0r getfacl -p
    list -type f -print0 | sorted | xargs -0r getfattr -d -m '^user'
"#;

/// Rows of the databases, which tell whether one is missing.
const ROWS: &str = "CREATE TABLE proof (n INTEGER PRIMARY KEY, words VARCHAR(80) NOT NULL)";

/// The machine on which backups are tried, with everything installed and nothing backed up yet.
pub fn machine(lab: &Lab, name: &str) -> Result<Machine> {
    let mut digest = Sha256::new();
    TOOLS.iter().for_each(|tool| digest.update(fs::read(tools().join(tool)).unwrap_or_default()));
    let key: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let image = lab.snapshot_or("backups", &Image::Base(Suite::Bookworm), &key, |machine| {
        install(machine)?;
        demo_inventory(lab, machine)?;
        let restic = fs::read(lab.sources().join("github.com/restic/restic/restic.bz2")).unwrap_or_default();
        machine.write(HOST, host(&sha256(&restic)))?;
        done(pipe(machine, "pq-apply --text")?);
        machine.sh("apt-get install -y -qq curl acl attr bzip2 faketime >/dev/null")?.success()?;
        machine.sh(&format!(
            "mariadb blog -e \"{ROWS}; INSERT INTO proof SELECT seq, CONCAT('row \\'', seq, ';(') FROM seq_1_to_500\"
             cd / && runuser -u postgres -- psql -q -d docs -c \"{ROWS}\" -c \"INSERT INTO proof SELECT n, E'row \\\\\\\\. ' || n FROM generate_series(1, 300) n\" -c 'ALTER TABLE proof OWNER TO docs'"
        ))?
        .success()?;
        Ok(())
    })?;
    let machine = lab.boot(name, &image)?;
    // Here, and not in the snapshot: an overlay counts links of what lies below it as they were there.
    machine.run(["bash", "-euc", ODD])?.success()?;
    Ok(machine)
}

/// The variables of that machine.
fn host(restic: &str) -> String {
    format!(
        r#"os: debian-12
web_server: nginx
memory_mb: 2048
backup_jobs: true
restic: {{ version: "0.18.0", url: "https://github.com/restic/restic/restic.bz2", sha256: {restic} }}
backup_keep_free: 1
backup_targets:
  - {{ name: local, url: /srv/paquerette/backups/restic, password_file: /etc/paquerette/backup.key }}
  - {{ name: away, url: /mnt/away, password_file: /etc/paquerette/backup.key }}
instances:
  - {{ app: dokuwiki, id: wiki, domain: wiki.demo.test, version: "2022-07-31a" }}
  - {{ app: radicale, id: dav, domain: dav.demo.test, users: [alice] }}
  - {{ app: wordpress, id: blog, domain: blog.demo.test, version: "6.1.9", database: mariadb }}
  - {{ app: mediawiki, id: docs, domain: docs.demo.test, database: postgres }}
  - {{ app: mediawiki, id: docs2, domain: docs2.demo.test, database: postgres }}
"#
    )
}

/// Runs pq-backup. Its standard input is an empty pipe here, which is no word for what takes something away on this machine.
pub fn backup(machine: &Machine, words: &[&str]) -> Result<Output> {
    let takes = matches!(words.first(), Some(&("forget" | "restore")));
    machine.run(["pq-backup"].iter().chain(words).chain(takes.then_some(&"--here")))
}

/// What a directory holds.
pub fn tree(machine: &Machine, path: &str) -> Result<String> {
    Ok(machine.run(["bash", "-euc", TREE, "tree", path])?.success()?.stdout)
}

/// Where a restore said that it put things.
pub fn into(run: &Output) -> String {
    run.stdout.lines().next().unwrap_or_default().to_owned()
}

/// Restores an item, which must come back whole.
fn restored(machine: &Machine, words: &[&str]) -> Result<String> {
    let all: Vec<&str> = ["restore", "--text"].iter().chain(words).copied().collect();
    Ok(into(&done(backup(machine, &all)?)))
}

#[test]
fn what_is_backed_up_comes_back_as_it_was() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = machine(&lab, "backup")?;
    let kept = "/srv/paquerette/www/wiki/kept";

    // Before the first run: how much it will be, and that there is nothing.
    let forecast = done(backup(&machine, &["run", "--check", "--text"])?).stdout;
    for item in ["blog", "docs", "wiki", "dav", "server", "platform-mariadb", "platform-postgres"] {
        assert!(forecast.contains(item), "{item}: {forecast}");
    }
    assert_eq!(backup(&machine, &["status", "--text"])?.code, 3);

    let first = tree(&machine, kept)?;
    let run = done(backup(&machine, &["run", "--text"])?);
    assert!(run.stdout.lines().all(|line| line.starts_with("ok ")), "{}", run.stdout);
    // Its password was drawn, so its one key costs nothing to try; whoever has it opens it with restic alone.
    let key = machine
        .sh("cd /srv/paquerette/backups/restic; grep -l '\"N\":1024,' keys/* | wc -l; ls keys | wc -l; RESTIC_PASSWORD_FILE=/etc/paquerette/backup.key /usr/local/lib/paquerette/restic-0.18.0/restic -q -r . snapshots >/dev/null && echo opened")?
        .success()?
        .stdout;
    assert_eq!(key, "1\n1\nopened\n");
    let status = done(backup(&machine, &["status", "--text"])?).stdout;
    assert!(status.contains("never verified") && status.contains("never"), "{status}");
    let between =
        machine.sh("sleep 1.1; date -u +%Y-%m-%dT%H:%M:%S; sleep 1.1")?.success()?.text().to_owned();

    // Something is lost and something is new.
    machine
        .sh(&format!(
            "rm {kept}/data/media/one; echo new > {kept}/data/pages/new.txt; chown wiki: {kept}/data/pages/new.txt
             mariadb blog -e 'DELETE FROM proof WHERE n > 400'; runuser -u postgres -- psql -q -d docs -c 'DROP TABLE proof'"
        ))?
        .success()?;
    let second = tree(&machine, kept)?;
    done(backup(&machine, &["run", "wiki", "blog", "docs", "--text"])?);

    // Both are there, each as it was: files, owners, modes, access lists, attributes, links.
    let old = restored(&machine, &["wiki", "--at", &between])?;
    assert_eq!(tree(&machine, &format!("{old}{kept}"))?, first);
    let new = restored(&machine, &["wiki"])?;
    assert_eq!(tree(&machine, &format!("{new}{kept}"))?, second);
    let found = done(backup(&machine, &["find", "wiki", "one", "--text"])?).stdout;
    assert_eq!(found.lines().filter(|line| line.ends_with("/media/one")).count(), 1, "{found}");
    let one = restored(&machine, &["wiki", "--at", &between, &format!("{kept}/data/media/one")])?;
    assert_eq!(machine.read(&format!("{one}{kept}/data/media/one"))?, "linked");
    let counts = |dump: &str, engine: &str| {
        let load = match engine {
            "mariadb" => {
                "mariadb -e 'CREATE DATABASE proof'; mariadb proof < $1; mariadb -BN proof -e 'SELECT COUNT(*) FROM proof'; mariadb -e 'DROP DATABASE proof'"
            }
            _ => {
                "cd /; pg() { runuser -u postgres -- psql -qAt -v ON_ERROR_STOP=1 \"$@\"; }; pg -c 'CREATE DATABASE proof'; pg -d proof < $1 > /dev/null; pg -d proof -c 'SELECT COUNT(*) FROM proof'; pg -c 'DROP DATABASE proof'"
            }
        };
        machine.run(["bash", "-euc", load, "load", dump])?.success().map(|it| it.text().to_owned())
    };
    for (item, engine, rows) in [("blog", "mariadb", "500"), ("docs", "postgres", "300")] {
        let old = restored(&machine, &[item, "--at", &between, "--database-only"])?;
        assert_eq!(counts(&format!("{old}/databases/{engine}-{item}.sql"), engine)?, rows);
    }
    let new = restored(&machine, &["blog", "--database-only"])?;
    assert_eq!(counts(&format!("{new}/databases/mariadb-blog.sql"), "mariadb")?, "400");

    // Each can be proven, by name and in turn; nothing of it stays.
    for item in ["blog", "docs", "dav"] {
        let proof = done(backup(&machine, &["rehearse", item, "--text"])?).stdout;
        assert!(
            proof.contains("restored in") && proof.contains(" rows") || proof.contains("0 rows"),
            "{proof}"
        );
    }
    let left = machine.sh("ls -a /srv/paquerette/backups; mariadb -BN -e 'SHOW DATABASES'; cd /; runuser -u postgres -- psql -Atc 'SELECT datname FROM pg_database'")?;
    assert!(!left.stdout.contains("rehears"), "{}", left.stdout);

    // What one instance had goes to another, whose own user then has it; what that had stays beside.
    done(backup(&machine, &["restore", "docs", "--at", &between, "--as", "docs2", "--text"])?);
    let other = machine.sh(
        "cd /; runuser -u docs2 -- psql -qAt -d docs2 -c 'SELECT count(*) FROM proof' -c \"SELECT tableowner FROM pg_tables WHERE tablename = 'proof'\"
         stat -c %U /srv/paquerette/www/docs2/kept/*; ls -d /srv/paquerette/www/docs2/kept*",
    )?;
    let lines: Vec<&str> = other.stdout.lines().collect();
    assert!(
        lines.starts_with(&["300", "docs2"]) && !lines.contains(&"docs"),
        "{}{}",
        other.stdout,
        other.stderr
    );
    assert!(other.stdout.contains("/kept.before-"), "{}", other.stdout);
    done(pipe(&machine, "pq-apply --verify --text")?);
    let same = backup(&machine, &["restore", "wiki", "--as", "docs2"])?;
    assert!(same.code == 1 && same.stderr.contains("`wiki` was of dokuwiki"), "{}", same.stderr);

    // What is copied away is the same, and is found there when this machine's own is gone.
    done(backup(&machine, &["copy", "--text"])?);
    assert_eq!(done(backup(&machine, &["copy", "--text"])?).stdout, "copied to away: 0 backups\n");
    let away = restored(&machine, &["wiki", "--at", &between, "--target", "away"])?;
    assert_eq!(tree(&machine, &format!("{away}{kept}"))?, first);
    for part in 1..=3 {
        let verified = done(backup(&machine, &["verify", "--target", "away", "--text"])?);
        assert!(verified.stderr.contains(&format!("part {part} of 7")), "{}", verified.stderr);
    }

    // What is past its time goes, as it was said before; of today, the last one stays.
    let look = backup(&machine, &["forget", "--check", "--text"])?;
    assert_eq!(look.code, 3, "{}{}", look.stdout, look.stderr);
    assert!(look.stdout.contains("wiki in local: 1 stay, 1 would go"), "{}", look.stdout);
    done(backup(&machine, &["forget", "--text"])?);
    assert_eq!(backup(&machine, &["forget", "--check", "--text"])?.code, 0);
    let new = restored(&machine, &["wiki"])?;
    assert_eq!(tree(&machine, &format!("{new}{kept}"))?, second);

    // No password and no secret where others look.
    let key = machine.read("/etc/paquerette/backup.key")?;
    let seen = machine.sh("cat /var/log/*.log 2>/dev/null; journalctl -q --no-pager; find / -xdev -name 'pq-*' -newer /etc/paquerette/backup.key -perm -o+r -type f 2>/dev/null")?;
    assert!(!seen.stdout.contains(key.trim()), "the password is in a log");
    Ok(())
}

#[test]
fn a_bare_machine_without_backups_says_what_to_do() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "nobackup")?;
    let run = backup(&machine, &["run"])?;
    assert_eq!(run.code, 2, "{}{}", run.stdout, run.stderr);
    assert!(
        run.stderr.contains("cannot read `/etc/paquerette/backup.yml`") && run.stderr.contains("pq-server"),
        "{}",
        run.stderr
    );
    Ok(())
}
