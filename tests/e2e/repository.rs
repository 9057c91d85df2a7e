//! A repository of somebody else's: its key is verified before it is trusted, and its lists are read before packages are
//! installed, also where a run was killed in between.

use std::time::Duration;

use pq_testkit::lab::{self, Image, Lab, Machine, Output, Result, Suite};
use pq_testkit::laws;
use serde_json::{Value, json};

use crate::world::{apply, apply_killed, canonical, install, spawn_apply};

const MAKE: &str = include_str!("repository.sh");

/// The machine as it was before the source.
const UNDO: &str = "
    test ! -e /usr/share/doc/tree || dpkg --purge tree >/dev/null
    rm -rf /etc/apt/sources.list.d/law.sources /etc/apt/keyrings/law.gpg /var/lib/paquerette
    rm -rf /var/lib/apt/lists/127.0.0.1*
    cp /root/InRelease.law /root/repository/dists/law/InRelease
";

/// The version of `tree` that is installed.
fn version(machine: &Machine) -> Result<String> {
    Ok(machine.sh("dpkg-query -W -f '${Version}' tree 2>/dev/null || true")?.stdout)
}

/// A machine that has and serves the repository.
fn machine_with_repository(lab: &Lab, name: &str) -> Result<Machine> {
    let image = lab.snapshot_or("repository", &Image::Base(Suite::Bookworm), "1", |machine| {
        let packages = "apt-get update -qq && apt-get install -y -qq strace gnupg apt-utils >/dev/null";
        machine.sh(packages)?.success().map(drop)
    })?;
    let machine = lab.boot(name, &image)?;
    install(&machine)?;
    machine.write("/etc/apt/apt.conf.d/95direct", "Acquire::http::Proxy::127.0.0.1 \"DIRECT\";\n")?;
    machine.run(["bash", "-euc", &format!("cd /root; {MAKE}")])?.success()?;
    Ok(machine)
}

/// The source, with some of its fields changed, and its package.
fn plan(machine: &Machine, change: &Value) -> Result<String> {
    let mut source = json!({
        "do": "apt_source", "name": "law", "uris": ["http://127.0.0.1:8070"], "suites": ["law"],
        "components": ["main"], "key": machine.read("/root/law.asc")?,
        "fingerprints": [machine.read("/root/law.fingerprint")?.trim()],
    });
    for (name, value) in change.as_object().into_iter().flatten() {
        source[name] = value.clone();
    }
    if source["key"].is_null() {
        source.as_object_mut().map(|fields| fields.remove("key"));
    }
    let steps = [json!({"do": "package", "names": ["tree"]}), source];
    Ok(laws::plan(&steps.into_iter().filter_map(|step| step.as_object().cloned()).collect::<Vec<_>>()))
}

/// Refused, with these words, and nothing of it is on the machine.
fn refused(machine: &Machine, output: &Output, code: i32, words: &[&str]) -> Result<()> {
    let said = format!("{}{}", output.stdout, output.stderr);
    assert_eq!(output.code, code, "{said}");
    for word in words {
        assert!(said.contains(word), "no `{word}` in {said}");
    }
    assert_eq!(version(machine)?, "", "{said}");
    Ok(())
}

#[test]
fn a_package_comes_from_a_signed_source_and_from_no_other() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = machine_with_repository(&lab, "repository")?;
    let fingerprint = |who: &str| Ok(machine.read(&format!("/root/{who}.fingerprint"))?.trim().to_owned());
    let (law, other): (String, String) = (fingerprint("law")?, fingerprint("other")?);
    let nothing = "test ! -e /etc/apt/sources.list.d/law.sources && test ! -e /etc/apt/keyrings/law.gpg";

    let tampered = plan(&machine, &json!({"key": machine.read("/root/other.asc")?}))?;
    refused(&machine, &apply(&machine, &tampered, &[])?, 2, &[&law, &other, "nothing was touched"])?;
    machine.sh(nothing)?.success()?;
    let fetched = json!({"key": null, "key_url": "http://127.0.0.1:8070/other.asc"});
    let output = apply(&machine, &plan(&machine, &fetched)?, &["--text"])?;
    refused(&machine, &output, 1, &[&law, &other, "cannot trust the key of apt source `law`"])?;
    machine.sh(nothing)?.success()?;

    let right = plan(&machine, &json!({}))?;
    let of_nobody = "rm /root/repository/dists/law/InRelease";
    let of_another = "cp /root/InRelease.other /root/repository/dists/law/InRelease";
    for (spoil, words) in [(of_nobody, &["is not signed"][..]), (of_another, &["is not signed", "NO_PUBKEY"])]
    {
        machine.sh(UNDO)?.success()?;
        machine.sh(spoil)?.success()?;
        let output = apply(&machine, &right, &["--text"])?;
        refused(
            &machine,
            &output,
            1,
            &[&["cannot install `tree`", "http://127.0.0.1:8070"], words].concat(),
        )?;
    }

    let fetched = json!({"key": null, "key_url": "http://127.0.0.1:8070/law.asc"});
    for change in [json!({}), fetched] {
        machine.sh(UNDO)?.success()?;
        let plan = plan(&machine, &change)?;
        let check = apply(&machine, &plan, &["--check", "--text"])?;
        assert!(check.code == 3 && check.stdout.contains(" 2 differ"), "{}", check.stdout);
        apply(&machine, &plan, &[])?.success()?;
        assert_eq!(version(&machine)?, "99", "{change}");
        let again = apply(&machine, &plan, &["--text"])?.success()?;
        assert!(again.stdout.contains(" 0 changed"), "{}", again.stdout);
    }
    read_by_other_releases(&lab, &machine)
}

/// What was written is read by the apt of Debian 11 and 13, on machines that have neither gpg nor our tools.
fn read_by_other_releases(lab: &Lab, machine: &Machine) -> Result<()> {
    let keyring = machine.run(["base64", "-w0", "/etc/apt/keyrings/law.gpg"])?.success()?.stdout;
    let source = machine.read("/etc/apt/sources.list.d/law.sources")?;
    for suite in [Suite::Bullseye, Suite::Trixie] {
        let other = lab.boot(&format!("repository-{suite}"), &Image::Base(suite))?;
        let address = machine.ip().to_string();
        other.write("/etc/apt/sources.list.d/law.sources", source.replace("127.0.0.1", &address))?;
        let direct = format!("Acquire::http::Proxy::{address} \"DIRECT\";\n");
        other.write("/etc/apt/apt.conf.d/95direct", direct)?;
        let script = format!(
            "mkdir -p /etc/apt/keyrings && echo {keyring} | base64 -d >/etc/apt/keyrings/law.gpg &&
             ! command -v gpg && apt-get update -qq && apt-get install -y -qq tree >/dev/null"
        );
        other.sh(&script)?.success()?;
        assert_eq!(version(&other)?, "99", "{suite}");
    }
    Ok(())
}

#[test]
fn the_lists_of_a_new_source_are_read_however_often_a_run_was_killed_before() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = machine_with_repository(&lab, "repositorykill")?;
    let whole = plan(&machine, &json!({}))?;
    apply(&machine, &whole, &[])?.success()?;
    let undisturbed = canonical(&machine, &["/etc", "/var", "/usr/share/doc/tree"])?;

    // Before and after the source, before and after the transaction.
    let rerun = |told: &str| -> Result<()> {
        let output = apply(&machine, &whole, &[])?;
        assert_eq!(output.code, 0, "{told}: {}{}", output.stdout, output.stderr);
        assert_eq!(version(&machine)?, "99", "{told}");
        assert_eq!(canonical(&machine, &["/etc", "/var", "/usr/share/doc/tree"])?, undisturbed, "{told}");
        machine.sh(UNDO)?.success().map(drop)
    };
    machine.sh(UNDO)?.success()?;
    for nth in 1..=4 {
        let killed = apply_killed(&machine, &whole, nth)?;
        assert_eq!(killed.code, 137, "at note {nth}: {}{}", killed.stdout, killed.stderr);
        rerun(&format!("killed at note {nth}"))?;
    }
    // While apt reads the lists, or installs.
    for milliseconds in [150, 500, 1200, 2500] {
        let running = spawn_apply(&machine, &whole)?;
        std::thread::sleep(Duration::from_millis(milliseconds));
        running.kill();
        running.wait()?;
        rerun(&format!("killed after {milliseconds} ms"))?;
    }
    Ok(())
}
