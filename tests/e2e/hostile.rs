//! Hostile archives through pq-apply, as `unpack` and as `release`: each is refused by name and cause, or comes out
//! harmless; nothing is written outside, nothing is left beside, and memory and time have an end.

use pq_testkit::hostile::{self, Hostile, Verdict};
use pq_testkit::lab::{self, Machine, Result};
use pq_testkit::laws;
use serde_json::{Map, Value, json};

use crate::world::{apply_measured, bare, said, serve, sha256};

/// Most kilobytes and seconds of the processor that one run may take. The largest case holds 32 MiB of names, in
/// twice as much memory; the longest makes 50 000 files and removes them.
const MEMORY: u64 = 96 << 10;
const SECONDS: f64 = 60.0;

/// What stands around the directory that is unpacked into, to the second and the byte.
const AROUND: &str = "
    find /srv /etc /root /home /tmp /opt /usr/local -xdev -not -path '/srv/hostile/out*' -not -path '/root/sources*' \
        -not -path /srv/hostile -not -path /root/used -not -path /root -printf '%p %y %m %u:%g %s %T@ %C@ %l\\n' | sort
    sha256sum /srv/canary /srv/hostile/canary /etc/passwd /etc/shadow
";

/// What came out, as the verdicts tell it.
const OUT: &str = "
    test -d /srv/hostile/out || exit 0
    cd /srv/hostile/out
    find . -mindepth 1 -not -path './.paquerette*' \\( -type d -printf '%P/ 0%m %u:%g\\n' -o -type l -printf '%P -> %l %u:%g\\n' \
        -o -type f -printf '%P 0%m %u:%g\\n' -o -printf '%P %y\\n' \\) | LC_ALL=C sort
";

fn body(step: &Value) -> Map<String, Value> {
    step.as_object().cloned().unwrap_or_default()
}

/// Both steps that take an archive.
fn steps(digest: &str) -> [Map<String, Value>; 2] {
    let limits = json!({"sha256": digest, "strip": 0, "max_entries": hostile::MAX_ENTRIES});
    [
        json!({"do": "unpack", "archive": "/root/sources/archive", "into": "/srv/hostile/out"}),
        json!({"do": "release", "url": "http://127.0.0.1:8087/archive", "path": "/srv/hostile/out"}),
    ]
    .map(|step| body(&step).into_iter().chain(body(&limits)).collect())
}

/// What is wrong with a case's end.
fn wrong(
    machine: &Machine,
    hostile: &Hostile,
    step: &Map<String, Value>,
    around: &str,
) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    let (output, used) = apply_measured(machine, &laws::plan(std::slice::from_ref(step)))?;
    let said = said(&output);
    let out = machine.sh(OUT)?.success()?.stdout;
    match &hostile.verdict {
        Verdict::Refused(words) => {
            if output.code != 1 {
                wrong.push(format!("status {}", output.code));
            }
            wrong.extend(
                words.iter().filter(|word| !said.contains(**word)).map(|word| format!("no `{word}`")),
            );
            if !out.is_empty() || machine.sh("test ! -e /srv/hostile/out")?.code != 0 {
                wrong.push(format!("there is {out}"));
            }
        }
        Verdict::Harmless(tree) => {
            let wanted: String = tree.iter().map(|line| format!("{line} root:root\n")).collect();
            if output.code != 0 || out != wanted {
                wrong.push(format!("status {}, out came\n{out}", output.code));
            }
        }
    }
    let left = machine.sh("cd /srv/hostile && ls -A | grep -vx -e canary -e out")?.stdout;
    if !left.is_empty() {
        wrong.push(format!("left beside: {left}"));
    }
    let now = machine.sh(AROUND)?.success()?.stdout;
    if now != around {
        let changed: Vec<&str> = now.lines().filter(|line| !around.contains(line)).collect();
        wrong.push(format!("around it is not as it was: {changed:?}"));
    }
    if used.kilobytes > MEMORY || used.seconds > SECONDS {
        wrong.push(format!("{} KB, {:.1} s", used.kilobytes, used.seconds));
    }
    if output.stderr.contains("panicked") {
        wrong.push(output.stderr.clone());
    }
    if !wrong.is_empty() {
        wrong.push(said.chars().take(600).collect());
    }
    Ok(wrong)
}

#[test]
fn a_hostile_archive_leaves_the_machine_as_it_was() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "arhostile")?;
    serve(&machine, "/root/sources")?;
    machine.sh("mkdir /srv/hostile && echo alive | tee /srv/canary >/srv/hostile/canary")?.success()?;
    let around = machine.sh(AROUND)?.success()?.stdout;
    let (mut faults, mut tried, mut most) = (Vec::new(), 0, (0, 0.0));
    for hostile in hostile::archives() {
        let archive = hostile.archive();
        let digest = sha256(&archive);
        machine.write("/root/sources/archive", archive)?;
        for step in steps(&digest) {
            tried += 1;
            let found = wrong(&machine, &hostile, &step, &around)?;
            if !found.is_empty() {
                faults.push(format!("--- {} ({}): {}", hostile.name, step["do"], found.join("; ")));
            }
            let used = machine.read("/root/used")?;
            let mut used = used.split_whitespace().filter_map(|it| it.parse::<f64>().ok());
            let (kilobytes, seconds) = (used.next().unwrap_or(0.0) as u64, used.next().unwrap_or(0.0));
            if kilobytes > most.0 || seconds > most.1 {
                println!("{} ({}): {kilobytes} KB, {seconds:.2} s", hostile.name, step["do"]);
            }
            most = (most.0.max(kilobytes), seconds.max(most.1));
            machine.sh("rm -rf /srv/hostile/out /srv/hostile/.??*")?.success()?;
        }
    }
    println!("{tried} runs, at most {} KB and {:.2} s of the processor", most.0, most.1);
    assert!(faults.is_empty(), "{} of {tried} are wrong:\n{}", faults.len(), faults.join("\n"));
    assert!(tried > 300, "{tried}");
    Ok(())
}
