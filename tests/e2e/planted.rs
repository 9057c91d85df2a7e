//! Links that a user plants in a directory of his own, for root to write through: none is followed, whatever step type
//! writes there, not even while they are exchanged under its feet.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pq_testkit::lab::{self, Machine, Result};
use pq_testkit::laws;
use pq_tests::Matrix;
use serde_json::{Map, Value, json};

use crate::world::{apply, bare, said, serve, sha256};

/// What must never change: content, owner, mode, and the time of any change at all.
const CANARIES: &str = "
    find /etc/canary /etc/canary.d -printf '%p %y %m %u:%g %s %T@ %C@ %l\\n' | sort
    sha256sum /etc/canary /etc/canary.d/file /etc/canary.d/pyvenv.cfg
";

/// The user, his directory, and what he would like root to change.
const PREPARE: &str = "
    useradd --system planter
    mkdir -p /srv/planted /root/from/sub /etc/canary.d/sub && chown planter: /srv/planted && chmod 0755 /srv/planted
    echo from | tee /root/from/file >/root/from/sub/file
    echo secret >/etc/canary; echo secret >/etc/canary.d/file; echo home = secret >/etc/canary.d/pyvenv.cfg
    chmod 0600 /etc/canary; chmod 0700 /etc/canary.d
";

/// Exchanges two names in bursts, as fast as it can, for some seconds: `exchange.py SECONDS NAME OTHER…`. The pauses are
/// as long as a step takes, so that some come to their end.
const EXCHANGE: &str = "
import ctypes, random, sys, time
call, here, flags = ctypes.CDLL(None, use_errno=True).renameat2, -100, 2
end, pairs = time.monotonic() + float(sys.argv[1]), [it.encode() for it in sys.argv[2:]]
count = 0
while time.monotonic() < end:
    for one, other in zip(pairs[::2], pairs[1::2]):
        count += call(here, one, here, other, flags) == 0
    if random.random() < 0.05:
        time.sleep(random.random() / 20)
print(count)
";

/// What is exchanged with its link: what steps write to, and what they write to first. `free` itself is not.
const RACED: [&str; 11] = [
    "file",
    "dir",
    "way",
    "new",
    ".file.pq-tmp",
    ".new.pq-tmp",
    ".tmp-new",
    "..tmp-new.pq-tmp",
    ".free.pq-tmp",
    ".tmp-free",
    "..tmp-free.pq-tmp",
];

/// Seconds of one race.
const ROUND: u64 = 12;

/// A step for every type that writes where it is told to, at a path; `n` gives each run something to do.
fn steps(path: &str, n: usize) -> Vec<Map<String, Value>> {
    let sources = laws::sources();
    let digest = |name: &str| sha256(&sources[name]);
    let url = |name: &str| format!("http://127.0.0.1:8087/{name}");
    let app = format!("law/app-{}.tar", n % 2 + 1);
    [
        json!({"do": "file", "path": path, "content": format!("evil {n}\n"), "mode": "0644"}),
        json!({"do": "file", "path": path, "content": "evil\n", "owner": "planter", "mode": "0666"}),
        json!({"do": "line", "path": path, "line": format!("evil {n}")}),
        json!({"do": "directory", "path": path, "owner": "planter", "mode": "0777"}),
        json!({"do": "copy", "from": "/root/from", "to": path, "owner": "planter", "fresh": ["**"]}),
        json!({"do": "download", "path": path, "url": url("law/hello.txt"), "sha256": digest("law/hello.txt")}),
        json!({"do": "unpack", "archive": format!("/root/sources/{app}"), "into": path}),
        json!({"do": "release", "path": path, "url": url(&app), "sha256": digest(&app), "links": {"x": "/etc/canary"}}),
        json!({"do": "certificate", "names": ["evil.test"], "chain": path, "key": format!("{path}.key"),
               "authority": "/root/ca", "days": 90}),
        json!({"do": "certificate", "names": ["evil.test"], "chain": format!("/root/chain{n}.pem"), "key": path,
               "authority": "/root/ca", "days": 90}),
        json!({"do": "certificate", "names": ["evil.test"], "chain": "/root/chain.pem", "key": "/root/chain.key",
               "authority": path, "days": 90}),
        json!({"do": "venv", "path": path, "find_links": url("law/"), "requirements":
               format!("law-hello==1.0 --hash=sha256:{}\n", digest("law/law_hello-1.0-py3-none-any.whl"))}),
        json!({"do": "symlink", "path": path, "target": format!("nowhere-{n}")}),
        json!({"do": "absent", "path": path}),
    ]
    .into_iter()
    .filter_map(|step| step.as_object().cloned())
    .collect()
}

fn prepared(lab: &lab::Lab, name: &str) -> Result<Machine> {
    let machine = bare(lab, name)?;
    machine.sh("apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null")?.success()?;
    machine.sh(PREPARE)?.success()?;
    serve(&machine, "/root/sources")?;
    machine.sh("mkdir -p /root/sources/law")?.success()?;
    for (path, bytes) in laws::sources() {
        machine.write(&format!("/root/sources/{path}"), bytes)?;
    }
    machine.write("/opt/exchange.py", EXCHANGE)?;
    Ok(machine)
}

/// What is there is nobody's work: it is to be written over.
fn taken(step: &Map<String, Value>) -> &'static [&'static str] {
    if step["do"] == "file" { &["--take", "ours", "/**"] } else { &[] }
}

#[test]
fn a_planted_link_is_followed_by_no_step_type() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = prepared(&lab, "arplanted")?;
    let canaries = machine.sh(CANARIES)?.success()?.stdout;
    let mut faults = Vec::new();
    let ways = [
        ("final, to a file", "ln -s /etc/canary it", "/srv/planted/it"),
        ("final, to a directory", "ln -s /etc/canary.d it", "/srv/planted/it"),
        ("final, to nothing", "ln -s /etc/canary.new it", "/srv/planted/it"),
        ("in the middle", "ln -s /etc/canary.d way", "/srv/planted/way/file"),
        ("in the middle, to a directory", "ln -s /etc/canary.d way", "/srv/planted/way/sub"),
        ("in the middle, to nothing", "ln -s /etc way", "/srv/planted/way/canary.new"),
        ("far in the middle", "ln -s /etc way", "/srv/planted/way/canary.d/sub/new"),
        (
            "where it is written first",
            "ln -s /etc/canary .it.pq-tmp; ln -s /etc/canary.d .tmp-it",
            "/srv/planted/it",
        ),
        (
            "where the archive goes",
            "ln -s /etc/canary .tmp-it.archive; ln -s /etc/canary.d .tmp-it.old",
            "/srv/planted/it",
        ),
    ];
    for (way, plant, path) in ways {
        for step in steps(path, 0) {
            let kind = step["do"].as_str().unwrap_or_default().to_owned();
            let user = "setpriv --reuid planter --regid planter --clear-groups";
            let fresh = format!(
                "rm -rf /srv/planted/* /srv/planted/.??* /root/ca /root/chain*; cd /srv/planted && {user} sh -c '{plant}'"
            );
            machine.sh(&fresh)?.success()?;
            let output = apply(&machine, &laws::plan(std::slice::from_ref(&step)), taken(&step))?;
            let mut wrong = Vec::new();
            if machine.sh(CANARIES)?.success()?.stdout != canaries
                || machine.sh("test ! -e /etc/canary.new")?.code != 0
            {
                wrong.push("a canary has changed".to_owned());
                machine.sh("rm -f /etc/canary.new")?;
            }
            // What stands beside is replaced, and so is a link by a link, or by nothing.
            let harmless = way.starts_with("where")
                || (way.starts_with("final") && ["symlink", "absent"].contains(&kind.as_str()));
            let said = said(&output);
            if !harmless && kind != "absent" && (output.code != 1 || !said.contains("/srv/planted")) {
                wrong.push(format!("status {}: {said}", output.code));
            }
            if !wrong.is_empty() {
                faults.push(format!("--- {way}, {kind}: {}", wrong.join("; ")));
            }
        }
    }
    assert!(faults.is_empty(), "{} are wrong:\n{}", faults.len(), faults.join("\n"));
    Ok(())
}

#[test]
fn matrix_exchanged_a_link_that_is_exchanged_while_root_writes_is_followed_by_no_step_type() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut matrix = Matrix::open("exchanged");
    let whole = matrix.whole();
    let machine = prepared(&lab, "arexchanged")?;
    let canaries = machine.sh(CANARIES)?.success()?.stdout;
    // The racer's names: a file, a directory and a directory on the way, each exchanged with a link to a canary.
    let names = "
        mkdir dir way way/sub; echo mine >file; echo mine >way/file
        ln -s /etc/canary file.evil; ln -s /etc/canary.d dir.evil; ln -s /etc/canary.d way.evil
        ln -s /etc/canary.d .tmp-new.evil; ln -s /etc/canary.d ..tmp-new.pq-tmp.evil; ln -s /etc/canary .file.pq-tmp.evil
        ln -s /etc/canary.d .new.pq-tmp.evil; ln -s /etc/canary.d new.evil
        ln -s /etc/canary.d .tmp-free.evil; ln -s /etc/canary.d ..tmp-free.pq-tmp.evil; ln -s /etc/canary .free.pq-tmp.evil
    ";
    let begun = Instant::now();
    let (mut runs, mut round, mut done) = (0, 0, BTreeMap::new());
    while begun.elapsed() < Duration::from_secs(if whole { 60 } else { 10 }) {
        let user = "setpriv --reuid planter --regid planter --clear-groups";
        let fresh = format!(
            "rm -rf /srv/planted/* /srv/planted/.??* /root/ca /root/chain*; cd /srv/planted && {user} sh -c '{names}'"
        );
        machine.sh(&fresh)?.success()?;
        let pairs = RACED.map(|name| format!("/srv/planted/{name} /srv/planted/{name}.evil")).join(" ");
        let racer = machine
            .command(["sh", "-c", &format!("{user} python3 /opt/exchange.py {ROUND} {pairs}")])
            .start()?;
        round += 1;
        let until = Instant::now() + Duration::from_secs(ROUND);
        'round: for path in ["file", "dir", "way/file", "way/sub", "way/new", "new", "free"].iter().cycle() {
            for step in steps(&format!("/srv/planted/{path}"), runs) {
                // Where something of another type stands, an archive is not unpacked.
                let alone = ["unpack", "release"][round % 2];
                if *path == "free" && step["do"] != alone {
                    continue;
                }
                runs += 1;
                let output = apply(&machine, &laws::plan(std::slice::from_ref(&step)), taken(&step))?;
                let done = done.entry(step["do"].as_str().unwrap_or_default().to_owned()).or_insert([0, 0]);
                match output.code {
                    0 => done[0] += 1,
                    1 => done[1] += 1,
                    _ => return Err(lab::Error::new(format!("status {}: {}", output.code, output.stderr))),
                }
                if Instant::now() > until {
                    break 'round;
                }
            }
        }
        let count: u64 = racer.wait()?.success()?.stdout.trim().parse().unwrap_or(0);
        assert!(count > 1_000, "the racer was not fast: {count}");
        assert_eq!(machine.sh(CANARIES)?.success()?.stdout, canaries, "after {runs} runs");
    }
    println!("{runs} runs, of each type that succeeded and failed: {done:?}");
    let never: Vec<_> = done.iter().filter(|(_, [ok, _])| *ok == 0).map(|(kind, _)| kind.as_str()).collect();
    // Where links can be planted, python is not run at all. A short race may spoil every run of another type.
    assert!(never.contains(&"venv") && (never.len() == 1 || !whole), "{done:?}");
    matrix.note(&format!("{runs} runs"), Ok(()), begun.elapsed());
    matrix.finish();
    Ok(())
}

#[test]
fn what_is_mounted_into_a_tree_is_not_taken_away_with_it() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "armounted")?;
    machine
        .sh("mkdir -p /srv/tree/deep/data /srv/tree/other /srv/data; echo kept >/srv/data/file; touch /srv/tree/other/file
             mount --bind /srv/data /srv/tree/deep/data")?
        .success()?;
    let step = json!({"do": "absent", "path": "/srv/tree"});
    let plan = laws::plan(&step.as_object().cloned().into_iter().collect::<Vec<_>>());
    let output = apply(&machine, &plan, &[])?;
    let told = said(&output);
    assert_eq!(output.code, 1, "{told}");
    assert!(told.contains("umount /srv/tree/deep/data"), "{told}");
    assert_eq!(machine.read("/srv/data/file")?, "kept\n");
    machine.sh("umount /srv/tree/deep/data")?.success()?;
    assert_eq!(apply(&machine, &plan, &[])?.code, 0);
    assert_eq!(machine.sh("test -e /srv/tree")?.code, 1);
    assert_eq!(machine.read("/srv/data/file")?, "kept\n");
    Ok(())
}

#[test]
fn a_key_goes_through_no_link_that_its_user_planted() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "arkeys")?;
    machine.sh(PREPARE)?.success()?;
    machine.sh("usermod --home /srv/planted planter")?.success()?;
    let canaries = machine.sh(CANARIES)?.success()?.stdout;
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGxhdyBvZiB0aGUgbGFuZCwgYSBrZXkgb2Ygbm9ib2R5 planter";
    let step = json!({"do": "authorized_key", "user": "planter", "key": key});
    let step = laws::plan(&step.as_object().cloned().into_iter().collect::<Vec<_>>());
    for plant in [
        "ln -s /etc/canary.d .ssh",
        "ln -s /etc/nowhere .ssh",
        "mkdir -m 0700 .ssh; ln -s /etc/canary .ssh/authorized_keys",
        "mkdir -m 0700 .ssh; ln -s /etc/canary.new .ssh/authorized_keys",
        "mkdir -m 0700 .ssh; ln -s /etc/canary .ssh/.authorized_keys.pq-tmp",
    ] {
        let user = "setpriv --reuid planter --regid planter --clear-groups";
        machine
            .sh(&format!("rm -rf /srv/planted/.??*; cd /srv/planted && {user} sh -c '{plant}'"))?
            .success()?;
        let output = apply(&machine, &step, &[])?;
        assert_eq!(machine.sh(CANARIES)?.success()?.stdout, canaries, "{plant}");
        assert_eq!(machine.sh("ls -d /etc/canary.new /etc/nowhere")?.stdout, "", "{plant}");
        // What stands beside is replaced.
        let code = if plant.contains("pq-tmp") { 0 } else { 1 };
        assert_eq!(output.code, code, "{plant}: {}", output.stdout);
        assert!(code == 0 || said(&output).contains("/srv/planted/.ssh"), "{plant}: {}", said(&output));
    }
    Ok(())
}
