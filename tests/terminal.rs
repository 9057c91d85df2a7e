//! What a person sees who sits at a terminal: a real one (a pty), with the real tools, keys and an editor.

#![expect(clippy::unwrap_used, reason = "what the runner itself cannot do ends the test")]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rexpect::session::{PtySession, spawn_command};
use tempfile::TempDir;

const FILE: &str = "inventory/group_vars/all/secrets.yml.age";

/// What is typed, or stands in the file, and is never shown.
const TYPED: &str = "canary-typed-Vogel-27";

/// An inventory with one secret, and a home with its identity.
struct Desk {
    place: TempDir,
    /// Where drafts lie.
    memory: TempDir,
}

impl Desk {
    fn new() -> Self {
        let memory = tempfile::Builder::new().tempdir_in("/dev/shm").unwrap();
        let desk = Desk { place: tempfile::tempdir().unwrap(), memory };
        fs::create_dir_all(desk.at("inventory")).unwrap();
        fs::write(desk.at("inventory/hosts"), "[prod]\nweb1\n").unwrap();
        desk.does("pq-secret keygen --add");
        desk.does(&format!("printf first-value | pq-secret set {FILE} token"));
        desk
    }

    fn at(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn command(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).current_dir(self.place.path()).env_clear();
        command.env("PATH", format!("{}:/usr/bin:/bin", pq_tests::tools().display()));
        command.env("HOME", self.place.path()).env("TERM", "dumb").env("EDITOR", "./editor");
        command.env("XDG_RUNTIME_DIR", self.memory.path());
        command
    }

    fn run(&self, script: &str) -> Output {
        self.command(script).output().unwrap()
    }

    /// Runs what has to end well, without a terminal; what it said.
    fn does(&self, script: &str) -> String {
        let output = self.run(script);
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{script}: {}", said(&output.stderr));
        said(&output.stdout) + &said(&output.stderr)
    }

    /// Begins a script on a terminal that shows what is typed. At its end it says how the script ended, and whether the
    /// terminal still shows that.
    fn sits(&self, script: &str) -> PtySession {
        let all = format!(
            "trap : INT\nstty echo\n{script}\necho \"ended: $?\"\nstty -a | tr ' ;' '\\n\\n' | grep -x -e echo -e -echo\n"
        );
        spawn_command(self.command(&all), Some(20_000)).unwrap()
    }

    fn token(&self) -> String {
        self.does(&format!("pq-secret get {FILE} token"))
    }

    /// Makes the editor that is used: lines of a shell's, in which `$1` is the file.
    fn editor(&self, lines: &str) {
        fs::write(self.at("editor"), format!("#!/bin/sh\n{lines}\n")).unwrap();
        fs::set_permissions(self.at("editor"), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The drafts in memory.
    fn drafts(&self) -> Vec<PathBuf> {
        fs::read_dir(self.memory.path()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

/// Whether the program `age` can be run; where no test may be left out, it has to be.
fn age_is_here() -> bool {
    let here = Command::new("age").arg("--version").output().is_ok();
    let required = std::env::var("PQ_E2E").is_ok_and(|wish| wish == "require");
    assert!(here || !required, "there is no `age`: `make tools` installs it");
    if !here {
        eprintln!("skipped: there is no `age`");
    }
    here
}

/// Reads to the end; the script ended so, and the terminal is what it was.
fn ends(session: &mut PtySession, code: &str) -> String {
    let said = session.exp_string(&format!("ended: {code}\r\n")).unwrap();
    let rest = session.exp_eof().unwrap();
    assert_eq!(rest.trim(), "echo", "the terminal shows what is typed again");
    said
}

#[test]
fn a_value_is_asked_for_twice_and_shown_never() {
    let desk = Desk::new();
    let mut terminal = desk.sits(&format!("pq-secret set {FILE} token"));
    let mut seen = terminal.exp_string("token: ").unwrap();
    terminal.send_line(TYPED).unwrap();
    seen += &terminal.exp_string("token, again: ").unwrap();
    terminal.send_line(TYPED).unwrap();
    seen += &ends(&mut terminal, "0");
    assert!(seen.contains("`token` was changed in") && !seen.contains("canary"), "{seen}");
    assert_eq!(desk.token().trim(), TYPED);
}

#[test]
fn two_values_that_differ_change_nothing() {
    let desk = Desk::new();
    let mut terminal = desk.sits(&format!("pq-secret set {FILE} token"));
    terminal.exp_string("token: ").unwrap();
    terminal.send_line(TYPED).unwrap();
    terminal.exp_string("again: ").unwrap();
    terminal.send_line("canary-typed-otherwise").unwrap();
    let seen = ends(&mut terminal, "2");
    assert!(seen.contains("the two are not the same") && !seen.contains("canary"), "{seen}");
    assert_eq!(desk.token().trim(), "first-value");
}

#[test]
fn ctrl_c_at_a_question_leaves_the_terminal_as_it_was() {
    let desk = Desk::new();
    let mut terminal = desk.sits(&format!("pq-secret set {FILE} token"));
    terminal.exp_string("token: ").unwrap();
    terminal.send("canary-half").unwrap();
    terminal.send_control('c').unwrap();
    let seen = ends(&mut terminal, "130");
    assert!(!seen.contains("canary"), "{seen}");
    assert_eq!(desk.token().trim(), "first-value");
    let beside = fs::read_dir(desk.at(FILE).parent().unwrap()).unwrap().count();
    assert_eq!(beside, 1, "nothing is left beside the file");
}

#[test]
fn the_passphrase_of_an_identity_is_asked_for_and_not_shown() {
    if !age_is_here() {
        return;
    }
    let desk = Desk::new();
    let identity = desk.at(".config/paquerette/identity.txt");
    let mut locking = desk.sits("age -p -o locked.txt .config/paquerette/identity.txt");
    for _ in 0..2 {
        locking.exp_regex("passphrase[^:]*: ").unwrap();
        locking.send_line(TYPED).unwrap();
    }
    ends(&mut locking, "0");
    fs::rename(desk.at("locked.txt"), identity).unwrap();
    let mut terminal = desk.sits(&format!("pq-secret get {FILE} token"));
    let mut seen = terminal.exp_string("identity.txt`: ").unwrap();
    terminal.send_line(TYPED).unwrap();
    seen += &ends(&mut terminal, "0");
    assert!(seen.contains("first-value") && !seen.contains("canary"), "{seen}");
    let mut terminal = desk.sits(&format!("pq-secret get {FILE} token"));
    let mut seen = terminal.exp_string("identity.txt`: ").unwrap();
    terminal.send_line("canary-wrong").unwrap();
    seen += &ends(&mut terminal, "2");
    assert!(seen.contains("hint:") && !seen.contains("canary") && !seen.contains("first-value"), "{seen}");
}

#[test]
fn plain_age_opens_what_is_written_and_writes_what_is_opened() {
    if !age_is_here() {
        return;
    }
    let desk = Desk::new();
    let plain = desk.does(&format!("age -d -i .config/paquerette/identity.txt {FILE}"));
    assert_eq!(plain, "token: 'first-value'\n");
    desk.does(&format!("echo 'token: of-plain-age' | age -R inventory/.age-recipients -o {FILE}"));
    assert_eq!(desk.token().trim(), "of-plain-age");
}

#[test]
fn what_the_editor_broke_is_edited_again_and_saved() {
    let desk = Desk::new();
    desk.editor("if [ -e once ]; then echo 'token: second-value' >\"$1\"; else touch once; echo 'token: [' >\"$1\"; fi");
    let mut terminal = desk.sits(&format!("pq-secret edit {FILE}"));
    let seen = terminal.exp_string("go on editing? [Y/n] ").unwrap();
    assert!(seen.contains("is what it was"), "{seen}");
    assert_eq!(desk.token().trim(), "first-value");
    terminal.send_line("").unwrap();
    let seen = ends(&mut terminal, "0");
    assert!(seen.contains("was changed"), "{seen}");
    assert_eq!(desk.token().trim(), "second-value");
    assert!(desk.drafts().is_empty());
}

#[test]
fn what_is_not_saved_stays_in_memory_and_the_next_one_says_where() {
    let desk = Desk::new();
    desk.editor("echo 'token: [canary' >\"$1\"");
    let mut terminal = desk.sits(&format!("pq-secret edit {FILE}"));
    terminal.exp_string("go on editing? [Y/n] ").unwrap();
    terminal.send_line("n").unwrap();
    let seen = ends(&mut terminal, "2");
    let [draft] = &desk.drafts()[..] else { panic!("{:?}", desk.drafts()) };
    assert!(seen.contains(&draft.display().to_string()) && !seen.contains("canary"), "{seen}");
    assert_eq!(fs::read_to_string(draft.join("secrets.yml")).unwrap(), "token: [canary\n");
    assert_eq!(fs::metadata(draft).unwrap().mode() & 0o777, 0o700);
    let next = desk.does(&format!("pq-secret set {FILE} more --generate"));
    assert!(next.contains(&format!("`rm -r {}`", draft.display())), "{next}");
    assert_eq!(desk.token().trim(), "first-value");
}

#[test]
fn a_killed_edit_is_told_of_by_the_next_one() {
    let desk = Desk::new();
    desk.editor("echo 'token: canary-unsaved' >\"$1\"; echo $PPID >ready; sleep 60");
    let mut terminal =
        desk.sits(&format!("pq-secret edit {FILE} & echo $! >tool; wait $!; kill $(cat ready)"));
    while !desk.at("ready").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    desk.does("kill -KILL $(cat tool)");
    terminal.exp_string("ended: ").unwrap();
    let [draft] = &desk.drafts()[..] else { panic!("{:?}", desk.drafts()) };
    let next = desk.does(&format!("pq-secret set {FILE} more --generate"));
    assert!(next.contains(&draft.display().to_string()) && !next.contains("canary"), "{next}");
    assert_eq!(desk.token().trim(), "first-value");
}

#[test]
fn keys_for_the_editor_end_no_edit() {
    let desk = Desk::new();
    desk.editor("trap 'echo caught >caught' INT; echo begun; while [ ! -e caught ]; do sleep 0.05; done; echo 'token: after-the-key' >\"$1\"");
    let mut terminal = desk.sits(&format!("pq-secret edit {FILE}"));
    terminal.exp_string("begun").unwrap();
    terminal.send_control('c').unwrap();
    ends(&mut terminal, "0");
    assert_eq!(desk.token().trim(), "after-the-key");
}

#[test]
fn a_terminal_may_see_secrets_and_a_file_only_with_yes() {
    let desk = Desk::new();
    let mut terminal = desk.sits("pq-inventory --explain token web1 --reveal");
    let seen = ends(&mut terminal, "0");
    assert!(seen.contains("first-value"), "{seen}");
    let mut terminal = desk.sits("pq-inventory --explain token web1 --reveal >out");
    let seen = ends(&mut terminal, "2");
    assert!(seen.contains("--yes") && !seen.contains("first-value"), "{seen}");
    assert_eq!(fs::read(desk.at("out")).unwrap(), b"");
}

#[test]
fn a_file_keeps_its_owner_and_its_mode_whoever_changes_it() {
    let desk = Desk::new();
    let file = desk.at(FILE);
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
    assert_eq!(mode(&file), 0o600, "a new file is its owner's alone");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let root = nix::unistd::geteuid().is_root();
    if root {
        std::os::unix::fs::chown(&file, Some(65534), Some(65534)).unwrap();
    }
    desk.editor("echo 'more: of-the-editor' >>\"$1\"");
    for change in ["set FILE other --generate", "edit FILE", "rekey"] {
        desk.does(&format!("pq-secret {}", change.replace("FILE", FILE)));
        assert_eq!(mode(&file), 0o640, "{change}");
        let metadata = fs::metadata(&file).unwrap();
        assert!(!root || (metadata.uid(), metadata.gid()) == (65534, 65534), "{change}");
    }
    // What becomes an encrypted file is as open as what it was.
    fs::write(desk.at("inventory/group_vars/prod.yml"), "pin: canary-sealed\n").unwrap();
    fs::set_permissions(desk.at("inventory/group_vars/prod.yml"), fs::Permissions::from_mode(0o640)).unwrap();
    desk.does("pq-secret seal inventory/group_vars/prod.yml");
    assert_eq!(mode(&desk.at("inventory/group_vars/prod.yml.age")), 0o640);
}

/// A plan for two machines at which nothing listens.
const TWO: &str = r#"{"type":"run","format":1,"inventory":"/i","digest":"0","time":"2026-11-23T00:00:00Z"}
{"type":"host","host":"one","groups":[],"connection":{"kind":"ssh","address":"127.0.0.1","port":1},"vars":{"ansible_ssh_common_args":"-F none"}}
{"type":"step","host":"one","id":"a/dir","title":"a directory","do":"directory","path":"/srv/a"}
{"type":"host","host":"two","groups":[],"connection":{"kind":"ssh","address":"127.0.0.1","port":1},"vars":{"ansible_ssh_common_args":"-F none"}}
{"type":"step","host":"two","id":"a/dir","title":"a directory","do":"directory","path":"/srv/a"}
{"type":"end","hosts":2,"status":0}
"#;

#[test]
fn before_several_machines_are_changed_a_person_is_asked() {
    let desk = Desk::new();
    fs::write(desk.at("plan"), TWO).unwrap();
    let mut terminal = desk.sits("pq-apply <plan");
    terminal.exp_string("change 2 hosts (one, two)? [y/N] ").unwrap();
    terminal.send_line("").unwrap();
    let said = ends(&mut terminal, "2");
    assert!(said.contains("nothing was touched") && !said.contains("unreachable"), "{said}");

    let mut terminal = desk.sits("pq-apply <plan");
    terminal.exp_string("[y/N] ").unwrap();
    terminal.send_line("y").unwrap();
    let said = ends(&mut terminal, "75");
    assert!(said.contains("one: unreachable") && said.contains("two: unreachable"), "{said}");

    // Nobody is asked who looks only, or has said so before.
    for options in ["--check", "--yes"] {
        let mut terminal = desk.sits(&format!("pq-apply {options} <plan"));
        let said = ends(&mut terminal, "75");
        assert!(!said.contains("[y/N]") && said.contains("2 hosts: 0 well, "), "{said}");
    }
}

#[test]
fn the_password_of_sudo_is_asked_for_and_not_shown() {
    let desk = Desk::new();
    fs::write(desk.at("plan"), TWO).unwrap();
    let mut terminal = desk.sits("pq-apply --yes --ask-become-pass <plan");
    let mut seen = terminal.exp_string("password for sudo on the other machines: ").unwrap();
    terminal.send_line(TYPED).unwrap();
    seen += &ends(&mut terminal, "75");
    assert!(!seen.contains("canary"), "{seen}");
}
