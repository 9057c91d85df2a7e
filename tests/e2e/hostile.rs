//! Hostile archives through pq-apply, as `unpack` and as `release`: each is refused by name and cause, or comes out
//! harmless; nothing is written outside, nothing is left beside, and memory and time have an end.

use std::time::Instant;

use pq_testkit::hostile::{self, Hostile, Verdict};
use pq_testkit::lab::{self, Machine, Result};
use pq_testkit::laws;
use pq_tests::Matrix;
use serde_json::{Map, Value, json};

use crate::world::{apply_measured, bare, said, serve, sha256};

/// Most kilobytes and seconds of the processor that one run may take. The largest case holds 32 MiB of names, in
/// twice as much memory; the longest makes 50 000 files and removes them.
const MEMORY: u64 = 96 << 10;
const SECONDS: f64 = 60.0;

/// How many of the runs are tried in each `make test`.
const SAMPLE: usize = 12;

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
fn matrix_hostile_a_hostile_archive_leaves_the_machine_as_it_was() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut matrix = Matrix::open("hostile");
    let machine = bare(&lab, "arhostile")?;
    serve(&machine, "/root/sources")?;
    machine.sh("mkdir /srv/hostile && echo alive | tee /srv/canary >/srv/hostile/canary")?.success()?;
    let around = machine.sh(AROUND)?.success()?.stdout;
    let archives = hostile::archives();
    let points =
        archives.iter().flat_map(|it| ["unpack", "release"].map(|kind| format!("{} ({kind})", it.name)));
    let points = matrix.draw(points, SAMPLE);
    for hostile in &archives {
        let drawn = |kind: &Value| {
            points.contains(&format!("{} ({})", hostile.name, kind.as_str().unwrap_or_default()))
        };
        let archive = hostile.archive();
        let mut steps: Vec<_> = steps(&sha256(&archive)).into();
        steps.retain(|step| drawn(&step["do"]));
        if steps.is_empty() {
            continue;
        }
        machine.write("/root/sources/archive", archive)?;
        for step in steps {
            let begun = Instant::now();
            let found = wrong(&machine, hostile, &step, &around)?;
            let verdict = if found.is_empty() { Ok(()) } else { Err(found.join("; ")) };
            let point = format!("{} ({})", hostile.name, step["do"].as_str().unwrap_or_default());
            matrix.note(&point, verdict, begun.elapsed());
            machine.sh("rm -rf /srv/hostile/out /srv/hostile/.??*")?.success()?;
        }
    }
    matrix.finish();
    Ok(())
}
