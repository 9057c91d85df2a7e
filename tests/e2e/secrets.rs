//! Canary secrets: wherever one could leak, it is looked for.

use pq_testkit::lab::{self, Machine, Result};

use crate::world::{PIPE, bare, demo_inventory};

/// Two secrets, one with all that has to be quoted somewhere.
const CANARIES: [&str; 2] = ["tweety7731", "c4n\"ary's é/+&=;$7731"];

/// The steps with a secret in every slot that may hold one, the last failing with it on its lips.
const STEPS: &str = r#"
{"type":"step","host":"demo","id":"canary/file","title":"a file with secrets","do":"file","path":"/root/canary","content":"@secret{canary_one} @secret{canary_two|php} @secret{canary_two|json}\n","secrets":["canary_one","canary_two"]}
{"type":"step","host":"demo","id":"canary/command","title":"a command with secrets","do":"command","argv":["sh","-c","sleep 1; cat; echo \"$CANARY\" >&2; touch /root/canary-ran"],"stdin":"@secret{canary_two}","env":{"CANARY":"@secret{canary_one}"},"creates":"/root/canary-ran","secrets":["canary_one","canary_two"]}
{"type":"step","host":"demo","id":"canary/failing","title":"a command that fails with secrets","do":"command","argv":["sh","-c","cat; echo \"$CANARY\" | base64 >&2; echo \"$CANARY\" >&2; exit 9"],"stdin":"@secret{canary_two}","env":{"CANARY":"@secret{canary_two}"},"creates":"/root/never","secrets":["canary_two"]}
"#;

/// A secret as programs may write it: as it is, quoted, encoded.
fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap_or_default();
    let url: String = secret
        .bytes()
        .map(|byte| match byte {
            b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect();
    vec![
        secret.to_owned(),
        base64(secret.as_bytes()),
        base64(format!("{secret}\n").as_bytes()),
        url.to_lowercase(),
        url,
        json.trim_matches('"').to_owned(),
        secret.replace('\'', "'\\''"),
        secret.escape_default().to_string(),
    ]
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |bits: u32| char::from(ALPHABET[bits as usize & 63]);
    bytes
        .chunks(3)
        .flat_map(|chunk| {
            let bits = chunk.iter().chain(&[0, 0]).take(3).fold(0, |bits, byte| bits << 8 | u32::from(*byte));
            let letters = [letter(bits >> 18), letter(bits >> 12), letter(bits >> 6), letter(bits)];
            letters
                .into_iter()
                .enumerate()
                .map(|(n, c)| if n <= chunk.len() { c } else { '=' })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Fails where a canary stands in a text.
fn silent(place: &str, text: &str) {
    for secret in CANARIES {
        for form in forms(secret) {
            if let Some(at) = text.find(&form) {
                let start = text[..at].rfind('\n').map_or(0, |n| n + 1);
                panic!("{place} tells `{form}`: {}", text[start..].lines().next().unwrap_or_default());
            }
        }
    }
}

fn prepare(machine: &Machine) -> Result<()> {
    let yaml = format!(
        "canary_one: {}\ncanary_two: {}\n",
        serde_json::to_string(CANARIES[0]).unwrap_or_default(),
        serde_json::to_string(CANARIES[1]).unwrap_or_default()
    );
    machine.sh("apt-get update -qq && apt-get install -y -qq age >/dev/null")?.success()?;
    machine
        .command([
            "sh",
            "-euc",
            "cd /root/paquerette/inventory && umask 077 && cat >/root/clear.yml && \
             age -R .age-recipients -o group_vars/demo/canary.yml.age /root/clear.yml && rm /root/clear.yml",
        ])
        .stdin(yaml)
        .output()?
        .success()?;
    machine.write("/root/steps", STEPS.trim_start())?;
    // Steps stand behind the secrets of their host.
    machine.write("/root/with-steps", "awk '{ print } /^{\"type\":\"secret\"/ { while ((getline line < \"/root/steps\") > 0) print line }'\n")?;
    Ok(())
}

#[test]
fn no_secret_is_told_by_any_tool_in_any_way_that_a_run_can_end() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "secrets")?;
    demo_inventory(&lab, &machine)?;
    prepare(&machine)?;

    // Everything that any process was called with, while all of it runs.
    let watch = machine.spawn([
        "sh",
        "-c",
        "while :; do for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; echo; done; sleep 0.02; done >/root/argv 2>/dev/null",
    ])?;
    // Only the calendar server: what a wiki adds to this is in the demo's own test.
    let inventory =
        "cd /root/paquerette && export PQ_IDENTITY=inventory/demo-identity.txt && pq-inventory demo";
    let plan = machine.run([
        "bash",
        "-c",
        &format!(
            "{inventory} | pq-server | pq-platform | pq-instance | sh /root/with-steps | tee /root/plan"
        ),
    ])?;
    assert_eq!(plan.code, 0, "{}", plan.stderr);
    silent("the stream", &plan.stdout);
    silent("a planner's error output", &plan.stderr);
    assert!(plan.stdout.contains("canary/failing"));

    let mut told = Vec::new();
    for options in
        ["--check --text -vvv", "--check", "--text -vvv", "--json -vvv", "--check --text -vvv --verify"]
    {
        let run = machine.run([
            "bash",
            "-c",
            &format!("{inventory} >/dev/null; pq-apply {options} </root/plan"),
        ])?;
        silent(&format!("pq-apply {options}: output"), &run.stdout);
        silent(&format!("pq-apply {options}: error output"), &run.stderr);
        told.push(run);
    }
    assert_eq!(told[2].code, 1, "{}{}", told[2].stdout, told[2].stderr);
    assert!(told[2].stdout.contains("<secret canary_two>"), "the failing command spoke: {}", told[2].stdout);
    let file = machine.read("/root/canary")?;
    assert_eq!(file, "tweety7731 'c4n\"ary\\'s é/+&=;$7731' \"c4n\\\"ary's é/+&=;$7731\"\n");
    assert_eq!(machine.sh("stat -c %a /root/canary")?.text(), "600");

    // A file that holds a secret differs: that is all that is said of it.
    machine.sh("echo tweety7731 other >/root/canary")?.success()?;
    let differs = machine.run([
        "bash",
        "-c",
        &format!("{inventory} >/dev/null; pq-apply --check --text -v </root/plan"),
    ])?;
    assert!(differs.stdout.contains("content (secret)"), "{}", differs.stdout);
    silent("a check", &differs.stdout);

    // Killed within a command that has them.
    machine.sh("rm /root/canary-ran")?.success()?;
    let running =
        machine.spawn(["bash", "-c", &format!("{inventory} >/dev/null; exec pq-apply </root/plan")])?;
    std::thread::sleep(std::time::Duration::from_millis(600));
    running.kill();
    let killed = running.wait()?;
    silent("a killed run", &killed.stdout);
    silent("a killed run's error output", &killed.stderr);

    // Without the right key, nothing is opened, and what could not be is not shown.
    let wrong = machine.run([
        "bash",
        "-c",
        &format!("age-keygen -o /root/other 2>/dev/null; {PIPE} | PQ_IDENTITY=/root/other pq-apply --check"),
    ])?;
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    silent("an error", &wrong.stderr);

    watch.kill();
    watch.wait()?;
    let argv = machine.read("/root/argv")?;
    assert!(argv.contains("pq-apply") && argv.contains("apt-get"), "the watch saw nothing");
    silent("an argument", &argv);
    let kept = machine.sh("cat -- $(find /var/lib/paquerette /var/log /run/paquerette /tmp /var/tmp -type f) | tr -d '\\0'; journalctl --no-pager -o cat")?;
    silent("what is kept on the machine", &kept.stdout);
    let others = machine.sh(
        "find / -xdev -type f -perm /007 -not -path '/proc/*' -print0 | xargs -0 grep -lF tweety7731 || true",
    )?;
    assert_eq!(others.text(), "", "readable by everyone");
    Ok(())
}
