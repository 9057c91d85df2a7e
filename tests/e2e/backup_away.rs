//! What others keep for a machine: somebody who has taken the machine over cannot take that away; and what a recovery kit opens where nothing
//! else is left.

use pq_testkit::lab::{self, Image, Lab, Machine, Result, Suite};

use crate::backup::{backup, into};
use crate::backup_kill::{now, restored, sets, small, write};
use crate::world::{done, install};

/// A machine that keeps backups of others: Debian's own rest-server, which only takes.
fn keeper(lab: &Lab) -> Result<Machine> {
    let image = lab.snapshot_or("restserver", &Image::Base(Suite::Trixie), "1", |machine| {
        machine.sh("apt-get update -qq && apt-get install -y -qq restic restic-rest-server >/dev/null; systemctl disable --now restic-rest-server 2>/dev/null || true")?.success()?;
        Ok(())
    })?;
    let machine = lab.boot("keeper", &image)?;
    machine
        .sh(
            "mkdir -p /srv/kept; systemd-run -q --unit keeper $(command -v restic-rest-server rest-server | head -1) --append-only --no-auth --path /srv/kept --listen :8000
             for i in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/8000) 2>/dev/null && break; sleep 0.1; done",
        )?
        .success()?;
    Ok(machine)
}

/// What somebody with the root of a machine does to its backups elsewhere, with what they find on it.
const ATTACK: &str = r#"
    export RESTIC_REPOSITORY=$1 RESTIC_PASSWORD_FILE=/etc/paquerette/backup.key
    restic=/usr/local/bin/restic
    for id in $($restic snapshots --json | grep -o '"short_id":"[0-9a-f]*"' | cut -d'"' -f4); do $restic forget $id && echo "forgot $id"; done
    $restic forget --keep-last 1 --prune && echo pruned
    $restic prune --max-unused 0 && echo pruned
    $restic key remove $($restic key list --json | grep -o '"id":"[0-9a-f]*"' | cut -d'"' -f4 | head -1) && echo removed a key
    url=${1#rest:}
    for kind in data index keys snapshots; do
        for name in $(curl -s -H 'Accept: application/vnd.x.restic.rest.v2' $url$kind/ | grep -o '"name":"[0-9a-f]*"' | cut -d'"' -f4); do
            curl -s -o /dev/null -w "DELETE $kind %{http_code}\n" -X DELETE $url$kind/$name
            curl -s -o /dev/null -w "POST $kind %{http_code}\n" -X POST --data-binary overwritten $url$kind/$name
        done
    done
    curl -s -o /dev/null -w "DELETE config %{http_code}\n" -X DELETE ${url}config
    curl -s -o /dev/null -w "DELETE all %{http_code}\n" -X DELETE $url
    true
"#;

/// Whatever stands in the command line of a process that lives for more than a moment.
const ARGV: &str = "while :; do cat /proc/[0-9]*/cmdline; sleep 0.02; done >/root/argv 2>/dev/null";

/// Cuts the network of a keeper for some seconds once much, and not all, has come; says how many MB had.
const CUT: &str = r#"
    has() { du -sm /srv/kept/takenover/data | cut -f1; }
    dev=$(ip -o -4 addr | awk '/ 10\.77\./ { print $2; exit }')
    before=$(has); for i in $(seq 2000); do [ $(has) -gt $((before + 30)) ] && break; sleep 0.01; done
    ip link set "$dev" down; echo $(($(has) - before)); sleep 5; ip link set "$dev" up
"#;

#[test]
fn who_has_taken_a_machine_over_cannot_take_its_backups_away() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let keeper = keeper(&lab)?;
    let machine = small(&lab, "takenover")?;
    let url = format!("rest:http://{}:8000/takenover/", keeper.ip());
    machine
        .sh(&format!(
            "sed -i 's,url: /mnt/away,append_only: true\\, url: \"{url}\",' /etc/paquerette/backup.yml"
        ))?
        .success()?;
    write(&machine, 7)?;
    let watch = machine.command(["sh", "-c", ARGV]).start()?;
    done(backup(&machine, &["run", "--quiet"])?);
    done(backup(&machine, &["copy", "--quiet"])?);
    watch.kill();
    watch.wait()?;
    let told = machine
        .sh("tr '\\0' ' ' </root/argv; journalctl -q --no-pager; cat /var/lib/paquerette/backup/*")?
        .stdout;
    assert!(told.contains("restic backup") || told.contains(" backup "), "the watch saw nothing: {told}");
    assert!(!told.contains("a password of a test"), "a password was shown");
    let (kept, saw) = (sets(&machine, "away")?, now(&machine)?);
    assert_eq!(kept.len(), 1);

    // Our own tools do not try.
    let refused = backup(&machine, &["forget", "--target", "away"])?;
    assert!(refused.code == 1 && refused.stderr.contains("only takes"), "{}", refused.stderr);

    // Whoever has root has the password too, and everything that is here.
    let attack = machine.run(["bash", "-uc", ATTACK, "attack", &url])?;
    eprintln!("{}", attack.stdout);
    // restic itself does not say that nothing was deleted: the server does, and what is there afterwards.
    assert!(!attack.stdout.contains(" 200"), "{}{}", attack.stdout, attack.stderr);
    for kind in ["data", "index", "keys", "snapshots", "config"] {
        assert!(attack.stdout.contains(&format!("DELETE {kind} 403")), "{kind}: {}", attack.stdout);
    }

    // A network that is cut in mid-copy: nothing half-way counts, and once it is back all of it comes.
    machine.sh("head -c 200000000 /dev/urandom > /srv/data/large")?.success()?;
    done(backup(&machine, &["run", "--quiet"])?);
    let (large, held) = (now(&machine)?, sets(&machine, "local")?);
    let copy = machine.command(["pq-backup", "copy", "--quiet"]).start()?;
    let cut = keeper.run(["bash", "-euc", CUT])?.success()?.text().to_owned();
    let there = sets(&machine, "away")?;
    assert!(
        kept.iter().all(|it| there.contains(it)) && there.iter().all(|it| held.contains(it)),
        "{there:?}"
    );
    let ended = copy.wait()?;
    eprintln!("backup: cut after {cut} MB, the copy ended with {}: {}", ended.code, ended.stderr);
    assert!(ended.code == 0 || ended.stderr.contains("away"), "{}", ended.stderr);
    done(backup(&machine, &["copy", "--quiet"])?);
    assert_eq!(sets(&machine, "away")?, held);
    assert_eq!(restored(&machine, "away", held.last().unwrap_or(&String::new()))?, large);
    machine.sh("rm -rf /srv/backups /srv/data/*")?.success()?;

    // What was there is there, and is what it was; new ones may come, old ones do not go.
    assert_eq!(sets(&machine, "away")?, held);
    assert_eq!(restored(&machine, "away", &kept[0])?, saw);
    Ok(())
}

#[test]
fn a_recovery_kit_opens_what_is_left_where_nothing_else_is() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = small(&lab, "lost")?;
    write(&machine, 3)?;
    let nobody = backup(&machine, &["recovery-kit"])?;
    assert!(
        nobody.code == 1
            && nobody.stderr.contains("sealed for nobody")
            && nobody.stderr.contains("pq-secret keygen"),
        "{}",
        nobody.stderr
    );
    // An identity that is made elsewhere: only its recipient comes here.
    machine.sh("mkdir -p /root/paper && pq-secret keygen -o /root/paper/recovery.txt >/dev/null && grep -o 'age1[a-z0-9]*' /root/paper/recovery.txt > /root/recipient")?.success()?;
    machine
        .sh("printf 'recovery_recipients: [%s]\\n' $(cat /root/recipient) >> /etc/paquerette/backup.yml")?
        .success()?;
    done(backup(&machine, &["run", "--quiet"])?);
    done(backup(&machine, &["copy", "--quiet"])?);
    let saw = now(&machine)?;
    done(backup(&machine, &["recovery-kit", "--into", "/srv/backups"])?);
    let first = machine.read("/srv/backups/recovery-kit-lost.txt")?;
    done(backup(&machine, &["recovery-kit", "--into", "/srv/backups"])?);
    let page = machine.read("/srv/backups/recovery-kit-lost.txt")?;
    let key = machine.read("/etc/paquerette/backup.key")?;
    assert!(
        !page.contains(key.trim()) && page.contains("restic snapshots") && page.contains("/mnt/away"),
        "{page}"
    );
    assert!(machine.read("/srv/backups/recovery-kit-lost.html")?.contains("BEGIN AGE ENCRYPTED FILE"));
    let identity = machine.read("/root/paper/recovery.txt")?;
    let away = machine.sh("tar c -C /mnt away | base64 -w0")?.success()?.stdout;
    drop(machine);

    // Another machine, with the copy that was elsewhere, the page and the paper.
    let bare = small(&lab, "found")?;
    install(&bare)?;
    bare.sh("rm -rf /etc/paquerette /var/lib/paquerette; ln -s /usr/local/bin/restic /usr/bin/restic")?
        .success()?;
    bare.command(["bash", "-c", "base64 -d | tar x -C /mnt"]).stdin(away).output()?.success()?;
    bare.write("/root/kit.txt", page)?;
    bare.write("/root/recovery.txt", identity)?;
    bare.write("/root/first.txt", first)?;
    let kit = ["--kit", "/root/kit.txt", "--identity", "/root/recovery.txt", "--target", "away", "--text"];
    let listed = done(backup(&bare, &[&["list"][..], &kit].concat())?).stdout;
    assert!(listed.contains("data "), "{listed}");
    let run = done(backup(&bare, &[&["restore", "data", "--into", "/srv/restored"][..], &kit].concat())?);
    assert_eq!(into(&run), "/srv/restored");
    let is = crate::backup_kill::seen(
        &bare,
        "/srv/restored/srv/data",
        "/srv/restored/databases/sqlite-srv-data-base.sqlite.sql",
    )?;
    assert_eq!(is, saw);
    // The kit before it opens nothing any more, and another identity opens none.
    let old = backup(
        &bare,
        &["list", "--kit", "/root/first.txt", "--identity", "/root/recovery.txt", "--target", "away"],
    )?;
    assert!(old.code == 1 && old.stderr.contains("opens no key of it"), "{}{}", old.stdout, old.stderr);
    bare.sh("pq-secret keygen -o /root/other.txt >/dev/null")?.success()?;
    let other = backup(&bare, &["list", "--kit", "/root/kit.txt", "--identity", "/root/other.txt"])?;
    assert!(other.code == 2 && other.stderr.contains("/root/kit.txt"), "{}{}", other.stdout, other.stderr);
    // Without our tools, as the page says.
    let by_hand = bare.sh(
        "sed -n '/BEGIN AGE/,/END AGE/p' /root/kit.txt > kit.age; apt-get install -y -qq age jq >/dev/null 2>&1
         age -d -i /root/recovery.txt kit.age > kit.json
         export RESTIC_REPOSITORY=/mnt/away RESTIC_PASSWORD=$(jq -r '.repositories[] | select(.name == \"away\") | .password' kit.json)
         id=$(restic snapshots --tag item:data,part:files --json | jq -r '.[-1].id'); restic restore $id --target /srv/hand >/dev/null && ls /srv/hand/srv/data/grows",
    )?;
    assert_eq!(by_hand.code, 0, "{}{}", by_hand.stdout, by_hand.stderr);
    Ok(())
}
