//! What a run of `pq-apply` costs, beside Ansible, pyinfra and a floor, for the same end state of one machine.
//!
//! `make bench-apply`. A server, a platform and one instance (WordPress, repacked from Debian's packages) with its database
//! on disposable machines: `steps.ndjson` is our plan, `playbook.yml` Ansible's, `deploy.py` pyinfra's, and all three read
//! `vars.json` and `files/`. First runs are on fresh machines, and what they leave is compared. The reruns that find nothing to
//! do take place in turn on one machine. What is timed is the whole pipe from `pq-inventory` on: `ours.sh`.
//!
//! The floor of a rerun is `floor.rs`; that of a first run is one `apt-get install` of the same packages, `tar`, and the
//! application's installer. `-- noop` or `-- first` after `cargo bench --bench apply` does a part alone.

mod end;
mod first;
mod floor;
mod measure;
mod memory;
mod noop;
mod plan;
mod wire;
mod world;

use std::process::ExitCode;

use pq_testkit::lab::Lab;

/// What may fail here fails for any reason, and ends the benchmark.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        // These two run inside of the machines.
        ["--measure", note, out, ref command @ ..] => measure::measure(note, out, command),
        ["--floor", list] => floor::floor(list),
        [] => bench(true, true),
        ["noop"] => bench(true, false),
        ["first"] => bench(false, true),
        _ => Err("`noop`, `first`, or nothing for both".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-apply: error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(reruns: bool, first_runs: bool) -> Result<()> {
    let lab = Lab::open()?;
    let world = world::World::prepare(&lab)?;
    let first = first_runs.then(|| first::runs(&world)).transpose()?;
    let noop = reruns.then(|| noop::runs(&world)).transpose()?;
    let (Some(first), Some(noop)) = (first, noop) else { return Ok(()) };
    println!(
        "result: noop_ratio_wall={:.0} noop_ratio_cpu={:.0} pyinfra_ratio={:.0} noop_ms={:.0} floor_ms={:.0} \
         first_over_floor={:.2} rss_mb={:.0} rss_first_mb={:.0} template_ms={:.0}",
        noop.ansible.wall / noop.ours.wall,
        noop.ansible.cpu / noop.ours.cpu,
        noop.pyinfra.wall / noop.ours.wall,
        noop.ours.wall * 1e3,
        noop.floor.wall * 1e3,
        first.ours / first.floor,
        noop.memory,
        first.memory,
        noop.template * 1e3,
    );
    Ok(())
}

/// The middle one.
fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.into_iter().collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}
