//! What an inventory costs, beside `ansible-inventory --list` on the same directory, in the same run.
//!
//! `make bench-inventory`. The inventory is drawn up here: 20 groups with 30 variables each, a third of them
//! templates, half of which lead to the host's own name or variables; a host is in two groups and in `all`, and every
//! tenth has a file of its own. Each command runs in a fresh process that a small one starts, so that the memory told
//! is the command's own; of several runs the median counts.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Groups of hosts; two more have these as children.
const LEAVES: usize = 18;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let done = match arguments.get(1).map(String::as_str) {
        Some("--measure") => measure(&arguments[2..]),
        Some("--write") => write_asked(&arguments[2..]),
        _ => bench(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-inventory: error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One command's cost.
#[derive(Debug, Clone, Copy)]
struct Cost {
    wall: f64,
    cpu: f64,
    /// Megabytes.
    memory: f64,
}

fn bench() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let tool = pq_tests::tools().join("pq-inventory");
    let tool = tool.to_str().ok_or("the tools' path is no UTF-8")?;
    let ansible = pq_tests::ansible()?.join("ansible-inventory");
    let ansible = ansible.to_str().ok_or("ansible's path is no UTF-8")?;
    println!("hosts   what                      wall ms    cpu ms    rss MB");
    let mut ours = Vec::new();
    for hosts in [100, 1_000, 10_000] {
        let inventory = directory.path().join(hosts.to_string());
        write_inventory(&inventory, hosts)?;
        let inventory = inventory.to_str().ok_or("the directory's path is no UTF-8")?;
        let list = median(15, directory.path(), &[tool, "-i", inventory, "--list"])?;
        let stream = median(15, directory.path(), &[tool, "-i", inventory, "--json"])?;
        show(hosts, "pq-inventory --list", list);
        show(hosts, "pq-inventory, resolved", stream);
        ours.push((list, stream));
    }
    let inventory = directory.path().join("1000");
    let inventory = inventory.to_str().ok_or("the directory's path is no UTF-8")?;
    let theirs = median(5, directory.path(), &[ansible, "-i", inventory, "--list"])?;
    show(1_000, "ansible-inventory --list", theirs);
    same(&output(&[tool, "-i", inventory, "--list"])?, &output(&[ansible, "-i", inventory, "--list"])?)?;
    let (list, stream) = ours[1];
    let growth = |of: fn(&(Cost, Cost)) -> f64| of(&ours[2]) / of(&ours[1]);
    println!(
        "result: hosts=1000 ratio_wall={:.1} ratio_stream={:.1} ratio_rss={:.1} ratio_rss_stream={:.1} ratio_cpu={:.1} ratio_cpu_stream={:.1} growth_list={:.1} growth_stream={:.1} growth_rss_stream={:.1}",
        theirs.wall / list.wall,
        theirs.wall / stream.wall,
        theirs.memory / list.memory,
        theirs.memory / stream.memory,
        theirs.cpu / list.cpu,
        theirs.cpu / stream.cpu,
        growth(|it| it.0.cpu),
        growth(|it| it.1.cpu),
        growth(|it| it.1.memory),
    );
    Ok(())
}

fn show(hosts: usize, what: &str, cost: Cost) {
    println!("{hosts:<6}  {what:24}  {:8.1}  {:8.1}  {:8.1}", cost.wall * 1e3, cost.cpu * 1e3, cost.memory);
}

/// The median cost of a command, by wall time.
fn median(runs: usize, scratch: &Path, command: &[&str]) -> Result<Cost> {
    let mut costs = Vec::new();
    // The first one warms the caches.
    for run in 0..=runs {
        let note = scratch.join("cost.json");
        let itself = std::env::current_exe()?;
        let status = Command::new(itself).arg("--measure").arg(&note).args(command).status()?;
        if !status.success() {
            return Err(format!("{command:?} failed").into());
        }
        let cost: Value = serde_json::from_slice(&fs::read(&note)?)?;
        let number = |name: &str| cost[name].as_f64().ok_or("no number was noted");
        if run > 0 {
            costs.push(Cost { wall: number("wall")?, cpu: number("cpu")?, memory: number("memory")? });
        }
    }
    costs.sort_by(|a, b| a.wall.total_cmp(&b.wall));
    Ok(costs[runs / 2])
}

/// Runs one command and notes its cost in a file.
fn measure(arguments: &[String]) -> Result<()> {
    let [note, program, rest @ ..] = arguments else { return Err("nothing to measure".into()) };
    let begin = Instant::now();
    let status =
        Command::new(program).args(rest).stdout(File::create("/dev/null")?).stdin(Stdio::null()).status()?;
    let wall = begin.elapsed().as_secs_f64();
    if !status.success() {
        return Err(format!("{program}: {status}").into());
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    let cpu = seconds(usage.user_time()) + seconds(usage.system_time());
    let cost = json!({ "wall": wall, "cpu": cpu, "memory": usage.max_rss() as f64 / 1024.0 });
    Ok(fs::write(note, cost.to_string())?)
}

fn output(command: &[&str]) -> Result<Value> {
    let output = Command::new(command[0]).args(&command[1..]).stderr(Stdio::inherit()).output()?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Fails where the two answers differ: nothing is faster than a wrong one.
fn same(ours: &Value, theirs: &Value) -> Result<()> {
    if sorted(ours) == sorted(theirs) {
        return Ok(());
    }
    if let Some(hosts) = theirs["_meta"]["hostvars"].as_object() {
        for (host, theirs) in hosts {
            let ours = &ours["_meta"]["hostvars"][host];
            if ours != theirs {
                return Err(format!("the answers differ for `{host}`:\n{ours}\n{theirs}").into());
            }
        }
    }
    let keys = |value: &Value| value.as_object().map(|map| map.keys().cloned().collect::<Vec<_>>());
    for key in keys(theirs).unwrap_or_default() {
        if sorted(&ours[&key]) != sorted(&theirs[&key]) {
            return Err(format!("the answers differ in `{key}`").into());
        }
    }
    Err("the answers differ".into())
}

/// Lists of children have no order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| match (key.as_str(), value) {
                ("children", Value::Array(names)) => {
                    let mut names = names.clone();
                    names.sort_by_key(Value::to_string);
                    (key.clone(), Value::from(names))
                }
                _ => (key.clone(), sorted(value)),
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// Writes the inventory into a directory of one's own: `-- --write DIR HOSTS`.
fn write_asked(arguments: &[String]) -> Result<()> {
    let [directory, hosts, ..] = arguments else { return Err("--write DIR HOSTS".into()) };
    write_inventory(Path::new(directory), hosts.parse()?)
}

/// An inventory of that many hosts.
fn write_inventory(directory: &Path, hosts: usize) -> Result<()> {
    fs::create_dir_all(directory.join("group_vars"))?;
    fs::create_dir_all(directory.join("host_vars"))?;
    let mut text = String::new();
    for group in 0..LEAVES {
        writeln!(text, "[g{group:02}]")?;
        for host in (group..hosts).step_by(LEAVES) {
            writeln!(
                text,
                "h{host:05} ansible_host=192.0.2.{} rack={} shelf=s{}",
                host % 250,
                host % 40,
                host % 7
            )?;
        }
    }
    writeln!(text, "[prod:children]")?;
    (0..LEAVES / 2).try_for_each(|group| writeln!(text, "g{group:02}"))?;
    writeln!(text, "[test:children]")?;
    (LEAVES / 2..LEAVES).try_for_each(|group| writeln!(text, "g{group:02}"))?;
    fs::write(directory.join("hosts"), text)?;
    let mut all = String::from("base_path: /srv\n");
    all.push_str("log_path: \"{{ base_path }}/log\"\nfqdn: \"{{ inventory_hostname }}.example.org\"\n");
    all.push_str(
        "url: \"https://{{ fqdn }}:{{ group_port | default(443) }}/\"\nplace: \"{{ rack }}/{{ shelf }}\"\n",
    );
    fs::write(directory.join("group_vars/all.yml"), all)?;
    for group in 0..LEAVES {
        write_group(directory, &format!("g{group:02}"), "group")?;
    }
    write_group(directory, "prod", "stage")?;
    write_group(directory, "test", "stage")?;
    for host in (0..hosts).step_by(10) {
        fs::write(
            directory.join(format!("host_vars/h{host:05}.yml")),
            format!("base_path: /srv/{host}\nown: true\n"),
        )?;
    }
    Ok(())
}

/// The file of a group: 30 variables, a third of them templates.
fn write_group(directory: &Path, group: &str, kind: &str) -> Result<()> {
    let mut text = format!("{kind}_port: 8443\n{kind}_name: {group}\n");
    for (name, value) in [
        ("log", "{{ log_path }}/{{ KIND_name }}"),
        ("url", "{{ url }}{{ KIND_name | upper }}"),
        ("next", "{{ KIND_port + 1 }}"),
        ("where", "{{ place }} in {{ group_names | join(',') }}"),
        ("backup", "{{ base_path }}/backups/{{ KIND_name }}"),
        ("both", "{{ [KIND_name, fqdn] }}"),
        ("open", "{{ KIND_port == 8443 }}"),
        ("mail", "root@{{ fqdn }}"),
    ] {
        writeln!(text, "{kind}_{name}: \"{}\"", value.replace("KIND", kind))?;
    }
    writeln!(text, "{kind}_dirs: [\"{{{{ log_path }}}}\", \"{{{{ base_path }}}}/www\"]")?;
    writeln!(text, "{kind}_map: {{ path: \"{{{{ {kind}_log }}}}\", mode: '0750', keep: 7 }}")?;
    for at in 0..12 {
        writeln!(text, "{kind}_text_{at}: a text of some length, number {at}")?;
    }
    for at in 0..6 {
        writeln!(text, "{kind}_list_{at}: [1, two, {{ three: {at}, four: true }}]")?;
    }
    Ok(fs::write(directory.join(format!("group_vars/{group}.yml")), text)?)
}
