//! Canary secrets: wherever one could be told, kept or left behind, it is looked for.
//!
//! `malformed` does so for inventories that are broken; here they are right and fail later, or the hands fail that keep
//! the secrets. What pq-secret and pq-inventory do meanwhile is noted by strace: whatever they make is private from the
//! first moment, no argument or environment of a program holds a secret, and none is written in clear but into memory.

#![expect(clippy::unwrap_used, reason = "what the runner itself cannot do ends the test")]

#[path = "canary/late.rs"]
mod late;
#[path = "canary/secrets.rs"]
mod secrets;
#[path = "canary/trace.rs"]
mod trace;
#[path = "canary/verbs.rs"]
mod verbs;
#[path = "canary/world.rs"]
mod world;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Mutex;

use pq_tests::Forms;
use secrets::{ALL, FORMS};
use trace::Trace;
use verbs::{May, Verb};
use world::{OTHER, Said, World};

/// Asks something of every case, on two threads, and fails with all that is wrong.
fn try_all<C: Sync>(cases: &[C], name: impl Fn(&C) -> &str + Sync, ask: impl Fn(&C) -> Vec<String> + Sync) {
    let only = std::env::var("PQ_CASE").unwrap_or_default();
    let (next, wrong) = (Mutex::new(cases.iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(case) = next.lock().unwrap().next() else { break };
                    let found = if name(case).contains(&only) { ask(case) } else { Vec::new() };
                    if !found.is_empty() {
                        wrong.lock().unwrap().push(format!("--- {}\n{}", name(case), found.join("\n")));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// What is wrong with looking at an inventory, and all that was said.
fn looked_at(world: &World, looks: &[&str]) -> (Vec<String>, String) {
    let before = world.listing();
    let (mut wrong, mut said) = (Vec::new(), String::new());
    for look in looks {
        let run = world.sh(&format!("pq-inventory {look}"), b"");
        wrong.extend(run.wrong().into_iter().map(|found| format!("pq-inventory {look}: {found}")));
        said.push_str(&run.stdout);
        said.push_str(&run.stderr);
    }
    wrong.extend(new(&before, world).into_iter().map(|path| format!("left {}", path.display())));
    (wrong, said)
}

fn new(before: &[PathBuf], world: &World) -> Vec<PathBuf> {
    world.listing().into_iter().filter(|path| !before.contains(path)).collect()
}

#[test]
fn a_value_that_fails_late_shows_no_secret_however_it_is_looked_at() {
    const LOOKS: [&str; 6] =
        ["--json", "--text -v", "--explain x a --text", "--explain x --json", "--lint --text", "--list"];
    try_all(
        late::VALUES,
        |(name, _)| name,
        |(_, vars)| {
            let (mut wrong, said) = looked_at(&World::with(vars), &LOOKS);
            if !said.contains("error: ") && !said.contains("\"unresolved\":\"") {
                wrong.push("it does not fail".to_owned());
            }
            wrong
        },
    );
}

#[test]
fn what_no_recipe_takes_shows_no_secret_in_any_tool_of_the_pipe() {
    let typed = late::TYPED.iter().map(|(name, vars)| (*name, format!("{vars}\n{}", late::WIKI)));
    let keys =
        late::KEYS.iter().map(|(name, keys)| (*name, late::WIKI.replace("domain: w.example.org", keys)));
    let cases: Vec<(&str, String)> = typed.chain(keys).collect();
    try_all(
        &cases,
        |(name, _)| name,
        |(_, vars)| {
            let world = World::with(vars);
            let (mut wrong, _) =
                looked_at(&world, &["--text -v", "--explain instances a --text", "--lint --json"]);
            let mut plan = world.sh("pq-inventory --json a", b"").stdout;
            for planner in ["pq-server", "pq-platform", "pq-instance"] {
                for form in ["--text -v", "--json -v"] {
                    let run = world.sh(&format!("{planner} {form}"), plan.as_bytes());
                    wrong.extend(run.wrong().into_iter().map(|found| format!("{planner} {form}: {found}")));
                    if form == "--json -v" && run.code == 0 {
                        plan = run.stdout;
                    }
                }
            }
            wrong
        },
    );
}

#[test]
fn what_the_end_of_the_pipe_refuses_shows_no_secret() {
    // No hash is made of so long a text: that shows when everything is open.
    let world = World::with(&format!("{}dokuwiki_title: \"{{{{ key | bcrypt }}}}\"", late::WIKI));
    let plan = world.sh("pq-inventory --json a | pq-server | pq-platform | pq-instance", b"");
    assert_eq!(plan.code, 0, "{}", plan.stderr);
    let mut forms = FORMS.clone();
    let derived = world.sh("pq-secret show a/wiki/admin", b"");
    assert_eq!(derived.code, 0, "{}", derived.stderr);
    forms.add(derived.stdout.trim());
    let plan = plan.stdout;
    let end = plan.trim_end().rfind('\n').unwrap() + 1;
    let sealed = "\"sealed\":\"YWdl";
    let root = nix::unistd::geteuid().is_root();
    for (name, plan, says) in [
        ("whole", plan.clone(), "cannot be written with `bcrypt`"),
        ("cut", plan[..end].to_owned(), "the stream ended early"),
        ("without its secrets", plan.replace("\"names\":[\"key\"", "\"names\":[\"kez\""), ""),
        ("with a secret less", plan.replace(r#""secrets":["key","#, r#""secrets":["#), ""),
        ("with damaged secrets", plan.replace(sealed, "\"sealed\":\"YWdm"), "is no whole age file"),
        ("with another's token", plan.replace("@secret{key", "@secret{nobodys"), ""),
        ("with a broken token", plan.replace("@secret{derive:", "@secret{derive;"), ""),
        ("with a broken sink", plan.replace("|bcrypt", "|bcrypd"), ""),
    ] {
        for identity in
            ["", "--identity other", "--identity nobodys", "--identity inventory/hosts", "--identity in"]
        {
            for form in ["--json", "--text -v"] {
                let run = world.sh(&format!("pq-apply --check {form} {identity}"), plan.as_bytes());
                let call = format!("pq-apply --check {form} {identity} of a plan {name}: {}", run.stderr);
                for text in [&run.stdout, &run.stderr] {
                    assert_eq!(forms.seen_in(text), None, "{call}");
                }
                assert_eq!((run.code, run.broken()), (2, None), "{call}");
                // Nobody else gets that far.
                assert!(!root || !identity.is_empty() || run.stderr.contains(says), "{call}");
            }
        }
    }
}

#[test]
fn what_is_hidden_everywhere_else_is_what_reveal_shows() {
    let world =
        World::with("x: \"{{ password }}\"\ny: \"{{ nobodys }}\"\nz: [\"{{ inline }}\", \"{{ whole }}\"]");
    let list = world.sh("pq-inventory --list", b"");
    assert_eq!((list.code, list.wrong()), (0, Vec::new()));
    for shown in [
        r#""password":"@secret{password}""#,
        r#""users":["@secret{smtp.users.0}","@secret{smtp.users.1}"]"#,
        r#""inline":{"__ansible_vault":"$ANSIBLE_VAULT;1.1;AES256\n6561"#,
        r#""whole":"@secret{whole}""#,
        r#""other":"@secret{other}""#,
    ] {
        assert!(list.stdout.contains(shown), "{shown}: {}", list.stdout);
    }
    for name in [
        "password",
        "smtp",
        "smtp.password",
        "smtp.users[0]",
        "key",
        "pin",
        "master_key",
        "inline",
        "whole",
        "twice",
        "x",
    ] {
        for form in ["--text", "--json"] {
            let said = world.sh(&format!("pq-inventory --explain '{name}' a {form}"), b"");
            assert_eq!((said.code, said.wrong()), (0, Vec::new()), "{name}");
            let revealed = world.sh(&format!("pq-inventory --explain '{name}' a {form} --reveal --yes"), b"");
            assert!(FORMS.seen_in(&revealed.stdout).is_some(), "{name}: {}", revealed.stdout);
        }
    }
    let shows = |said: &Said, secret: &str| Forms::of([secret]).seen_in(&said.stdout).is_some();
    let (list, of_a, of_b) = (
        world.sh("pq-inventory --list --reveal --yes", b""),
        world.sh("pq-inventory --host a --reveal --yes", b""),
        world.sh("pq-inventory --host b --reveal --yes", b""),
    );
    for said in [&list, &of_a, &of_b] {
        assert_eq!((said.code, FORMS.seen_in(&said.stderr)), (0, None));
    }
    for secret in ALL {
        // A host's own value goes before that of its group.
        assert!(shows(&list, secret) || shows(&of_b, secret), "{secret:?} is not in the inventory");
    }
    assert!(!shows(&of_a, "canary-of-b/5k+Specht=90") && !shows(&of_b, "canary-of-a/8s+Stieglitz=12"));
    for (look, code) in [("--reveal --list", 2), ("--reveal --json", 2), ("--explain y --reveal --yes", 0)] {
        let said = world.sh(&format!("pq-inventory {look}"), b"");
        assert_eq!((said.code, said.wrong()), (code, Vec::new()), "{look}");
    }
}

#[test]
fn a_secret_that_stands_in_clear_is_named_and_not_shown() {
    for (name, text) in [
        ("hosts", "a db_password=canary/9f+Vogel master_key_file=/x\n"),
        ("group_vars/all.yml", "db: {passwords: [canary-user/6c+Kranich=19], api_token: 73046218095531}\n"),
        ("host_vars/a.json", "{\"smtp_password\": \"canary-of-a/8s+Stieglitz=12\"}\n"),
    ] {
        let world = World::bare();
        world.write("inventory/hosts", "a ansible_connection=local\n");
        world.write(&format!("inventory/{name}"), text);
        let (wrong, said) = looked_at(&world, &["--lint --text", "--lint --json"]);
        assert_eq!(wrong, Vec::<String>::new(), "{name}");
        assert!(said.contains("looks like a secret, and stands in clear"), "{name}: {said}");
    }
    for (name, text) in [
        ("hosts", "a master_key=canary-master/2h+Uhu\n"),
        ("hosts", "a\n[all:vars]\nmaster_key = canary-master/2h+Uhu=61-derives\n"),
        ("hosts.yml", "all: {hosts: {a: {master_key: canary-master/2h+Uhu=61-derives}}}\n"),
        ("hosts.yml", "all: {hosts: {a: }, vars: {master_key: canary-master/2h+Uhu=61-derives}}\n"),
        ("group_vars/all.yml", "master_key: canary-master/2h+Uhu=61-derives\n"),
        ("group_vars/all.yml", "{master_key: canary-master/2h+Uhu=61-derives}\n"),
        ("group_vars/all.yml", "{\"master_key\": \"canary-master/2h+Uhu=61-derives\"}\n"),
        ("host_vars/a.yml", "master_key: [canary-master/2h+Uhu=61-derives]\n"),
    ] {
        let world = World::bare();
        if !name.starts_with("hosts") {
            world.write("inventory/hosts", "a ansible_connection=local\n");
        }
        world.write(&format!("inventory/{name}"), text);
        let looks =
            ["--json", "--text -v", "--list", "--host a", "--explain master_key --text", "--lint --text"];
        let (wrong, said) = looked_at(&world, &looks);
        assert_eq!(wrong, Vec::<String>::new(), "{name}: {text}");
        assert!(said.contains("`master_key` stands in a file that is not encrypted"), "{name}: {said}");
    }
}

#[test]
fn a_lookup_reads_no_file_that_opens_secrets() {
    let world = World::with("x: \"{{ lookup('file', 'key') }}\"\ny: \"{{ lookup('file', 'password') }}\"");
    fs::rename(world.path("home/.config/paquerette/identity.txt"), world.path("inventory/key")).unwrap();
    fs::rename(world.path("vault-password"), world.path("inventory/password")).unwrap();
    let mut forms = FORMS.clone();
    forms.add(include_str!("../crates/secrets/tests/ed25519"));
    for look in ["--json", "--text -v", "--explain x", "--explain y", "--lint", "--list"] {
        let line = format!(
            "ANSIBLE_VAULT_PASSWORD_FILE=inventory/password pq-inventory {look} --identity inventory/group_vars/../key"
        );
        let said = world.sh(&line, b"");
        assert_eq!(
            (forms.seen_in(&said.stdout), forms.seen_in(&said.stderr), said.broken()),
            (None, None, None)
        );
        assert!(look == "--list" || said.stdout.contains("it opens secrets"), "{look}: {}", said.stdout);
    }
}

/// What others may read when it is there: what is encrypted, keys that are public, the directories of an inventory, and
/// what import-vault leaves of a plain file.
fn public(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or("");
    name.ends_with(".age")
        || name == ".age-recipients"
        || path.ends_with("/group_vars/web")
        || name == "web.yml"
}

#[test]
fn whatever_is_done_with_secrets_tells_and_leaves_none() {
    let traced = trace::available();
    try_all(&verbs::all(), |verb| verb.name, |verb| done(verb, traced));
}

/// What is wrong with a call.
fn done(verb: &Verb, traced: bool) -> Vec<String> {
    let world = World::kept();
    let prepared = world.sh(verb.before, b"");
    let mut wrong: Vec<String> =
        (prepared.code != 0).then(|| format!("not prepared: {}", prepared.stderr)).into_iter().collect();
    let before = world.listing();
    let line = if traced { verb.line.to_owned() } else { verb.line.replace("$T ", "") };
    let said = world.sh(&line, b"");
    // What keygen made is as secret, and is found in the file that it made.
    let mut forms = FORMS.clone();
    let key = |line: &str| line.strip_prefix("AGE-SECRET-KEY-1").map(str::to_owned);
    key(OTHER).iter().for_each(|key| forms.add(key.trim()));
    for identity in ["new.txt", "a/b/new.txt"] {
        let text = fs::read_to_string(world.path(identity)).unwrap_or_default();
        text.lines().filter_map(key).for_each(|key| forms.add(&key));
    }
    for (name, text) in [("stdout", &said.stdout), ("stderr", &said.stderr)] {
        if let Some(form) = forms.seen_in(text).filter(|_| name == "stderr" || verb.may != May::Print) {
            wrong.push(format!("{name} shows {form}"));
        }
    }
    if said.code != verb.code {
        wrong.push(format!("status {}, not {}", said.code, verb.code));
    }
    let makes: Vec<PathBuf> = verb.makes.split_whitespace().map(|path| world.path(path)).collect();
    let (kept, made): (Vec<_>, Vec<_>) = new(&before, &world)
        .into_iter()
        .partition(|path| verb.may == May::Keep && path.starts_with(world.memory()));
    wrong.extend(
        made.iter().filter(|path| !makes.contains(path)).map(|path| format!("left {}", path.display())),
    );
    wrong.extend(
        makes.iter().filter(|path| !made.contains(path)).map(|path| format!("no {}", path.display())),
    );
    for path in &kept {
        let metadata = fs::symlink_metadata(path).unwrap();
        // A link to what it is a draft of says nothing of what others may do.
        let mode = if metadata.is_symlink() { 0 } else { metadata.permissions().mode() & 0o077 };
        let directory = if metadata.is_dir() { path } else { path.parent().unwrap() };
        let told = said.stderr.contains(&directory.display().to_string());
        if mode != 0 || !told {
            wrong.push(format!("kept {} with {mode:o}, told: {told}", path.display()));
        }
    }
    if verb.may == May::Keep && kept.is_empty() {
        wrong.push("what was written is lost".to_owned());
    }
    if let Some(trace) = Trace::read(&world.trace()) {
        wrong.extend(trace.open_to_others(public));
        let memory = world.memory().display().to_string();
        let may = |path: &str| {
            let prints = verb.may == May::Print && path.starts_with("pipe:");
            let identity = verb.name.starts_with("keygen") && path.contains("/.pq-secret-");
            path.starts_with(&memory) || path.starts_with("/dev/shm/pq-secret-") || prints || identity
        };
        wrong.extend(trace.tells(&forms, may));
    } else if traced && verb.line.contains("$T") {
        wrong.push("nothing was traced".to_owned());
    }
    if let Ok(seen) = fs::read_to_string(world.path("seen")) {
        let private = seen.contains("mode 600\nmode 700\nmask 0077 core 0\ntmpfs");
        if forms.seen_in(&seen).is_some() || !private || !seen.contains("pq-secret") {
            wrong.push(format!("the editor saw: {seen}"));
        }
    }
    // So that it can be taken away.
    world.sh("chmod -R u+w .", b"");
    if !wrong.is_empty() {
        wrong.push(said.stderr.chars().take(500).collect());
    }
    wrong
}

#[test]
fn looking_at_an_inventory_makes_no_file_that_has_a_name_or_shows_secrets() {
    if !trace::available() {
        return;
    }
    for hosts in [0, 300] {
        let world = World::with(
            "x: \"{{ password | upper }}\"\nlong: [\"{{ key }}\", \"{{ smtp }}\", \"{{ password }}\"]",
        );
        let more = format!("c[1:{hosts}]\n");
        let known = fs::read_to_string(world.path("inventory/hosts")).unwrap();
        world.write("inventory/hosts", if hosts == 0 { known } else { known + &more });
        for look in
            ["--json", "--text -v", "--explain x", "--lint", "--list", "--host a", "--list --reveal --yes"]
        {
            let said = world.sh(&format!("$T pq-inventory {look}"), b"");
            assert_eq!(said.broken(), None, "{look}");
            let trace = Trace::read(&world.trace()).unwrap();
            let reveals = look.contains("--reveal");
            // What is large and shows no secret waits in a file that nobody else can open.
            assert_eq!(trace.made(), usize::from(said.stdout.len() > 300_000 && !reveals), "{look}");
            assert_eq!(trace.open_to_others(|_| false), Vec::<String>::new(), "{look}");
            assert_eq!(
                trace.tells(&FORMS, |path| reveals && path.starts_with("pipe:")),
                Vec::<String>::new()
            );
        }
    }
}

#[test]
fn what_would_be_wrong_in_a_trace_is_seen() {
    let trace = trace::of_text(concat!(
        "7 execve(\"/bin/pq-secret\", [\"pq-secret\"], [\"A=b\"]) = 0\n",
        "7 openat(AT_FDCWD</i>, \"a, b\", O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0666) = 3</i/a, b>\n",
        "7 openat(AT_FDCWD</i>, \"seen\", O_RDONLY|O_CLOEXEC) = 3</i/seen>\n",
        "7 umask(077)                       = 000\n",
        "7 openat(AT_FDCWD</i>, \"private\", O_WRONLY|O_CREAT, 0666 <unfinished ...>\n",
        "8 mkdir(\"child\", 0777)            = 0\n",
        "8 umask(000)                       = 077\n",
        "8 mkdir(\"open\", 0777)             = 0\n",
        "7 fchmod(3</i/x.age>, 0644)        = 0\n",
        "7 fchmod(3</i/.pq-secret-x>, 0640) = 0\n",
        "7 chmod(\"/i/y\", 0604)             = 0\n",
        "7 write(3</i/z>, \"a: canary/9f+Vogel=\\\"27\\n\", 12) = 12\n",
        "7 write(3</dev/shm/z>, \"a: canary/9f+Vogel=\\\"27\\n\", 12) = 12\n",
        "9 execve(\"/bin/sh\", [\"sh\", \"canary/9f+Vogel=\\\"27\"], []) = 0\n",
    ));
    let found = trace.open_to_others(public);
    let paths: Vec<&str> = found.iter().filter_map(|it| it.split(": ").next()).collect();
    assert_eq!(paths, ["666 for a, b", "777 for open", "640 for /i/.pq-secret-x", "604 for /i/y"]);
    let told = trace.tells(&FORMS, |path| path.starts_with("/dev/shm/"));
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("write of /i/z tells") && told[1].starts_with("execve of"), "{told:?}");
    assert_eq!(trace.made(), 4);
}
