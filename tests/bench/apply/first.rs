//! First runs, each on a machine of its own: what the whole machine took of the processor, services and all.

use pq_testkit::lab::Machine;

use super::measure::{Cost, cost};
use super::memory;
use super::world::{Tool, World};
use super::{Result, end, median};

/// First runs of ours and of the floor.
const ROUNDS: usize = 3;

/// What first runs took.
pub struct First {
    /// Seconds of the processor, by the whole machine.
    pub ours: f64,
    pub floor: f64,
    /// Megabytes, by our own programs.
    pub memory: f64,
}

pub fn runs(world: &World<'_>) -> Result<First> {
    println!("first runs                     wall s  cpu s of the whole machine");
    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let machine = world.machine("first")?;
        ours.push(shown(&format!("pq-apply {round}"), &machine, &Tool::Ours.command())?);
        drop(machine);
        let machine = world.machine("floor")?;
        let command = world.first_floor();
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        floors.push(shown(&format!("floor {round}"), &machine, &command)?);
    }
    let of_pyinfra = world.machine("pyinfra")?;
    shown("pyinfra", &of_pyinfra, &Tool::Pyinfra.command())?;
    let theirs = world.state(&of_pyinfra)?;
    drop(of_pyinfra);
    let of_ansible = world.machine("ansible")?;
    shown("ansible", &of_ansible, &Tool::Ansible.command())?;
    let ansibles = world.state(&of_ansible)?;
    drop(of_ansible);
    let machine = world.machine("memory")?;
    let memory = memory::peak(&machine, &Tool::Ours.command())?;
    let state = world.state(&machine)?;
    end::compare(&state, "ansible", &ansibles);
    end::compare(&state, "pyinfra", &theirs);
    let first = First { ours: median(ours), floor: median(floors), memory };
    println!(
        "first run: pq-apply {:.1} s, floor {:.1} s of the processor: {:.2} times; our programs {:.0} MB",
        first.ours,
        first.floor,
        first.ours / first.floor,
        first.memory
    );
    Ok(first)
}

/// Runs a command, prints its cost, and answers what the whole machine took of the processor.
fn shown(name: &str, machine: &Machine, command: &[&str]) -> Result<f64> {
    let (Cost { wall, cpu, beside }, _) = cost(machine, command)?;
    println!("{name:28}  {wall:7.1}  {:6.1} ({cpu:.1} of it by its own processes)", cpu + beside);
    Ok(cpu + beside)
}
