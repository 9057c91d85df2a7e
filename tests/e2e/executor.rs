//! What an execution does beyond its steps, on a real machine: one at a time, shutdown held up, shared configurations tried
//! out, hand edits kept, transactions undone at boot, owners removed.

use std::time::{Duration, Instant};

use pq_testkit::lab::{self, Image, Lab, Machine, Result, Suite};

use crate::world::{apply, bare, install, spawn_apply};

/// A plan of these steps, each without its type and host.
fn plan(steps: &[&str]) -> String {
    let head = r#"{"type":"run","format":1,"inventory":"/nowhere","digest":"0","time":"2026-11-23T00:00:00Z"}
{"type":"host","host":"m","groups":["all"],"connection":{"kind":"local"},"os":"debian-12","instances":[],"vars":{}}"#;
    let lines: String =
        steps.iter().map(|step| format!("{{\"type\":\"step\",\"host\":\"m\",{step}}}\n")).collect();
    format!("{head}\n{lines}{{\"type\":\"end\",\"hosts\":1,\"status\":0}}\n")
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !is_so()? {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

const SLOW: &str = r#""id":"one/work","title":"work","do":"command","argv":["sh","-c","touch /run/begun; while test ! -e /run/go; do sleep 0.05; done; touch /run/done"],"creates":"/run/done""#;

#[test]
fn of_ten_that_apply_at_once_one_works_and_nine_name_it_and_shutdown_waits() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "ten")?;
    let plan = plan(&[SLOW]);
    let running = (0..10).map(|_| spawn_apply(&machine, &plan)).collect::<Result<Vec<_>>>()?;
    wait_for("nine to give up", || Ok(running.iter().filter(|it| it.ended()).count() == 9))?;
    let status = apply(&machine, &crate::executor::plan(&[]), &["--status", "--text"])?;
    assert!(
        status.code == 0 && status.stdout.contains("at work      `pq-apply`, process "),
        "{}",
        status.stdout
    );
    assert!(!status.stdout.contains("unfinished"), "{}", status.stdout);
    let held = machine.run(["systemd-inhibit", "--list", "--no-pager"])?;
    let line = held.stdout.lines().find(|line| line.contains("paquerette")).unwrap_or_default();
    assert!(line.contains("shutdown:sleep") && line.contains("block"), "{}{}", held.stdout, held.stderr);
    machine.sh("touch /run/go")?.success()?;
    let mut codes = Vec::new();
    for it in running {
        let ended = it.wait()?;
        if ended.code == 75 {
            assert!(
                ended.stderr.contains("this machine is being changed by `pq-apply`, process ")
                    && ended.stderr.contains(", since 20")
                    && ended.stderr.contains("nothing was touched"),
                "{}",
                ended.stderr
            );
        }
        codes.push(ended.code);
    }
    codes.sort_unstable();
    assert_eq!(codes, [0, 75, 75, 75, 75, 75, 75, 75, 75, 75]);
    let after = machine.run(["systemd-inhibit", "--list", "--no-pager"])?;
    assert!(!after.stdout.contains("paquerette"), "{}", after.stdout);
    Ok(())
}

/// A machine with nginx, which no plan has touched yet.
fn with_nginx(lab: &Lab, name: &str) -> Result<Machine> {
    let image = lab.snapshot_or("nginx", &Image::Base(Suite::Bookworm), "1", |machine| {
        machine.sh("apt-get update -qq && apt-get install -y -qq nginx-light >/dev/null")?.success()?;
        Ok(())
    })?;
    let machine = lab.boot(name, &image)?;
    install(&machine)?;
    Ok(machine)
}

fn site(owner: &str, body: &str) -> [String; 2] {
    let file = format!(
        "\"id\":\"{owner}/site\",\"title\":\"site\",\"do\":\"file\",\"path\":\"/etc/nginx/sites-available/{owner}\",\
         \"content\":\"server {{ listen 127.0.0.1:80; server_name {owner}.test; {body} }}\\n\""
    );
    let link = format!(
        "\"id\":\"{owner}/enabled\",\"title\":\"site\",\"do\":\"symlink\",\"path\":\"/etc/nginx/sites-enabled/{owner}\",\
         \"target\":\"../sites-available/{owner}\""
    );
    [file, link]
}

const READS: &str = r#""unit":"nginx.service","reads":["/etc/nginx/nginx.conf","/etc/nginx/conf.d/*","/etc/nginx/sites-enabled/*"],"after":"files""#;

/// Two sites and the service that they share.
fn sites(a: &str, b: &str) -> String {
    let service =
        format!("\"id\":\"platform/nginx/service\",\"title\":\"nginx runs\",\"do\":\"service\",{READS}");
    let reload = format!(
        "\"id\":\"platform/nginx/reload\",\"title\":\"nginx is current\",\"do\":\"reload\",\
         \"test\":[\"nginx\",\"-t\",\"-q\"],{READS}"
    );
    let ([a, a_link], [b, b_link]) = (site("a", a), site("b", b));
    plan(&[&a, &a_link, &b, &b_link, &service, &reload])
}

/// Whether a site answers so, or does soon: nginx begins to serve what it has read a moment after it says so.
fn answers(machine: &Machine, owner: &str, word: &str) -> Result<()> {
    wait_for(&format!("`{word}` of {owner}"), || Ok(answer(machine, owner)? == word))
}

fn answer(machine: &Machine, owner: &str) -> Result<String> {
    let script = format!(
        "exec 3<>/dev/tcp/127.0.0.1/80; printf 'GET / HTTP/1.0\\r\\nHost: {owner}.test\\r\\n\\r\\n' >&3; cat <&3"
    );
    let said = machine.run(["bash", "-c", &script])?.success()?.stdout;
    Ok(said.lines().last().unwrap_or_default().to_owned())
}

#[test]
fn a_configuration_that_nginx_refuses_never_gets_into_place() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = with_nginx(&lab, "staged")?;
    let one = |word: &str| format!("return 200 {word};");
    apply(&machine, &sites(&one("a1"), &one("b1")), &[])?.success()?;
    answers(&machine, "a", "a1")?;
    answers(&machine, "b", "b1")?;

    // One owner's site is refused, with file and line, and does not hold up the other's.
    let broken = apply(&machine, &sites("retrun 200 a2;", &one("b2")), &["--text"])?;
    assert_eq!(broken.code, 1, "{}{}", broken.stdout, broken.stderr);
    assert!(
        broken.stdout.contains("`nginx.service` refuses its new configuration")
            && broken.stdout.contains("unknown directive \"retrun\" in /etc/nginx/sites-enabled/a:1"),
        "{}",
        broken.stdout
    );
    answers(&machine, "b", "b2")?;
    assert_eq!(answer(&machine, "a")?, "a1");
    assert!(machine.read("/etc/nginx/sites-available/a")?.contains("a1"));
    machine.run(["nginx", "-t", "-q"])?.success()?;
    apply(&machine, &sites(&one("a2"), &one("b2")), &[])?.success()?;
    answers(&machine, "a", "a2")?;

    // What is broken before the run stops it, named, before anything is touched.
    machine.write("/etc/nginx/conf.d/hand.conf", "nonsense;\n")?;
    let before = machine.sh("find /etc /var/lib/paquerette -type f | xargs sha256sum | sort")?.stdout;
    let refused = apply(&machine, &sites(&one("a3"), &one("b3")), &["--text"])?;
    assert_eq!(refused.code, 1, "{}", refused.stdout);
    assert!(
        refused.stdout.contains("is broken already, before this run")
            && refused.stdout.contains("/etc/nginx/conf.d/hand.conf:1"),
        "{}",
        refused.stdout
    );
    let after = machine.sh("find /etc /var/lib/paquerette -type f | xargs sha256sum | sort")?.stdout;
    assert_eq!(after, before);
    machine.sh("rm /etc/nginx/conf.d/hand.conf")?.success()?;

    // A reload that fails for another reason: the old configuration comes back, and is loaded.
    machine.sh(
        "mkdir -p /etc/systemd/system/nginx.service.d &&
         printf '[Service]\\nExecReload=\\nExecReload=/bin/sh -c \"! grep -q a4 /etc/nginx/sites-enabled/a && nginx -s reload\"\\n' \
            >/etc/systemd/system/nginx.service.d/law.conf && systemctl daemon-reload",
    )?
    .success()?;
    let failed = apply(&machine, &sites(&one("a4"), &one("b2")), &["--text"])?;
    assert_eq!(failed.code, 1, "{}", failed.stdout);
    assert!(
        failed.stdout.contains("the old configuration is back, and `nginx.service` runs on it"),
        "{}",
        failed.stdout
    );
    assert!(machine.read("/etc/nginx/sites-available/a")?.contains("a2"));
    answers(&machine, "a", "a2")?;
    Ok(())
}

#[test]
fn a_file_that_somebody_edited_is_kept_until_it_is_decided() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "edited")?;
    let file = |content: &str| {
        plan(&[&format!(
            "\"id\":\"one/conf\",\"title\":\"conf\",\"do\":\"file\",\"path\":\"/etc/one.conf\",\"content\":\"{content}\\n\""
        )])
    };
    apply(&machine, &file("one"), &[])?.success()?;
    machine.sh("echo by hand >>/etc/one.conf")?.success()?;
    let check = apply(&machine, &file("one"), &["--check", "--text"])?;
    assert_eq!(check.code, 3, "{}", check.stdout);
    assert!(check.stdout.contains("-by hand") && check.stdout.contains("1 kept"), "{}", check.stdout);
    let kept = apply(&machine, &file("two"), &["--text"])?.success()?;
    assert!(kept.stdout.contains("what paquerette would write is in `/etc/one.conf.new`"), "{}", kept.stdout);
    assert_eq!(machine.read("/etc/one.conf")?, "one\nby hand\n");
    assert_eq!(machine.read("/etc/one.conf.new")?, "two\n");
    let typo = apply(&machine, &file("two"), &["--take", "ours", "/etc/on.conf"])?;
    assert_eq!(typo.code, 2);
    assert!(typo.stderr.contains("did you mean `/etc/one.conf`?"), "{}", typo.stderr);
    apply(&machine, &file("two"), &["--take", "theirs", "/etc/one.conf"])?.success()?;
    assert_eq!(apply(&machine, &file("two"), &["--check"])?.code, 0);
    assert_eq!(apply(&machine, &file("three"), &["--check"])?.code, 3);
    apply(&machine, &file("three"), &["--take", "ours", "/etc/one.conf"])?.success()?;
    assert_eq!(machine.read("/etc/one.conf")?, "three\n");
    assert_eq!(machine.run(["test", "-e", "/etc/one.conf.new"])?.code, 1);
    let old = machine.sh("grep -rl 'by hand' /var/lib/paquerette/undo")?.success()?.stdout;
    assert_eq!(old.lines().count(), 1, "{old}");
    // What a package brought is nobody's work.
    let login = r#""id":"one/login","title":"login.defs","do":"file","path":"/etc/login.defs","content":"MAIL_DIR /x\n""#;
    let first = apply(&machine, &plan(&[login]), &["--text"])?.success()?;
    assert!(first.stdout.contains("1 changed"), "{}", first.stdout);
    Ok(())
}

const UPGRADE: [&str; 3] = [
    r#""id":"one/conf","title":"conf","do":"file","path":"/etc/one.conf","content":"new\n""#,
    r#""id":"one/migrate","title":"migration","do":"command","argv":["sh","-c","touch /srv/migrated /run/begun; while test ! -e /run/go; do sleep 0.05; done; touch /srv/done"],"creates":"/srv/done""#,
    r#""id":"one/upgrade","title":"upgrade","do":"transaction","steps":["one/conf","one/migrate"],"maintenance":60,"rollback":[{"id":"one/back","title":"unmigrated","do":"absent","path":"/srv/migrated"},{"id":"one/back-done","title":"undone","do":"absent","path":"/srv/done"}]"#,
];

#[test]
fn a_transaction_that_a_power_cut_ends_is_undone_at_boot_or_gone_on_with() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut machine = bare(&lab, "power")?;
    let old = r#""id":"one/conf","title":"conf","do":"file","path":"/etc/one.conf","content":"old\n""#;
    apply(&machine, &plan(&[old]), &[])?.success()?;
    let upgrade = plan(&UPGRADE);
    let there = |machine: &Machine, path: &str| Ok(machine.run(["test", "-e", path])?.code == 0);

    // The power goes while it migrates: boot undoes it, and takes its own traces away.
    let running = spawn_apply(&machine, &upgrade)?;
    wait_for("the migration", || there(&machine, "/run/begun"))?;
    assert!(machine.read("/var/lib/paquerette/maintenance/one.json")?.contains("\"until\""));
    machine.kill()?;
    drop(running);
    machine.start()?;
    wait_for("the recovery", || Ok(!there(&machine, "/var/lib/paquerette/transactions/one+upgrade.json")?))?;
    wait_for("the end of the recovery", || Ok(!there(&machine, "/var/lib/paquerette/recover")?))?;
    assert_eq!(machine.read("/etc/one.conf")?, "old\n");
    assert!(!there(&machine, "/srv/migrated")?);
    assert!(!there(&machine, "/etc/systemd/system/paquerette-recover.service")?);
    assert!(!there(&machine, "/var/lib/paquerette/maintenance/one.json")?);

    // Killed, and the same plan again: it goes on. A check in between tells of it, and touches nothing.
    let running = spawn_apply(&machine, &upgrade)?;
    wait_for("the migration", || there(&machine, "/run/begun"))?;
    running.kill();
    running.wait()?;
    let check = apply(&machine, &upgrade, &["--check"])?;
    assert!(check.stderr.contains("transaction `one/upgrade`, begun 20"), "{}", check.stderr);
    machine.sh("touch /run/go")?.success()?;
    let rerun = apply(&machine, &upgrade, &[])?;
    assert_eq!(rerun.code, 0, "{}{}", rerun.stdout, rerun.stderr);
    assert_eq!(machine.read("/etc/one.conf")?, "new\n");
    assert!(there(&machine, "/srv/done")? && !there(&machine, "/var/lib/paquerette/recover")?);
    assert!(apply(&machine, &upgrade, &["--text"])?.stdout.contains(" 0 changed"));
    Ok(())
}

#[test]
fn an_interrupted_transaction_is_held_and_taken_back_by_name() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "held")?;
    let last = r#""id":"one/last","title":"last","do":"directory","path":"/srv/last""#;
    let upgrade = plan(&[
        UPGRADE[0],
        UPGRADE[1],
        last,
        &UPGRADE[2].replace("\"one/migrate\"]", "\"one/migrate\",\"one/last\"]"),
    ]);
    let running = spawn_apply(&machine, &upgrade)?;
    wait_for("the migration", || Ok(machine.run(["test", "-e", "/run/begun"])?.code == 0))?;
    machine.sh("pkill -INT -x pq-apply; sleep 0.3; touch /run/go")?.success()?;
    let held = running.wait()?;
    assert_eq!(held.code, 1, "{}{}", held.stdout, held.stderr);
    assert!(held.stdout.contains("--resume one/upgrade"), "{}", held.stdout);
    let again = apply(&machine, &upgrade, &[])?;
    assert_eq!(again.code, 1, "{}", again.stdout);
    assert!(again.stderr.contains("transaction `one/upgrade` is held since"), "{}", again.stderr);
    let status = apply(&machine, &upgrade, &["--status", "--text"])?;
    assert_eq!(status.code, 3, "{}", status.stderr);
    for told in [
        "at work      nobody",
        "unfinished",
        "`one/upgrade` is held since 20",
        "`--resume one/upgrade` goes on",
        "booked       one: ",
    ] {
        assert!(status.stdout.contains(told), "no `{told}`: {}", status.stdout);
    }
    let wrong = machine.run(["pq-apply", "--rollback", "one/upgrad"])?;
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    let back = machine.run(["pq-apply", "--rollback", "one/upgrade"])?;
    assert_eq!(back.code, 0, "{}", back.stderr);
    assert!(back.stderr.contains("is undone: all is as it was before"), "{}", back.stderr);
    assert_eq!(machine.sh("test ! -e /etc/one.conf -a ! -e /srv/migrated -a ! -e /srv/done")?.code, 0);
    let status = apply(&machine, &upgrade, &["--status"])?;
    assert!(!status.stdout.contains("transactions"), "{}", status.stdout);
    Ok(())
}

#[test]
fn what_an_owner_wanted_goes_and_what_is_of_others_stays() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "removed")?;
    let steps = [
        r#""id":"one/package","title":"tree","do":"package","names":["tree","bash"]"#,
        r#""id":"two/package","title":"less","do":"package","names":["less"]"#,
        r#""id":"one/shared","title":"less","do":"package","names":["less"]"#,
        r#""id":"one/group","title":"group","do":"group","name":"one""#,
        r#""id":"one/user","title":"user","do":"user","name":"one""#,
        r#""id":"one/dir","title":"directory","do":"directory","path":"/srv/one","owner":"one","group":"one""#,
        r#""id":"one/code","title":"directory","do":"directory","path":"/srv/one/code""#,
        r#""id":"one/conf","title":"conf","do":"file","path":"/srv/one/code/conf","content":"x\n""#,
        r#""id":"one/unit","title":"unit","do":"unit","name":"one.service","content":"[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n""#,
        r#""id":"one/service","title":"service","do":"service","unit":"one.service""#,
    ];
    apply(&machine, &plan(&steps), &[])?.success()?;
    machine.sh("echo precious >/srv/one/data")?.success()?;
    let remove = |options: &str| {
        plan(&[&format!(
            "\"id\":\"gone/remove\",\"title\":\"one is gone\",\"do\":\"remove\",\"owner\":\"one\"{options}"
        )])
    };
    let check = apply(&machine, &remove(""), &["--check", "--text"])?;
    assert_eq!(check.code, 3, "{}", check.stdout);
    apply(&machine, &remove(""), &[])?.success()?;
    let state = "test ! -e /srv/one/code -a ! -e /etc/systemd/system/one.service -a -e /srv/one/data &&
                 ! systemctl is-active -q one.service && getent passwd one >/dev/null && dpkg -s less bash >/dev/null &&
                 ! dpkg -s tree 2>/dev/null | grep -q 'Status: install ok installed'";
    assert_eq!(machine.sh(state)?.code, 0, "{}", machine.sh("ls -lR /srv; dpkg -l tree")?.stdout);
    assert_eq!(apply(&machine, &remove(""), &["--check"])?.code, 0);
    apply(&machine, &remove(",\"with_data\":true"), &[])?.success()?;
    assert_eq!(machine.sh("test ! -e /srv/one && ! getent passwd one && ! getent group one")?.code, 0);
    assert_eq!(apply(&machine, &remove(",\"with_data\":true"), &["--check"])?.code, 0);
    Ok(())
}

#[test]
fn who_holds_the_lock_of_packages_is_named_and_waited_for() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "aptheld")?;
    machine.sh("apt-get update -qq")?.success()?;
    let hold = "import fcntl, time; f = open('/var/lib/dpkg/lock-frontend', 'w'); fcntl.lockf(f, fcntl.LOCK_EX); \
                open('/run/held', 'w'); time.sleep(4)";
    let holder = machine.spawn(["python3", "-c", hold])?;
    wait_for("the lock", || Ok(machine.run(["test", "-e", "/run/held"])?.code == 0))?;
    let tree = plan(&[r#""id":"one/tree","title":"tree","do":"package","names":["tree"]"#]);
    let done = apply(&machine, &tree, &["--text"])?.success()?;
    assert!(
        done.stderr.contains("note: packages are being changed by `python3` (process "),
        "{}",
        done.stderr
    );
    assert!(done.stdout.contains("1 changed"), "{}", done.stdout);
    holder.wait()?.success().map(drop)
}

#[test]
fn packages_that_were_killed_while_they_were_unpacked_are_unpacked_anew() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "unpacked")?;
    // As dpkg leaves them: what is half unpacked, and what cannot be configured without it.
    machine
        .sh("set -e; apt-get update -qq; apt-get install -y -qq tree python3.11-minimal >/dev/null
             state() { sed -i \"/^Package: $1\\$/,/^\\$/ s/^Status: .*/Status: install $2/\" /var/lib/dpkg/status; }
             state tree 'reinstreq half-installed'; state libpython3.11-minimal 'reinstreq half-installed'
             state python3.11-minimal 'ok unpacked'
             # one whose turn came before that of what it depends on
             cd /root; apt-get download -qq php8.2-cli >/dev/null 2>&1; dpkg --unpack php8.2-cli_*.deb >/dev/null 2>&1
             ! dpkg --configure --pending")?
        .success()?;
    let step = r#""id":"one/package","title":"less","do":"package","names":["less"]"#;
    let run = apply(&machine, &plan(&[step]), &["--text"])?;
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let audit = machine
        .sh("dpkg --audit; dpkg -l tree less python3.11-minimal libpython3.11-minimal php8.2-cli php8.2-common | grep -c ^ii")?;
    assert_eq!(audit.text(), "6", "{}", audit.stdout);
    assert!(apply(&machine, &plan(&[step]), &["--text"])?.stdout.contains(" 0 changed"));
    Ok(())
}
