//! A plan that uses every step type, killed on real machines: what comes after a kill is another run, and its end is as if
//! nothing had been.

use std::time::{Duration, Instant};

use pq_testkit::lab::{self, Image, Lab, Machine, Result, Suite};
use pq_testkit::laws;
use pq_tests::Matrix;

use crate::kill::{unlike, walk, within};
use crate::world::{apply, apply_killed, canonical, install, quiet, serve, spawn_apply};

/// What the state of a machine is compared by, below these.
const BELOW: [&str; 3] = ["/etc", "/srv", "/var"];

/// What the plan made in both database servers.
const DATABASES: &str = "
    mariadb -Ne \"SELECT * FROM information_schema.schemata ORDER BY 2; SHOW GRANTS FOR every@localhost;
        SELECT User, Host, JSON_REMOVE(Priv, '\\$.password_last_changed') FROM mysql.global_priv ORDER BY 1; SELECT * FROM every.law ORDER BY 1\"
    cd /; p() { runuser -u postgres -- psql -qXAt \"$@\"; }
    p -d postgres -c 'SELECT datname, pg_get_userbyid(datdba), datcollate, datacl FROM pg_database ORDER BY 1'
    p -d postgres -c 'SELECT rolname, rolcanlogin, rolsuper, rolpassword FROM pg_authid ORDER BY 1'
    p -d every -c 'SELECT extname FROM pg_extension ORDER BY 1' -c 'SELECT tableowner FROM pg_tables WHERE tablename = $$law$$' \
        -c 'SELECT * FROM law ORDER BY 1'
";

/// The machine's state, with that of its databases.
fn state(machine: &Machine) -> Result<String> {
    Ok(canonical(machine, &BELOW)? + &machine.sh(DATABASES)?.success()?.stdout)
}

/// A repository of Debian packages, signed by a key of its own; its one package is not in the plan.
const REPOSITORY: &str = "
    export GNUPGHOME=/root/gnupg; mkdir -m 0700 /root/gnupg
    gpg --batch --quiet --passphrase '' --quick-generate-key 'every <every@every.test>' ed25519 sign never
    mkdir -p /root/sources/law/debian; cd /root/sources/law/debian
    apt-ftparchive packages . >Packages
    apt-ftparchive -o APT::FTPArchive::Release::Suite=./ release . >Release
    gpg --batch --quiet --clearsign -o InRelease Release
    gpg --armor --export >/root/key.asc
    echo 'Acquire::http::Proxy::127.0.0.1 \"DIRECT\";' >/etc/apt/apt.conf.d/99-here
    gpg --with-colons --list-keys | awk -F: '/^fpr/ { print $10; exit }' >/root/fingerprint
";

/// A machine with strace, what the plan downloads, and its packages at hand but not installed.
fn prepared(lab: &Lab, name: &str) -> Result<Machine> {
    let image = lab.snapshot_or("every", &Image::Base(Suite::Bookworm), "2", |machine| {
        machine
            .sh("apt-get update -qq && apt-get install -y -qq strace gpg apt-utils >/dev/null")?
            .success()?;
        machine.sh(REPOSITORY)?.success()?;
        Ok(())
    })?;
    let machine = lab.boot(name, &image)?;
    install(&machine)?;
    quiet(&machine)?;
    for (path, bytes) in laws::sources() {
        machine.write(&format!("/root/sources/{path}"), bytes)?;
    }
    serve(&machine, "/root/sources")?;
    Ok(machine)
}

/// The plan, with the repository of this machine's image; its preparation is done.
fn plan(machine: &Machine) -> Result<String> {
    let every = laws::every().map_err(lab::Error::new)?;
    apply(machine, &every.prepare, &[])?.success()?;
    let lines = every.plan.lines().map(|line| {
        let mut record: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        if record["do"] == "apt_source" {
            record["suites"] = serde_json::json!(["./"]);
            record["key"] = machine.read("/root/key.asc")?.into();
            record["fingerprints"] = serde_json::json!([machine.read("/root/fingerprint")?.trim()]);
            for field in ["components", "architectures"] {
                record.as_object_mut().map(|fields| fields.remove(field));
            }
        }
        Ok(format!("{record}\n"))
    });
    lines.collect()
}

/// The end, after whatever happened before: a run, and one more that has nothing to do.
fn end(machine: &Machine, plan: &str, undisturbed: &str) -> Result<std::result::Result<(), String>> {
    let rerun = apply(machine, plan, &["--text"])?;
    if rerun.code != 0 {
        return Ok(Err(format!("the rerun ended with {}: {}{}", rerun.code, rerun.stdout, rerun.stderr)));
    }
    let again = apply(machine, plan, &["--text"])?;
    if again.code != 0 || !again.stdout.contains(" 0 changed") {
        return Ok(Err(format!("it is not settled: {}{}", again.stdout, again.stderr)));
    }
    let left = machine.sh("find / -xdev -name '*.pq-tmp*' -not -path '/proc/*'")?.stdout;
    if !left.is_empty() {
        return Ok(Err(format!("left: {left}")));
    }
    let unlike = unlike(undisturbed, &state(machine)?);
    Ok(if unlike.is_empty() { Ok(()) } else { Err(unlike) })
}

fn undisturbed(lab: &Lab) -> Result<(String, usize)> {
    let machine = prepared(lab, "everynot")?;
    let plan = plan(&machine)?;
    let first = apply(&machine, &plan, &[])?;
    assert_eq!(first.code, 0, "{}{}", first.stdout, first.stderr);
    // Each that began is noted twice; a transaction is noted by its steps alone.
    Ok((state(&machine)?, first.stdout.matches("\"outcome\":\"started\"").count()))
}

/// How many kills of the walk are tried in each `make test`.
const KILLS: usize = 4;

/// A walk: killed, run again and killed further on, to the end. Whole: before and after each step.
#[test]
fn matrix_kill_every_step_type_killed_all_along_ends_as_if_nothing_had_been() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut matrix = Matrix::open("kill_every");
    let (undisturbed, steps) = undisturbed(&lab)?;
    // Not whole: the one or the other.
    let walks = matrix.whole() || matrix.below(2) == 0;
    if walks {
        let machine = prepared(&lab, "everywalk")?;
        let plan = plan(&machine)?;
        let kills = walk(&mut matrix, &machine, &plan, 2 * steps / KILLS, KILLS)?;
        let verdict = end(&machine, &plan, &undisturbed)?;
        for (point, time) in kills {
            matrix.note(&format!("walk: {point}"), verdict.clone(), time);
        }
    }
    let points = (1..=30).map(|number| format!("point {number:02}"));
    for point in matrix.draw(points, usize::from(!walks)) {
        let begun = Instant::now();
        let (what, verdict) = kill_once(&lab, &mut matrix, &point, steps, &undisturbed)?;
        eprintln!("{point}: {what}");
        matrix.note(&point, verdict, begun.elapsed());
    }
    matrix.finish();
    Ok(())
}

/// One kill on a machine of its own, and a clean rerun; every third at a moment of the package transaction.
fn kill_once(
    lab: &Lab,
    matrix: &mut Matrix,
    point: &str,
    steps: usize,
    undisturbed: &str,
) -> Result<(String, std::result::Result<(), String>)> {
    let machine = prepared(lab, "everyonce")?;
    let plan = plan(&machine)?;
    let number: usize = point.rsplit(' ').next().and_then(|it| it.parse().ok()).unwrap_or(0);
    let what = if number.is_multiple_of(3) {
        let running = spawn_apply(&machine, &plan)?;
        let begun = Instant::now();
        while machine.sh("pgrep -x dpkg >/dev/null || pgrep -x apt-get >/dev/null")?.code != 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "apt did not begin");
        }
        let moment = Duration::from_millis(matrix.below(15_000) as u64);
        std::thread::sleep(moment);
        running.kill();
        let killed = running.wait()?;
        format!("{} ms into apt, within `{}`", moment.as_millis(), within(&killed.stdout))
    } else {
        let nth = 1 + matrix.below(2 * steps);
        let killed = apply_killed(&machine, &plan, nth)?;
        assert_eq!(killed.code, 137, "{}{}", killed.stdout, killed.stderr);
        format!("at note {nth}, within `{}`", within(&killed.stdout))
    };
    let verdict = end(&machine, &plan, undisturbed)?.map_err(|cause| format!("{what}: {cause}"));
    Ok((what, verdict))
}
