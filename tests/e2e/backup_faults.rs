//! What goes wrong with a backup is said, names its cure, and never passes for well; who is told of it.

use pq_testkit::lab::{self, Result};

use crate::backup::{backup, into, machine};
use crate::world::done;

/// A server of pages that notes what it is asked for, and one of mail, both of this machine; the strategy names them.
const TOLD: &str = r#"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postfix >/dev/null 2>&1
    postconf -e mydestination=localhost,backupfaults.demo.test inet_interfaces=loopback-only; systemctl restart postfix
    mkdir -p /root/pings/ping; touch /root/pings/ping/start /root/pings/ping/fail
    systemd-run -q --unit pings sh -c 'exec python3 -u -m http.server -d /root/pings -b 127.0.0.1 8099 2>/root/pinged'
    for i in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/8099) 2>/dev/null && break; sleep 0.1; done
    cp -p /etc/paquerette/backup.yml /etc/paquerette/backup.yml.old
    sed -i '/^alerts:/,$d' /etc/paquerette/backup.yml
    echo 'alerts: { mail: [root@backupfaults.demo.test], ping: "http://127.0.0.1:8099/ping" }' >>/etc/paquerette/backup.yml
"#;

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

    // Who is told: whoever serves a page that is asked for, and people, by mail, where something is wrong.
    machine.run(["bash", "-euc", TOLD])?.success()?;
    done(backup(&machine, &["run", "wiki", "--quiet"])?);
    machine.sh("mv /srv/paquerette/www/wiki/kept /srv/kept.away")?.success()?;
    let wrong = backup(&machine, &["run", "wiki", "--quiet"])?;
    machine.sh("mv /srv/kept.away /srv/paquerette/www/wiki/kept")?.success()?;
    let told = machine.sh("for i in $(seq 100); do test -s /var/mail/root && break; sleep 0.1; done; grep -o '\"GET /ping[a-z/]*' /root/pinged; cat /var/mail/root")?;
    assert_eq!(wrong.code, 1, "{}{}", wrong.stdout, wrong.stderr);
    assert!(
        told.stdout.starts_with(
            "\"GET /ping/start\n\"GET /ping\n\"GET /ping/\n\"GET /ping/start\n\"GET /ping/fail\n"
        ),
        "{}",
        told.stdout
    );
    assert_eq!(told.stdout.matches("\nSubject: ").count(), 1, "{}", told.stdout);
    assert!(told.stdout.contains("\nSubject: [backupfaults] backup failed: wiki\n"), "{}", told.stdout);
    assert!(told.stdout.contains("kept` of item `wiki` is not there"), "{}", told.stdout);
    bad(
        "systemctl stop pings",
        &["run", "wiki", "--quiet"],
        0,
        &["`http://127.0.0.1:8099` could not be told how backups go"],
        "mv /etc/paquerette/backup.yml.old /etc/paquerette/backup.yml",
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
