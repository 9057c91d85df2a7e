//! A machine keeps another's repository: it comes over a line that gives that and nothing else, and whoever takes the other one over cannot
//! take it away.

use pq_testkit::lab::{self, Machine, Result};

use crate::backup::{backup, into};
use crate::backup_kill::{now, seen, sets, small, write};
use crate::world::{HOST, done};

/// What somebody with the root of a machine does to its repository.
const ATTACK: &str = r#"
    cd /srv/backups/restic; rm -rf snapshots/* locks/*
    packs=(data/*/*); rm "${packs[0]}"; : > "${packs[1]}"; for it in "${packs[@]:2}"; do head -c "$(stat -c %s "$it")" /dev/urandom > "$it.n"; mv "$it.n" "$it"; done
    echo overwritten > config; echo evil > data/evil; mkdir -p data/00; ln -s /etc/shadow data/00/$(printf '00%.0s' $(seq 32))
    for n in 1 2 3; do head -c 5000 /dev/urandom > index/$(printf '%064d' $n); done; echo '{}' > snapshots/$(printf '%064d' 9); rm -f keys/*
"#;

/// Lets the keeper read the machine's repository, as the plan lays it out.
fn plan(machine: &Machine, vars: &str, only: &str) -> Result<()> {
    machine.write(HOST, vars)?;
    let pipe = format!(
        "cd /root/paquerette && export PQ_IDENTITY=inventory/demo-identity.txt && pq-inventory demo | pq-server | pq-apply --text --only 'server/{only}'"
    );
    let run = machine.run(["bash", "-c", &pipe])?;
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    Ok(())
}

#[test]
fn who_has_taken_a_machine_over_cannot_take_away_what_its_peer_keeps() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let (machine, keeper) = (small(&lab, "fltprod")?, small(&lab, "fltkeep")?);
    machine.sh("systemctl start ssh")?.success()?;
    let host_key =
        machine.sh("cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub")?.success()?.text().to_owned();

    // The key is made on the keeper, and its public half is all that leaves it.
    plan(
        &keeper,
        &format!(
            "os: debian-12\nbackup_jobs: true\nbackup_peers: [{{ name: prod, host: {}, host_key: \"{host_key}\" }}]\n",
            machine.ip()
        ),
        "backup-*peer*",
    )?;
    let public = keeper.read("/etc/paquerette/peer.key.pub")?;
    let modes =
        keeper.sh("stat -c '%U %a' /etc/paquerette/peer.key; cat /etc/cron.d/paquerette-backup-peer")?;
    assert!(
        modes.stdout.starts_with("root 600\n") && modes.stdout.contains("pq-backup peer --quiet"),
        "{}",
        modes.stdout
    );
    keeper.sh(&format!(
        "printf 'peers: {{ directory: /srv/backups/peers, key_file: /etc/paquerette/peer.key, keep: 30d, of: [{{ name: prod, host: {}, host_key: {host_key} }}] }}\\n' >> /etc/paquerette/backup.yml",
        machine.ip()
    ))?
    .success()?;

    // Before the machine names it, it is not let in; and the machine has nothing yet.
    let refused = backup(&keeper, &["peer", "--text"])?;
    assert!(refused.code == 1 && refused.stderr.contains("backup_peer_keys"), "{}", refused.stderr);
    plan(
        &machine,
        &format!("os: debian-12\nbackup_jobs: true\nbackup_peer_keys: [\"{}\"]\n", public.trim()),
        "backup-peer*",
    )?;
    let empty = done(backup(&keeper, &["peer", "--text"])?);
    assert!(empty.stderr.contains("has no repository yet"), "{}", empty.stderr);

    // Two backups; what would come is said, and then it comes.
    for number in [4, 9] {
        write(&machine, number)?;
        done(backup(&machine, &["run", "--quiet"])?);
    }
    let (kept, saw) = (sets(&machine, "local")?, now(&machine)?);
    let look = backup(&keeper, &["peer", "--check", "--text"])?;
    assert!(look.code == 3 && look.stdout.contains("would come"), "{}{}", look.stdout, look.stderr);
    assert_eq!(keeper.sh("ls /srv/backups/peers/prod/snapshots 2>/dev/null | wc -l")?.text(), "0");
    done(backup(&keeper, &["peer", "--text"])?);
    let nothing = done(backup(&keeper, &["peer", "--text"])?).stdout;
    assert!(nothing.contains("prod: 0 files came"), "{nothing}");
    assert!(
        keeper.sh("ls /srv/backups/peers/prod/locks | wc -l; ls /srv/backups/peers | wc -l")?.text()
            == "0\n1"
    );

    only_the_repository(&machine, &keeper)?;
    forgotten(&machine, &keeper)?;

    machine.run(["bash", "-uc", ATTACK, "attack"])?.success()?;
    let attacked = backup(&keeper, &["peer", "--text"])?;
    assert_eq!(attacked.code, 1, "{}{}", attacked.stdout, attacked.stderr);
    for words in [
        "lost what no repository loses by itself",
        "backups are gone",
        "no key of it is left",
        "were changed",
        "are not what their names say: 4",
        "pq-backup peer --accept prod",
    ] {
        assert!(attacked.stderr.contains(words), "{words}: {}", attacked.stderr);
    }
    let status = backup(&keeper, &["status", "--text"])?;
    assert!(
        status.code == 3 && status.stdout.contains("peer prod: ") && status.stdout.contains("lost something"),
        "{}",
        status.stdout
    );
    // It goes on being told, also where the machine has nothing left at all.
    machine.sh("rm -rf /srv/backups/restic")?.success()?;
    let gone = backup(&keeper, &["peer", "--text"])?;
    assert!(gone.code == 1 && gone.stderr.contains("there is no repository any more"), "{}", gone.stderr);

    // The machine is lost: what the keeper has, and the machine's password, are enough.
    let key = machine.read("/etc/paquerette/backup.key")?;
    drop(machine);
    keeper.write("/root/key", key)?;
    keeper.sh("chmod 600 /root/key; cp /etc/paquerette/backup.yml /root/backup.yml")?.success()?;
    let check = keeper.sh("restic -r /srv/backups/peers/prod -p /root/key check --read-data")?;
    assert_eq!(check.code, 0, "{}{}", check.stdout, check.stderr);
    keeper.sh("sed -i 's,url: /srv/backups/restic\\, password_file: /etc/paquerette/backup.key,url: /srv/backups/peers/prod\\, password_file: /root/key,' /etc/paquerette/backup.yml")?.success()?;
    let last = kept.last().map(String::as_str).unwrap_or_default();
    let restored = into(&done(backup(&keeper, &["restore", "data", "--at", last, "--text"])?));
    let is = seen(
        &keeper,
        &format!("{restored}/srv/data"),
        &format!("{restored}/databases/sqlite-srv-data-base.sqlite.sql"),
    )?;
    assert_eq!(is, saw);
    keeper.sh("mv /root/backup.yml /etc/paquerette/backup.yml")?.success()?;
    done(backup(&keeper, &["peer", "prod", "--accept"])?);
    let status = backup(&keeper, &["status", "--text"])?;
    assert!(!status.stdout.contains("lost something"), "{}", status.stdout);
    Ok(())
}

/// The key opens nothing else: no command, no other file, no way through.
fn only_the_repository(machine: &Machine, keeper: &Machine) -> Result<()> {
    let host_key =
        machine.sh("cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub")?.success()?.text().to_owned();
    keeper.write("/root/known", format!("{} {host_key}\n", machine.ip()))?;
    let ssh = format!(
        "ssh -F none -o BatchMode=yes -o UserKnownHostsFile=/root/known -i /etc/paquerette/peer.key backup-peer@{}",
        machine.ip()
    );
    for (words, input) in [
        ("cat /etc/shadow", ""),
        ("", "get ../../etc/shadow"),
        ("", "get config/../../../../etc/shadow"),
        ("id; sudo sh", "id"),
    ] {
        let tried = keeper.sh(&format!("echo '{input}' | {ssh} '{words}'"))?;
        assert!(
            !tried.stdout.contains("root") && !tried.stdout.contains("uid"),
            "{words} {input}: {}",
            tried.stdout
        );
    }
    let through = keeper.sh(&format!("timeout 5 {ssh} -N -L 9999:127.0.0.1:22 & sleep 1; timeout 2 bash -c 'exec 3<>/dev/tcp/127.0.0.1/9999; head -c 4 <&3'"))?;
    assert!(!through.stdout.contains("SSH"), "{}", through.stdout);
    let own = machine.sh(
        "runuser -u backup-peer -- cat /srv/backups/restic/config; runuser -u backup-peer -- sudo -n id",
    )?;
    assert!(own.code != 0 && !own.stdout.contains("uid"), "{}", own.stdout);
    Ok(())
}

/// What the machine forgets by itself is no loss, and stays on the keeper until it has not been there for long.
fn forgotten(machine: &Machine, keeper: &Machine) -> Result<()> {
    let packs = "ls /srv/backups/peers/prod/snapshots | wc -l";
    let before = keeper.sh(packs)?.text().to_owned();
    for number in [11, 12] {
        write(machine, number)?;
        done(backup(machine, &["run", "--quiet"])?);
    }
    done(backup(keeper, &["peer", "--quiet"])?);
    machine.sh("restic=/usr/local/bin/restic; export RESTIC_REPOSITORY=/srv/backups/restic RESTIC_PASSWORD_FILE=/etc/paquerette/backup.key
        set=$($restic snapshots --json | grep -o '\"set:[^\"]*\"' | tail -1 | tr -d '\"'); $restic forget --tag \"$set\" --unsafe-allow-remove-all --prune >/dev/null")?.success()?;
    let run = done(backup(keeper, &["peer", "--text"])?).stdout;
    assert!(run.contains("that it has no more stay here"), "{run}");
    let kept = keeper.sh(packs)?.text().to_owned();
    assert!(kept.parse::<u32>().unwrap_or(0) > before.parse::<u32>().unwrap_or(u32::MAX), "{before} {kept}");
    // Long after, once the machine has gone on, it goes here too.
    let ledger = "/var/lib/paquerette/backup/peers/prod.json";
    keeper.sh(&format!("cp {ledger} /root/ledger; sed -i '/\"missing\"/,/}}/s/\"20[0-9T:-]*Z\"/\"2020-01-01T00:00:00Z\"/' {ledger}"))?.success()?;
    let run = done(backup(keeper, &["peer", "--text"])?).stdout;
    assert!(run.contains("that it has not had for long went"), "{run}");
    let check = keeper.sh("ls /srv/backups/peers/prod/snapshots | wc -l")?;
    assert!(check.text().parse::<u32>().unwrap_or(99) < kept.parse::<u32>().unwrap_or(0), "{}", check.text());
    Ok(())
}
