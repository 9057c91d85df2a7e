//! Backups of a machine with a wiki, a calendar server, WordPress on MariaDB and MediaWiki on PostgreSQL: made, found, restored, proven,
//! copied away; and what goes wrong with them.

use std::fs;

use pq_testkit::lab::{self, Image, Lab, Machine, Output, Result, Suite};
use pq_tests::{TOOLS, tools};
use sha2::{Digest, Sha256};

use crate::world::{HOST, IDENTITY, bare, demo_inventory, done, install, pipe, sha256, shown};

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
fn machine(lab: &Lab, name: &str) -> Result<Machine> {
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
fn tree(machine: &Machine, path: &str) -> Result<String> {
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

/// What goes wrong, and a word that the error has; each is put right again.
#[test]
fn what_is_wrong_with_a_backup_is_said_and_never_passes_for_well() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = machine(&lab, "backupfaults")?;
    done(backup(&machine, &["run", "--text"])?);
    let whole = |item: &str| -> Result<usize> {
        let listed = done(backup(&machine, &["list", item, "--json"])?).stdout;
        Ok(listed.lines().filter(|line| line.contains("\"complete\":true")).count())
    };
    let bad = |break_it: &str, words: &[&str], code: i32, says: &[&str], mend: &str| -> Result<()> {
        machine.run(["bash", "-euc", break_it])?.success()?;
        let run = backup(&machine, words)?;
        machine.run(["bash", "-euc", mend])?.success()?;
        assert_eq!(run.code, code, "{break_it}: {}{}", run.stdout, run.stderr);
        for word in says {
            assert!(run.stderr.contains(word), "{break_it}: `{word}`: {}{}", run.stdout, run.stderr);
        }
        Ok(())
    };
    let etc = "/etc/paquerette";
    let kept = "/srv/paquerette/www/wiki/kept";
    let (blog, wiki) = (whole("blog")?, whole("wiki")?);

    // A dump that is not whole leaves nothing that counts.
    bad(
        "systemctl stop mariadb",
        &["run", "blog"],
        1,
        &["cannot dump database `blog` of MariaDB", "cause:"],
        "systemctl start mariadb",
    )?;
    bad(
        "mv /usr/bin/mariadb-dump /usr/bin/mariadb-dump.real; printf '#!/bin/sh\\n/usr/bin/mariadb-dump.real \"$@\" | head -c 20000\\n' > /usr/bin/mariadb-dump; chmod 755 /usr/bin/mariadb-dump",
        &["run", "blog"],
        1,
        &["is cut short"],
        "mv /usr/bin/mariadb-dump.real /usr/bin/mariadb-dump",
    )?;
    bad(
        "mv /usr/bin/mariadb-dump /usr/bin/mariadb-dump.real; printf '#!/bin/sh\\n/usr/bin/mariadb-dump.real \"$@\" | head -c 20000; kill -9 $$\\n' > /usr/bin/mariadb-dump; chmod 755 /usr/bin/mariadb-dump",
        &["run", "blog"],
        1,
        &["cannot dump database `blog` of MariaDB", "signal: 9"],
        "mv /usr/bin/mariadb-dump.real /usr/bin/mariadb-dump",
    )?;
    bad(
        "mariadb -e 'CREATE DATABASE empty'; sed -i.old 's/name: blog/name: empty/' /etc/paquerette/backup.d/blog.yml",
        &["run", "blog"],
        1,
        &["has no table: there is nothing to back up"],
        "mv /etc/paquerette/backup.d/blog.yml.old /etc/paquerette/backup.d/blog.yml; mariadb -e 'DROP DATABASE empty'",
    )?;
    assert_eq!(whole("blog")?, blog);
    done(backup(&machine, &["run", "blog", "--text"])?);

    // What is not there, or cannot be read, is named; the rest is there all the same.
    bad(
        &format!("mv {kept} {kept}.away"),
        &["run", "wiki", "dav"],
        1,
        &["kept` of item `wiki` is not there", "hint: mount it, or take it out"],
        &format!("mv {kept}.away {kept}"),
    )?;
    bad(
        &format!("sed -i.old 's/owner:/ownr:/' {etc}/backup.d/wiki.yml"),
        &["run"],
        1,
        &["wiki.yml:", "does not know the key `ownr`", "did you mean `owner`?"],
        &format!("mv {etc}/backup.d/wiki.yml.old {etc}/backup.d/wiki.yml"),
    )?;
    assert_eq!(whole("wiki")?, wiki);
    // Root reads all but what the kernel itself does not give.
    bad(
        &format!(
            "touch {kept}/data/media/unreadable; mount --bind /proc/sys/vm/drop_caches {kept}/data/media/unreadable"
        ),
        &["run", "wiki"],
        1,
        &["cannot read `", "data/media/unreadable`", "cause:"],
        &format!("umount {kept}/data/media/unreadable; rm {kept}/data/media/unreadable"),
    )?;
    bad("true", &["run", "wikki"], 2, &["no item `wikki`", "did you mean `wiki`?"], "true")?;

    // A password that opens nothing, one that others read, one that is empty, none.
    let key = format!("{etc}/backup.key");
    let back = format!("mv {key}.old {key}");
    bad(
        &format!("cp -p {key} {key}.old; echo other > {key}"),
        &["run", "wiki"],
        1,
        &["opens no key of it"],
        &back,
    )?;
    bad(
        &format!("cp -p {key} {key}.old; chmod 0644 {key}"),
        &["run", "wiki"],
        1,
        &["may be read by others"],
        &back,
    )?;
    bad(&format!("cp -p {key} {key}.old; : > {key}"), &["run", "wiki"], 1, &["is empty"], &back)?;
    bad(&format!("mv {key} {key}.old"), &["run", "wiki"], 1, &["cannot read the password"], &back)?;

    // A repository that is gone is not made anew; one of another machine is not taken.
    let repository = "/srv/paquerette/backups/restic";
    bad(
        &format!("mv {repository} {repository}.away"),
        &["run", "wiki"],
        1,
        &["there is no repository", "never made anew"],
        &format!("test ! -e {repository} && mv {repository}.away {repository}"),
    )?;
    bad(
        "hostname other; mv /var/lib/paquerette/backup/state.json /root/",
        &["run", "wiki"],
        1,
        &["is the repository of another machine", "nothing was written"],
        "hostname backupfaults; mv /root/state.json /var/lib/paquerette/backup/",
    )?;

    // restic itself: none, and one that is too old.
    let restic = "/usr/local/lib/paquerette/restic-0.18.0/restic";
    bad(
        &format!(
            "mv {restic} {restic}.old; printf '#!/bin/sh\\necho restic 0.14.0 compiled with go1.19\\n' > {restic}; chmod 755 {restic}"
        ),
        &["run", "wiki"],
        2,
        &["restic 0.14.0 is too old", "hint:"],
        &format!("mv {restic}.old {restic}"),
    )?;
    bad(
        &format!("mv {restic} {restic}.old"),
        &["run", "wiki"],
        2,
        &["cannot run restic", "hint:"],
        &format!("mv {restic}.old {restic}"),
    )?;

    // Who is at work is waited for, and then named.
    bad(
        "systemd-run -q --unit holder flock /run/paquerette/backup.lock sleep 60; sleep 0.5",
        &["run", "wiki", "--wait", "1s"],
        75,
        &["backups are being made by", "nothing was begun"],
        "systemctl stop holder",
    )?;

    // One bit of what is stored: found, named, and a restore brings back the rest.
    machine
        .run([
            "bash",
            "-euc",
            "head -c 3000000 /dev/urandom > /srv/paquerette/www/wiki/kept/data/media/large; pq-backup run wiki --quiet
             pack=$(find /srv/paquerette/backups/restic/data -type f -size +2M -printf '%T@ %p\n' | sort -n | tail -1 | cut -d' ' -f2); cp -p $pack /root/pack; echo $pack > /root/which
             chmod u+w $pack; python3 -c \"import sys; f = open(sys.argv[1], 'r+b'); f.seek(1000000); b = f.read(1); f.seek(1000000); f.write(bytes([b[0] ^ 1]))\" $pack",
        ])?
        .success()?;
    let verified = backup(&machine, &["verify", "--all", "--target", "local"])?;
    let pack = machine.sh("basename $(cat /root/which)")?.text().to_owned();
    assert_eq!(verified.code, 1, "{}{}", verified.stdout, verified.stderr);
    for word in [pack.as_str(), "is damaged", "`/srv/paquerette/www/wiki/kept/data/media/large`", "hint:"] {
        assert!(verified.stderr.contains(word), "{word}: {}", verified.stderr);
    }
    assert_eq!(backup(&machine, &["status", "--text"])?.code, 3);
    let run = backup(&machine, &["restore", "wiki", "--text"])?;
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("media/large` did not come back whole"), "{}", run.stderr);
    let there = machine.read(&format!("{}{kept}/data/media/two", into(&run)))?;
    assert_eq!(there, "linked");
    machine.sh("pack=$(cat /root/which); chmod u+w $pack; cat /root/pack > $pack")?.success()?;
    done(backup(&machine, &["verify", "--all", "--target", "local", "--text"])?);

    // A clock that was set back: nothing is lost, neither by a run nor by what is past its time then.
    let sets = whole("wiki")?;
    machine.sh("faketime -f '@2020-01-01 03:00:00' pq-backup run wiki --quiet")?.success()?;
    assert_eq!(whole("wiki")?, sets + 1);
    let look = machine.sh("faketime -f '@2020-01-01 03:00:00' pq-backup forget --check --text")?;
    let kept_all = look.stdout.lines().all(|line| line.ends_with(" stay, 0 would go"));
    assert!(look.code == 0 && kept_all, "{}: {}{}", look.code, look.stdout, look.stderr);
    done(backup(&machine, &["run", "wiki", "--text"])?);

    // A disk that is full while it is written to: clear, nothing that counts, and the next one works.
    machine
        .run([
            "bash",
            "-euc",
            "mkdir -p /mnt/small; mount -t tmpfs -o size=4m tmpfs /mnt/small; sed -i.old 's,url: /srv/paquerette/backups/restic,url: /mnt/small/restic,' /etc/paquerette/backup.yml",
        ])?
        .success()?;
    let full = backup(&machine, &["run", "wiki"])?;
    assert_eq!(full.code, 1, "{}{}", full.stdout, full.stderr);
    assert!(full.stderr.contains("no room") || full.stderr.contains("no space left"), "{}", full.stderr);
    machine.sh("mount -o remount,size=200m /mnt/small")?.success()?;
    done(backup(&machine, &["run", "wiki", "--text"])?);
    machine
        .sh("umount /mnt/small; mv /etc/paquerette/backup.yml.old /etc/paquerette/backup.yml")?
        .success()?;
    Ok(())
}

/// What the machine's instances and people have, which a rebuilt one must have too.
const HAVE: &str = r#"
    for id in wiki dav blog docs; do
        code=$(curl -sS -o /root/page -w '%{http_code}' --max-time 60 -L --resolve '*:443:127.0.0.1' --cacert /etc/paquerette/ca/ca.pem https://$id.demo.test/)
        echo "$id $code $(grep -o '<title>[^<]*' /root/page | head -1)"
    done
    mariadb -BN blog -e 'SELECT COUNT(*), SUM(n), MD5(GROUP_CONCAT(words ORDER BY n)) FROM proof; SELECT COUNT(*) FROM wp_options WHERE option_name = "siteurl"'
    cd /; runuser -u postgres -- psql -At -d docs -c "SELECT count(*), sum(n), md5(string_agg(words, ',' ORDER BY n)) FROM proof"
    cat /home/claire/letter /root/notes; crontab -l; stat -c '%U %a' /home/claire/letter
"#;

#[test]
fn a_machine_that_is_gone_is_built_again_from_what_is_kept_elsewhere() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let gone = machine(&lab, "gone")?;
    gone.sh(
        "useradd -m -u 2345 claire; echo 'a letter' > /home/claire/letter; chown claire: /home/claire/letter; echo notes > /root/notes
         echo '17 4 * * * true' | crontab -",
    )?
    .success()?;
    let data = "/srv/paquerette/www/wiki/kept/data";
    let have = gone.run(["bash", "-uc", HAVE])?.success()?.stdout;
    done(backup(&gone, &["run", "--quiet"])?);
    done(backup(&gone, &["copy", "--quiet"])?);
    let pages = tree(&gone, data)?;
    let (inventory, secrets) = (gone.read(HOST)?, gone.read(IDENTITY)?);
    // The kit, of which the machine keeps nothing.
    gone.sh(
        "pq-secret keygen -o /root/paper.txt >/dev/null
         printf 'recovery_recipients: [%s]\n' $(grep -o 'age1[a-z0-9]*' /root/paper.txt) >> /etc/paquerette/backup.yml
         pq-backup recovery-kit --into /root --quiet",
    )?
    .success()?;
    let (kit, paper) = (gone.read("/root/recovery-kit-gone.txt")?, gone.read("/root/paper.txt")?);
    // Its plans hold no secret: whoever reads them all finds none that the inventory has.
    let plans = gone
        .sh("cat /var/lib/paquerette/plans/*.ndjson; stat -c %a /var/lib/paquerette/plans/*.ndjson")?
        .success()?
        .stdout;
    for name in ["demo/dav/user_alice", "demo/blog/admin"] {
        let value = shown(&gone, name)?;
        assert!(!plans.contains(&value), "a plan that is kept has the value of {name}");
    }
    assert!(
        plans.lines().rev().take(6).all(|mode| mode == "600"),
        "{}",
        plans.lines().last().unwrap_or_default()
    );

    // Nothing is left of it but its copy elsewhere, the page, and what people keep: there is no inventory, and its name is another.
    let new = bare(&lab, "anew")?;
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(gone.root().join("mnt/away"))
        .arg(new.root().join("mnt/"))
        .status();
    assert!(copied.is_ok_and(|it| it.success()));
    drop(gone);
    new.write("/root/kit.txt", kit)?;
    new.write("/root/paper.txt", paper)?;
    new.write("/root/secrets.txt", secrets)?;
    new.write(
        "/root/restic.bz2",
        fs::read(lab.sources().join("github.com/restic/restic/restic.bz2")).unwrap_or_default(),
    )?;
    new.sh("apt-get install -y -qq bzip2 >/dev/null; bunzip2 < /root/restic.bz2 > /usr/bin/restic; chmod 755 /usr/bin/restic")?.success()?;
    // Other numbers are taken here than there.
    new.sh("for n in 1 2 3; do useradd -r other$n; done; useradd -m -u 2345 claire")?.success()?;

    let begun = std::time::Instant::now();
    let line = "pq-backup rebuild --kit /root/kit.txt --identity /root/paper.txt --plan-identity /root/secrets.txt --as gone --text < /dev/null";
    let running = new.command(["bash", "-c", line]).start()?;
    std::thread::sleep(std::time::Duration::from_secs(40));
    new.sh("pkill -KILL -x pq-backup")?;
    let killed = running.wait()?;
    eprintln!("backup: rebuild: killed after 40 s: {}", killed.code);
    let run = new.run(["bash", "-c", line])?;
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    eprintln!("backup: rebuild: {} s, with the 40 s until it was killed", begun.elapsed().as_secs());
    new.sh("apt-get install -y -qq curl acl attr >/dev/null")?.success()?;
    assert_eq!(new.run(["bash", "-uc", HAVE])?.success()?.stdout, have, "{}{}", run.stdout, run.stderr);
    assert_eq!(tree(&new, data)?, pages);
    assert_eq!(new.sh("hostname")?.text(), "gone");
    // The inventory is found again, and wants nothing else.
    demo_inventory(&lab, &new)?;
    new.write(HOST, inventory)?;
    crate::world::nothing_left(&new)?;
    // It goes on with its backups.
    done(backup(&new, &["run", "blog", "docs", "--quiet"])?);
    done(backup(&new, &["copy", "--quiet"])?);
    done(backup(&new, &["rehearse", "blog", "--quiet"])?);
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
