//! Two instances of one application on one machine: what one may not see of the other, what is not its own to take, how one is closed,
//! and how it goes without a trace.

use pq_testkit::lab::{self, Machine, Output, Result};

use crate::apps::{counter, visits};
use crate::world::{HOST, PIPE, bare, demo_inventory, done, nothing_left, pipe};

/// The inventory's machine, with these instances.
fn instances(machine: &Machine, archive: &str, instances: &[(&str, &str)]) -> Result<()> {
    let mut text =
        "os: debian-12\nmemory_mb: 2048\nsource_mirror: http://127.0.0.1:8087\ninstances:\n".to_owned();
    for (id, more) in instances {
        text += &format!(
            "  - {{ app: php, id: {id}, domain: {id}.demo.test, database: mariadb, {archive} {more} }}\n"
        );
    }
    if instances.is_empty() {
        text += "  []\n";
    }
    machine.write(HOST, text)
}

/// `pq-instance` with these words, at the end of a pipe.
pub fn pq_instance(machine: &Machine, words: &str) -> Result<Output> {
    let line = format!(
        "{} {words} --text",
        PIPE.rsplit_once(" | pq-server").map_or(PIPE, |(pipe, _)| pipe).to_owned() + " | pq-instance"
    );
    machine.run(["bash", "-c", &line])
}

/// Visits an instance, which must have had more visits than before; how many it has had now.
fn more(machine: &Machine, id: &str, before: Option<u64>) -> Result<Option<u64>> {
    let now = visits(machine, id)?;
    assert!(now.is_some() && now > before, "{id}: {now:?} after {before:?}");
    Ok(now)
}

/// What a look that knows no ledger finds of an instance: files, accounts, databases.
pub fn traces(machine: &Machine, id: &str) -> Result<String> {
    let script = format!(
        "find / -xdev \\( -path /proc -o -path /sys -o -path /root -o -path /var/lib/paquerette -o -path /run/udev -o -path /usr \\) -prune -o \
           \\( -nouser -o -nogroup -o -name {id} -o -name '{id}.*' -o -name 'pq-{id}[.-]*' \\) -print
         grep -rl {id}.demo.test /etc || true
         getent passwd {id} || true; getent group {id} || true
         systemctl list-units --all --plain --no-legend 'pq-{id}*'
         ! command -v mariadb >/dev/null || mariadb -BNe \"SHOW DATABASES LIKE '{id}'; SELECT user FROM mysql.user WHERE user = '{id}'\"
         ! command -v psql >/dev/null || runuser -u postgres -- psql -Atc \"SELECT datname FROM pg_database WHERE datname = '{id}' UNION ALL SELECT rolname FROM pg_roles WHERE rolname = '{id}'\""
    );
    Ok(machine.run(["bash", "-euc", &script])?.success()?.stdout)
}

#[test]
fn an_instance_keeps_to_itself_is_closed_and_goes_without_a_trace() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "instances")?;
    demo_inventory(&lab, &machine)?;
    let archive = counter(&machine, "")?;

    // What is there and is not its own is named before anything is touched.
    machine.sh("useradd shop; mkdir -p /srv/paquerette/www/shop/data; echo theirs > /srv/paquerette/www/shop/data/x")?.success()?;
    instances(&machine, &archive, &[("blog", ""), ("shop", "")])?;
    let refused = pipe(&machine, "pq-apply --text")?;
    assert_eq!(refused.code, 1, "{}{}", refused.stdout, refused.stderr);
    for named in
        ["`shop` would take what is not its own", "user `shop`", "directory `/srv/paquerette/www/shop`"]
    {
        assert!(
            refused.stderr.contains(named) || refused.stdout.contains(named),
            "{}{}",
            refused.stdout,
            refused.stderr
        );
    }
    let untouched = "test ! -e /etc/nginx && test ! -e /srv/paquerette/www/blog && ! getent passwd blog && cat /srv/paquerette/www/shop/data/x";
    assert_eq!(machine.sh(untouched)?.success()?.text(), "theirs");
    machine.sh("userdel shop; rm -r /srv/paquerette/www")?.success()?;

    // Both are installed; neither reads what is the other's.
    done(pipe(&machine, "pq-apply --text")?);
    machine.sh("apt-get install -y -qq curl >/dev/null")?.success()?;
    // The visits of a run, which asks for its health, count too.
    let mut blog = more(&machine, "blog", None)?;
    let mut shop = more(&machine, "shop", None)?;
    let tried = machine.sh(
        "echo secret > /srv/paquerette/www/shop/data/secret; chown shop: /srv/paquerette/www/shop/data/secret
         for what in 'cat /srv/paquerette/www/shop/data/secret' 'ls /srv/paquerette/www/shop/data' 'ls /srv/paquerette/www/shop/kept' 'ls /srv/paquerette/tmp/shop' \
             'mariadb shop -e SELECT+1' 'mariadb -u shop shop -e SELECT+1' 'ls /etc/paquerette/tls/shop' \
             'curl --unix-socket /run/php/shop.sock http://x/' 'cat /var/log/nginx/shop/access.log' 'ls /srv/paquerette/backups' \
             'cat /etc/paquerette/backup.d/shop.yml' 'cat /etc/paquerette/monitor.d/shop.yml' 'ls /etc/paquerette/backup.d' 'ls /etc/paquerette/monitor.d' 'kill -0 '$(pgrep -u shop | head -1); do
             runuser -u blog -- sh -c \"$(echo \"$what\" | tr + ' ')\" >/dev/null 2>&1 && echo \"blog can: $what\"
         done; true",
    )?;
    assert_eq!(tried.success()?.stdout, "");
    machine.sh("ls /etc/paquerette/backup.d/shop.yml /etc/paquerette/monitor.d/shop.yml")?.success()?;
    let read = machine.sh("cd /; runuser -u blog -- find /etc/paquerette /var/lib/paquerette -type f -readable 2>/dev/null; true")?;
    assert_eq!(read.stdout, "");
    machine.sh("runuser -u blog -- mariadb blog -e 'SELECT 1' >/dev/null")?.success()?;

    // Closed: nothing of it runs, everything is kept, and the other one does not notice.
    instances(&machine, &archive, &[("blog", ""), ("shop", "state: closed")])?;
    done(pipe(&machine, "pq-apply --text")?);
    // A process of the web server that is about to end may answer once more as it did.
    let answers = "sleep 1; curl -sS -o /dev/null -w '%{http_code}' --resolve '*:443:127.0.0.1' --cacert /etc/paquerette/ca/ca.pem https://shop.demo.test/";
    assert_eq!(machine.sh(answers)?.text(), "503");
    assert_eq!(machine.sh("ls /run/php/ | grep shop; pgrep -u shop; true")?.stdout, "");
    blog = more(&machine, "blog", blog)?;
    nothing_left(&machine)?;
    let refused = pq_instance(&machine, "remove shop --apply")?;
    assert_eq!(refused.code, 2, "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("the inventory lists it"), "{}", refused.stderr);
    instances(&machine, &archive, &[("blog", ""), ("shop", "")])?;
    done(pipe(&machine, "pq-apply --text")?);
    shop = more(&machine, "shop", shop)?;

    // Not listed any more: every look says so, and nothing goes by itself.
    instances(&machine, &archive, &[("blog", "")])?;
    let look = done(pipe(&machine, "pq-apply --check --text")?);
    assert!(
        look.stdout.contains("instance `shop`") && look.stdout.contains("pq-instance remove shop"),
        "{}",
        look.stdout
    );
    shop = more(&machine, "shop", shop)?;
    done(pq_instance(&machine, "remove shop --apply")?);
    let again = done(pq_instance(&machine, "remove shop --apply")?);
    assert!(again.stdout.contains(" 0 changed"), "{}", again.stdout);
    let kept = machine.sh("cat /srv/paquerette/www/shop/data/secret; ls /srv/paquerette/www/shop; mariadb -BNe 'SELECT COUNT(*) > 2 FROM shop.visitors'; ls /etc/nginx/sites-*")?;
    assert_eq!(
        kept.text().split_whitespace().take(3).collect::<Vec<_>>(),
        ["secret", "data", "1"],
        "{}",
        kept.stdout
    );
    assert!(!kept.stdout.contains("shop.conf"), "{}", kept.stdout);
    let look = done(pipe(&machine, "pq-apply --check --text")?);
    assert!(look.stdout.contains("removed but for its data"), "{}", look.stdout);

    // The same id gets its data back.
    instances(&machine, &archive, &[("blog", ""), ("shop", "")])?;
    done(pipe(&machine, "pq-apply --text")?);
    more(&machine, "shop", shop)?;
    instances(&machine, &archive, &[("blog", ""), ("shop", "state: absent")])?;
    done(pipe(&machine, "pq-apply --text")?);
    nothing_left(&machine)?;
    assert_ne!(traces(&machine, "shop")?, "");
    done(pq_instance(&machine, "remove shop --with-data --apply")?);
    assert_eq!(traces(&machine, "shop")?, "");
    more(&machine, "blog", blog)?;
    // What no step made is found all the same.
    machine.sh("echo '* * * * * root true' > /etc/cron.d/pq-shop-by-hand")?.success()?;
    let left = pq_instance(&machine, "remove shop --with-data --apply")?;
    assert_eq!(left.code, 1, "{}{}", left.stdout, left.stderr);
    assert!(left.stdout.contains("/etc/cron.d/pq-shop-by-hand"), "{}", left.stdout);
    machine.sh("rm /etc/cron.d/pq-shop-by-hand")?.success()?;

    // What is past its time goes when that is asked for, and nothing that the ledger does not know.
    for version in ["8", "9", "10"] {
        let archive = archive.replace("version: \"7\"", &format!("version: \"{version}\""));
        instances(&machine, &archive, &[("blog", "")])?;
        // without the step by which a version that is installed stays
        done(pipe(&machine, "grep -v '\"do\":\"installed\"' | pq-apply --text")?);
    }
    machine.sh("cd /srv/paquerette/www/blog/releases && mkdir .tmp-9.old by-hand .tmp-by-hand")?.success()?;
    let releases = || machine.sh("ls -A /srv/paquerette/www/blog/releases | tr '\\n' ' '");
    let before = releases()?.stdout;
    let look = pq_instance(&machine, "clean blog --check")?;
    assert_eq!(look.code, 3, "{}{}", look.stdout, look.stderr);
    for told in ["blog/releases/7", "old release, ", " KiB", "blog/releases/.tmp-9.old", "left over"] {
        assert!(look.stdout.contains(told), "{told}: {}", look.stdout);
    }
    assert_eq!(releases()?.stdout, before);
    done(pq_instance(&machine, "clean --apply")?);
    assert_eq!(releases()?.stdout, ".tmp-by-hand 10 8 9 by-hand ");
    let again = done(pq_instance(&machine, "clean blog --apply")?);
    assert!(again.stdout.contains(" 0 changed"), "{}", again.stdout);
    more(&machine, "blog", blog)?;
    nothing_left(&machine)
}
