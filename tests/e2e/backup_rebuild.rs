//! A machine that is gone is built again on a bare one, from what is kept elsewhere and a page of paper.

use std::fs;

use pq_testkit::lab::{self, Result};

use crate::backup::{backup, machine, tree};
use crate::world::{HOST, IDENTITY, bare, demo_inventory, done, shown};

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
