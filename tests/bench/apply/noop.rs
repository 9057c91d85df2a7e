//! Runs that find nothing to do: ours, the floor, pyinfra and Ansible, in turn on one machine.

use pq_testkit::lab::Machine;
use serde_json::Value;

use super::measure::{Cost, PROGRAM, cost};
use super::memory;
use super::world::{Tool, World};
use super::{Result, median};

/// Rounds of all but Ansible, which takes part in every fifth.
const ROUNDS: usize = 15;

/// What runs without a change took.
pub struct Noop {
    pub ours: Cost,
    pub floor: Cost,
    pub pyinfra: Cost,
    pub ansible: Cost,
    /// Megabytes, by our own programs.
    pub memory: f64,
    /// Seconds for one changed template and the reload.
    pub template: f64,
}

pub fn runs(world: &World<'_>) -> Result<Noop> {
    let machine = world.machine("noop")?;
    settle(world, &machine)?;
    let floor = [PROGRAM, "--floor", "/root/bench/list"];
    let (_, found) = cost(&machine, &floor)?;
    println!("the floor looks at {}", found.trim());
    let mut costs: [Vec<Cost>; 4] = Default::default();
    println!("round   pq-apply ms        floor ms      pyinfra ms      ansible ms    (wall, cpu)");
    for round in 0..ROUNDS {
        costs[0].push(unchanged(&machine, Tool::Ours)?);
        costs[1].push(cost(&machine, &floor)?.0);
        costs[2].push(unchanged(&machine, Tool::Pyinfra)?);
        if round % 5 == 0 {
            costs[3].push(unchanged(&machine, Tool::Ansible)?);
        }
        let last = |at: usize| costs[at].last().map_or(String::new(), show);
        println!(
            "{:5}{}{}{}{}",
            round + 1,
            last(0),
            last(1),
            last(2),
            if round % 5 == 0 { last(3) } else { String::new() }
        );
    }
    let [ours, floor, pyinfra, ansible] = costs.map(|costs| Cost::median(&costs));
    println!("no change, medians           wall ms    cpu ms  services beside, cpu ms");
    for (name, cost) in
        [("pq-apply, the pipe", ours), ("floor", floor), ("pyinfra", pyinfra), ("ansible", ansible)]
    {
        println!("{name:26}  {:9.1}  {:8.1}  {:8.1}", cost.wall * 1e3, cost.cpu * 1e3, cost.beside * 1e3);
    }
    let memory = (0..5).map(|_| memory::peak(&machine, &Tool::Ours.command())).collect::<Result<Vec<_>>>()?;
    let memory = memory.into_iter().fold(0.0, f64::max);
    let template = template(&machine)?;
    println!(
        "one changed template: {:.0} ms with nginx's reload; our programs without a change: {memory:.1} MB",
        template * 1e3
    );
    Ok(Noop { ours, floor, pyinfra, ansible, memory, template })
}

fn show(cost: &Cost) -> String {
    format!("  {:8.0} {:7.0}", cost.wall * 1e3, cost.cpu * 1e3)
}

/// Brings the machine to the state in which no tool finds anything to do: ours makes it, and the others take it over.
fn settle(world: &World<'_>, machine: &Machine) -> Result<()> {
    for tool in [Tool::Ours, Tool::Ansible, Tool::Pyinfra] {
        let (_, out) = cost(machine, &tool.command())?;
        println!("{tool:?}: {} of {} changed", tool.changed(&out)?, tool.all(&out)?);
    }
    println!("our plan has {} steps", world.steps());
    // What is looked at is what is there now.
    machine.sh(EXPAND)?.success()?;
    Ok(())
}

/// Makes files of the globs in the floor's list.
const EXPAND: &str = "
    cd /root/bench
    while read -r word what; do
        case $word in
            path) for path in $what; do echo \"path $path\"; done ;;
            *) echo \"$word $what\" ;;
        esac
    done <list.globs | sort -u >list
";

/// A tool's cost where it finds nothing to do; it is an error where it finds something.
fn unchanged(machine: &Machine, tool: Tool) -> Result<Cost> {
    let (cost, out) = cost(machine, &tool.command())?;
    match tool.changed(&out)? {
        0 => Ok(cost),
        changed => Err(format!("{tool:?} changed {changed} things in a rerun:\n{}", changes(&out)).into()),
    }
}

/// Lines of an output that tell of changes.
fn changes(out: &str) -> String {
    let tells = |line: &&str| line.contains("changed") && !line.contains("\"outcome\":\"ok\"");
    out.lines().filter(tells).collect::<Vec<_>>().join("\n")
}

/// One file of nginx's changes, there and back again: the median wall time, with the reload.
fn template(machine: &Machine) -> Result<f64> {
    let mut walls = Vec::new();
    for _ in 0..3 {
        for steps in ["steps.changed", "steps"] {
            let script = format!("cd /root/bench && exec sh ours.sh {steps} --json");
            let (cost, out) = cost(machine, &["sh", "-c", &script])?;
            let changed: Vec<String> = out
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok())
                .filter(|record| record["outcome"] == "changed")
                .map(|record| record["id"].as_str().unwrap_or_default().to_owned())
                .collect();
            if changed != ["platform/nginx/gzip", "platform/nginx/reload"] {
                return Err(format!("one template was to change, and {changed:?} did").into());
            }
            walls.push(cost.wall);
        }
    }
    Ok(median(walls))
}
