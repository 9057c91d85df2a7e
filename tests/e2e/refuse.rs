//! What pq-apply refuses, it refuses before anything is touched.

use pq_testkit::lab::{self, Machine, Result};

use crate::world::{apply, bare, demo_inventory};

const PLAN: &str = include_str!("small.ndjson");

/// Nothing of the plan is on the machine, and paquerette keeps nothing there.
fn untouched(machine: &Machine) -> Result<bool> {
    Ok(machine.sh("test ! -e /srv/small && ! getent passwd small && test ! -e /var/lib/paquerette")?.code
        == 0)
}

#[test]
fn a_stream_that_is_not_whole_and_right_touches_nothing() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "refuse")?;
    let lines: Vec<&str> = PLAN.lines().collect();
    let without_end = lines[..lines.len() - 1].join("\n") + "\n";
    let cut = &PLAN[..PLAN.len() / 2];
    let unknown = PLAN.replace("\"do\":\"symlink\"", "\"do\":\"teleport\"");
    let field = PLAN.replace("\"target\":\"page\"", "\"target\":\"page\",\"colour\":\"red\"");
    let twice = PLAN.replace("\"id\":\"small/command\"", "\"id\":\"small/page\"");
    let secret = PLAN.replace("one\\ntwo", "@secret{nowhere}");
    let listed = secret.replace("\"title\":\"a page\"", "\"title\":\"a page\",\"secrets\":[\"nowhere\"]");
    let argv = PLAN.replace("[\"touch\",", "[\"echo\",\"@secret{nowhere}\",");
    let failed = PLAN.replace("\"status\":0", "\"status\":2");
    let short = PLAN.replace("\"hosts\":1", "\"hosts\":2");
    let elsewhere = PLAN.replace("\"kind\":\"local\"", "\"kind\":\"ssh\"");
    for (name, plan, cause) in [
        ("empty", "", "the stream is empty"),
        ("without its end", &without_end, "ended early"),
        ("cut in a line", cut, "ended early, within line"),
        ("unknown type", &unknown, "no step type `teleport`"),
        ("unknown field", &field, "`colour`"),
        ("one id for two steps", &twice, "two different steps with the id `small/page`"),
        ("secret that is not listed", &secret, "does not list it"),
        ("secret that is not sealed", &listed, "no secret `nowhere`"),
        ("secret in an argument", &argv, "a secret stands where none may"),
        ("failed before", &failed, "failed with exit status 2"),
        ("short of a host", &short, "holds 2 hosts, and 1 came"),
    ] {
        for options in [&[][..], &["--check"]] {
            let output = apply(&machine, plan, options)?;
            assert_eq!(output.code, 2, "{name}: {}{}", output.stdout, output.stderr);
            assert_eq!(output.stdout, "", "{name}");
            assert!(output.stderr.contains(cause), "{name}: {}", output.stderr);
            assert!(
                output.stderr.contains("hint:") && output.stderr.contains("nothing was touched"),
                "{name}: {}",
                output.stderr
            );
            assert!(untouched(&machine)?, "{name}");
        }
    }

    // Another machine is not mistaken for this one.
    let output = apply(&machine, &elsewhere, &[])?;
    assert_eq!(output.code, 75, "{}{}", output.stdout, output.stderr);
    for text in ["cannot reach host `small`", "Could not resolve hostname", "nothing was touched there"] {
        assert!(output.stderr.contains(text), "{text}: {}", output.stderr);
    }
    assert!(untouched(&machine)?);

    let nobody = machine
        .command(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "pq-apply"])
        .stdin(PLAN)
        .output()?;
    assert_eq!(nobody.code, 2, "{}", nobody.stderr);
    assert!(nobody.stderr.contains("only root can"), "{}", nobody.stderr);

    let other = apply(
        &machine,
        &PLAN.replace("\"do\":\"assert\",\"os\":\"debian-12\"", "\"do\":\"assert\",\"os\":\"debian-13\""),
        &[],
    )?;
    assert_eq!(other.code, 1, "{}", other.stderr);
    assert!(
        other.stdout.contains("debian-13") && other.stdout.contains("\"not_reached\":14"),
        "{}",
        other.stdout
    );
    assert!(untouched(&machine)?);

    // A closed pipe is no error, and does not stop the work.
    let piped =
        machine.command(["bash", "-c", "pq-apply | head -1; exit ${PIPESTATUS[0]}"]).stdin(PLAN).output()?;
    assert_eq!(piped.code, 0, "{}", piped.stderr);
    assert_eq!(machine.read("/srv/small/page")?, "one\ntwo\n");
    Ok(())
}

#[test]
fn what_goes_wrong_at_the_head_of_the_pipe_touches_nothing_at_its_end() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "refusepipe")?;
    demo_inventory(&lab, &machine)?;
    machine.sh("cp -r /root/paquerette/inventory /root/whole")?.success()?;
    let identity = "export PQ_IDENTITY=inventory/demo-identity.txt";
    for (name, spoil, pattern, errors) in [
        (
            "a wrong key",
            // A key of the right form that nothing was encrypted to.
            "sed -i 's/^AGE-SECRET-KEY-.*/AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX/' inventory/demo-identity.txt",
            "demo",
            &["group_vars/secret/secrets.yml.age:1:1", "identit"][..],
        ),
        (
            "a YAML error",
            "printf 'a: [1,\\nb: 2\\n' >inventory/group_vars/demo/broken.yml",
            "demo",
            &["group_vars/demo/broken.yml:"],
        ),
        ("an unknown host", "true", "demmo", &["no host or group `demmo`", "did you mean `demo`?"]),
        (
            "a variable that a recipe reads and nobody set",
            "sed -i '/^admin_email/d' inventory/group_vars/base_server/base_server.yml",
            "demo",
            &["admin_email"],
        ),
        (
            "a variable that cannot be resolved and that a recipe reads",
            "sed -i 's/^admin_email.*/admin_email: \"{{ nowhere }}\"/' inventory/group_vars/base_server/base_server.yml",
            "demo",
            &["base_server.yml:", "`nowhere`"],
        ),
    ] {
        machine
            .sh("rm -rf /root/paquerette/inventory && cp -r /root/whole /root/paquerette/inventory")?
            .success()?;
        for last in ["pq-instance | pq-apply", "pq-instance --apply", "pq-instance | pq-apply --check"] {
            let script = format!(
                "cd /root/paquerette && {spoil} && {identity} && pq-inventory {pattern} | pq-server | pq-platform | {last}"
            );
            // Without pipefail: the status is the last tool's.
            let output = machine.run(["bash", "-c", &script])?;
            assert_eq!(output.code, 2, "{name}: {}{}", output.stdout, output.stderr);
            assert_eq!(output.stdout, "", "{name}");
            for error in errors {
                assert!(output.stderr.contains(error), "{name} says no `{error}`: {}", output.stderr);
            }
            assert!(output.stderr.contains("hint:"), "{name}: {}", output.stderr);
            let untouched = "test ! -e /srv/paquerette && test ! -e /var/lib/paquerette && ! dpkg-query -W nginx 2>/dev/null";
            assert_eq!(machine.sh(untouched)?.code, 0, "{name}");
        }
    }
    Ok(())
}
