//! The example inventory: it has nothing odd, and its Makefile does what its lines say, on a copy and without root.
//!
//! What executes is a `pq-apply` that keeps what it is given: no test looks at the machine that it runs on.

#![expect(clippy::unwrap_used, reason = "what the test itself cannot do ends it")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A copy of the example, as an operator would keep it.
struct Example {
    place: TempDir,
}

impl Example {
    fn copy() -> Example {
        let place = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../inventory");
        let copied = Command::new("cp").arg("-r").arg(source).arg(place.path()).status().unwrap();
        assert!(copied.success());
        let config = place.path().join("home/.config/paquerette");
        fs::create_dir_all(&config).unwrap();
        let identity = place.path().join("inventory/demo-identity.txt");
        fs::copy(identity, config.join("identity.txt")).unwrap();
        fs::create_dir(place.path().join("bin")).unwrap();
        Example { place }
    }

    /// Puts a `pq-apply` before the real one, which keeps its arguments and its input and ends with this status.
    fn apply_ends_with(&self, status: u8) {
        let path = self.place.path().join("bin/pq-apply");
        let script = format!(
            "#!/bin/sh\necho \"$*\" >'{0}/argv'\ncat >'{0}/plan'\necho told\nexit {status}\n",
            self.place.path().display()
        );
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn run(&self, program: &str, args: &[&str]) -> Output {
        let path =
            format!("{}/bin:{}:/usr/bin:/bin", self.place.path().display(), pq_tests::tools().display());
        Command::new(program)
            .args(args)
            // From elsewhere: the Makefile finds its own inventory.
            .current_dir(self.place.path().join("home"))
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.place.path().join("home"))
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs `make` in the example: what it printed, and whether it came to its end.
    fn make(&self, args: &[&str]) -> (String, bool) {
        let output = self.run("make", &[&["-s", "-C", "../inventory"], args].concat());
        let text = [output.stdout, output.stderr].concat();
        (String::from_utf8(text).unwrap(), output.status.success())
    }

    /// The machines in the plan that reached `pq-apply`, and what it was called with.
    fn given(&self) -> (Vec<String>, String) {
        let plan = fs::read_to_string(self.place.path().join("plan")).unwrap();
        let records = plan.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let hosts = records.filter(|record| record["type"] == "host");
        let hosts = hosts.map(|host| host["host"].as_str().unwrap().to_owned()).collect();
        (hosts, fs::read_to_string(self.place.path().join("argv")).unwrap())
    }
}

#[test]
fn there_is_nothing_odd_about_it() {
    let example = Example::copy();
    let (said, well) = example.make(&["lint"]);
    assert_eq!((said.as_str(), well), ("nothing to say\n", true));
    // And it is not that lint says nothing of any inventory.
    let misspelt = example.place.path().join("inventory/host_vars/prod3.yml");
    fs::write(misspelt, "a: 1\n").unwrap();
    let (said, well) = example.make(&["lint"]);
    assert!(said.contains("prod3") && !well, "{said}");
}

#[test]
fn every_group_has_a_plan() {
    let example = Example::copy();
    for (group, instances) in [
        ("demo", &["wiki", "dav"][..]),
        ("test", &["wiki", "dav"]),
        ("prod", &["wiki", "board", "dav", "club", "archive"]),
    ] {
        let (said, well) = example.make(&["plan", &format!("G={group}")]);
        assert!(well, "{said}");
        for id in instances {
            assert!(said.lines().any(|line| line.starts_with(&format!("  {id} "))), "{id}: {said}");
        }
        assert!(said.contains("nothing was looked at, nothing changed"), "{said}");
    }
    let (said, well) = example.make(&["plan", "G=prud"]);
    assert!(!well && said.contains("did you mean `prod`?"), "{said}");
}

#[test]
fn what_executes_gets_this_machine_alone() {
    let example = Example::copy();
    example.apply_ends_with(0);
    for (target, argv) in
        [("check", "--check --text\n"), ("apply", "--text\n"), ("status", "--check --verify --text\n")]
    {
        let (said, well) = example.make(&[target, "G=prod", "HERE=prod2"]);
        assert_eq!((said.as_str(), well), ("told\n", true), "{target}");
        assert_eq!(example.given(), (vec!["prod2".to_owned()], argv.to_owned()), "{target}");
    }
    // A machine that is none of the group's: the real pq-apply is what refuses what is left.
    fs::remove_file(example.place.path().join("bin/pq-apply")).unwrap();
    let (said, well) = example.make(&["apply", "G=prod", "HERE=test1"]);
    assert!(!well && said.contains("nothing was touched"), "{said}");
    // Reached over ssh from here: refused too, and not changed by mistake.
    let (said, well) = example.make(&["apply", "G=prod", "HERE=prod1"]);
    assert!(!well && said.contains("nothing was touched"), "{said}");
}

#[test]
fn the_nightly_check_is_silent_when_all_is_well() {
    let example = Example::copy();
    for (status, told, well) in [(0, "", true), (3, "told\n", false), (1, "told\n", false)] {
        example.apply_ends_with(status);
        let (said, ended) = example.make(&["nightly", "HERE=demo"]);
        assert!(said.starts_with(told) && (ended, said.is_empty()) == (well, well), "{status}: {said}");
        assert_eq!(example.given().1, "--check --verify --text\n");
    }
}

#[test]
fn its_makefile_explains_itself_and_the_inventory() {
    let example = Example::copy();
    let (said, well) = example.make(&[]);
    assert!(well, "{said}");
    for target in ["hosts", "lint", "explain", "plan", "check", "apply", "status", "nightly"] {
        assert!(said.contains(&format!("  make {target} ")), "{target}: {said}");
    }
    let (said, well) = example.make(&["hosts", "G=demo"]);
    assert!(well && said.starts_with("demo  this machine"), "{said}");
    let (said, well) = example.make(&["explain", "V=motto", "G=prod1"]);
    assert!(well && said.contains("group_vars/prod/prod.yml:"), "{said}");
}

#[test]
fn its_crontab_names_a_target_that_there_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../inventory");
    let crontab = fs::read_to_string(root.join("crontab")).unwrap();
    let makefile = fs::read_to_string(root.join("Makefile")).unwrap();
    let commands: Vec<&str> =
        crontab.lines().filter(|line| line.starts_with(|it: char| it.is_numeric())).collect();
    assert!(!commands.is_empty());
    for line in commands {
        let target = line.split_whitespace().last().unwrap();
        assert!(makefile.contains(&format!("\n{target}: ##")), "{line}");
    }
}

#[test]
fn its_readme_leads_to_secrets_of_ones_own() {
    let example = Example::copy();
    let readme = fs::read_to_string(example.place.path().join("inventory/README.md")).unwrap();
    let lines: Vec<&str> = readme
        .lines()
        .skip_while(|line| !line.starts_with("    rm inventory/"))
        .take_while(|line| !line.is_empty())
        .collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    let script = format!("set -e; cd ..; rm -r home/.config\n{}\n", lines.join("\n"));
    let output = example.run("bash", &["-c", &script]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!example.place.path().join("inventory/demo-identity.txt").exists());
    let (said, well) = example.make(&["lint"]);
    assert_eq!((said.as_str(), well), ("nothing to say\n", true));
    let shown = example.run("pq-secret", &["-i", "../inventory", "show", "prod1/wiki/admin"]);
    assert!(shown.status.success() && shown.stdout.len() > 16, "{}", String::from_utf8_lossy(&shown.stderr));
}
