//! One inventory that is made, read by a tool, and taken away; and what is asked of the outcome.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use pq_tests::Forms;
use wait4::Wait4 as _;

/// The secret that no output may hold; what it is in url, json and base64 differs from what it is raw.
pub const CANARY: &str = "canary/9f+Vogel=\"27";

/// One that needs no quotes, so that it stands bare where a file is broken.
pub const BARE: &str = "canary8gMeiseVogelX31";

/// The letters in which the key of a broken file of identities is written.
pub const KEY: &str = "GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J3";

/// All of them, in each form.
static FORMS: LazyLock<Forms> = LazyLock::new(|| Forms::of([CANARY, BARE, KEY]));

/// What a run may cost: more in an unoptimised build.
const SECONDS: f64 = if cfg!(debug_assertions) { 8.0 } else { 1.0 };
const BYTES: u64 = 100_000_000;

/// An inventory, by the files that it holds.
pub struct Case {
    /// A sentence.
    pub name: String,
    /// Paths below the inventory, and what stands there.
    pub files: Vec<(String, Vec<u8>)>,
    /// The file, and the line where there is one, that the error must name.
    pub blames: String,
    /// What else stands below the directory that holds the inventory.
    pub things: Vec<(String, Thing)>,
    /// The tool.
    pub tool: &'static str,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
    /// What it reads.
    pub stdin: Vec<u8>,
}

/// What a path can be besides a file with content.
pub enum Thing {
    /// A directory.
    Directory,
    /// A named pipe.
    Pipe,
    /// A socket.
    Socket,
    /// A symbolic link.
    Link(&'static str),
    /// What stands there already, with another mode; the tool runs as somebody who is not root.
    Mode(u32),
}

/// The ways to look at an inventory besides `--json`.
const LOOKS: &[&str] = &[
    "--text -v",
    "--lint --text",
    "--lint --json",
    "--list",
    "--host a",
    "--explain password a --text",
    "--explain password a --json",
    "--explain instances --text",
    "--explain x --text",
];

/// The identity that opens what the cases encrypt.
pub fn identity() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/secrets/tests/ed25519").display().to_string()
}

/// How a run ended.
pub struct Outcome {
    code: Option<i32>,
    stdout: String,
    pub stderr: String,
    seconds: f64,
    bytes: u64,
    left: Vec<String>,
}

impl Case {
    /// A case with a `hosts` file of one host and another file.
    pub fn with(name: impl Into<String>, path: &str, content: impl Into<Vec<u8>>, blames: &str) -> Self {
        let mut files = vec![(path.to_owned(), content.into())];
        if path != "hosts" {
            files.push(("hosts".to_owned(), b"a ansible_connection=local\n".to_vec()));
        }
        Case {
            name: name.into(),
            files,
            blames: blames.to_owned(),
            things: Vec::new(),
            tool: "pq-inventory",
            arguments: vec!["--json".to_owned(), "--identity".to_owned(), identity()],
            environment: Vec::new(),
            stdin: Vec::new(),
        }
    }

    /// A case of other arguments.
    pub fn calling(mut self, tool: &'static str, arguments: &[&str]) -> Self {
        self.tool = tool;
        self.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        self
    }

    /// A case with something else at a path.
    pub fn having(mut self, path: &str, thing: Thing) -> Self {
        self.files
            .retain(|(known, _)| *path != format!("inventory/{known}") || matches!(thing, Thing::Mode(_)));
        self.things.push((path.to_owned(), thing));
        self
    }

    fn make(&self, place: &Path) {
        let inventory = place.join("inventory");
        fs::create_dir_all(&inventory).unwrap();
        for (path, content) in &self.files {
            let path = inventory.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        for (path, thing) in &self.things {
            let path = place.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match thing {
                Thing::Directory => fs::create_dir_all(path).unwrap(),
                Thing::Pipe => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
                Thing::Socket => drop(UnixListener::bind(path).unwrap()),
                Thing::Link(target) => symlink(target, path).unwrap(),
                Thing::Mode(mode) => {
                    fs::set_permissions(place, fs::Permissions::from_mode(0o755)).unwrap();
                    fs::set_permissions(path, fs::Permissions::from_mode(*mode)).unwrap();
                }
            }
        }
    }

    /// Reads it as a person would.
    pub fn run(&self) -> Outcome {
        let place = tempfile::tempdir().unwrap();
        self.make(place.path());
        self.called(place.path(), &self.arguments)
    }

    /// Looks at it in every other way that there is: arguments, and how that ended.
    pub fn looked_at(&self) -> Vec<(String, Outcome)> {
        let place = tempfile::tempdir().unwrap();
        self.make(place.path());
        let keys = self.arguments.iter().filter(|argument| *argument != "--json");
        let look = |look: &&str| {
            let arguments: Vec<String> =
                look.split(' ').map(str::to_owned).chain(keys.clone().cloned()).collect();
            ((*look).to_owned(), self.called(place.path(), &arguments))
        };
        // Bytes that are cut or changed stop every look at the same place.
        let damaged = self.name.contains("age file");
        LOOKS.iter().take(if damaged { 2 } else { LOOKS.len() }).map(look).collect()
    }

    /// Calls the tool, with backtraces wanted and no mask on what is made.
    fn called(&self, place: &Path, arguments: &[String]) -> Outcome {
        let as_nobody = self.things.iter().any(|(_, thing)| matches!(thing, Thing::Mode(_)));
        let who = match as_nobody && nix::unistd::geteuid().is_root() {
            true => "setpriv --reuid 65534 --regid 65534 --clear-groups",
            false => "",
        };
        let before = listing(place);
        let out = tempfile::tempdir().unwrap();
        let stdin = out.path().join("stdin");
        fs::write(&stdin, &self.stdin).unwrap();
        let to = |name: &str| Stdio::from(fs::File::create(out.path().join(name)).unwrap());
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(format!(
                "umask 000; ulimit -c unlimited; exec timeout -s KILL 20 {who} \"$0\" \"$@\" < \"$STDIN\""
            ))
            .arg(pq_tests::tools().join(self.tool))
            .args(arguments)
            .current_dir(place)
            .env_clear()
            .envs([("PATH", "/usr/bin:/bin"), ("RUST_BACKTRACE", "1")])
            .envs([("HOME", place), ("TMPDIR", place)])
            .env("STDIN", &stdin)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdout(to("stdout"))
            .stderr(to("stderr"))
            .spawn()
            .unwrap();
        let used = child.wait4().unwrap();
        let read =
            |name: &str| String::from_utf8_lossy(&fs::read(out.path().join(name)).unwrap()).into_owned();
        let mut left = listing(place);
        left.retain(|path| !before.contains(path));
        Outcome {
            code: used.status.code().or_else(|| used.status.signal().map(|signal| 128 + signal)),
            stdout: read("stdout"),
            stderr: read("stderr"),
            seconds: (used.rusage.utime + used.rusage.stime).as_secs_f64(),
            bytes: used.rusage.maxrss,
            left,
        }
    }
}

impl Outcome {
    /// One that holds a text on stderr, to try what is looked for.
    pub fn that_said(text: &str) -> Self {
        let (stdout, stderr) = (String::new(), text.to_owned());
        Outcome { code: None, stdout, stderr, seconds: 0.0, bytes: 0, left: Vec::new() }
    }

    /// What about it is not as an error has to be.
    pub fn unlike_a_refusal(&self, case: &Case) -> Vec<String> {
        let mut found = self.too_much();
        let mut demand = |holds: bool, what: &str| {
            if !holds {
                found.push(what.to_owned());
            }
        };
        demand(self.code == Some(2), &format!("status {:?}", self.code));
        demand(self.stdout.is_empty(), "something on stdout");
        demand(self.stderr.contains("error: "), "no error");
        // The parser of the command line has words of its own.
        let hint = self.stderr.contains("hint: ") || self.stderr.contains("try '--help'");
        demand(hint, "no hint");
        demand(self.stderr.contains(&case.blames), &format!("`{}` is not named", case.blames));
        found
    }

    /// What about it is not as anything has to be.
    pub fn unlike_any(&self) -> Vec<String> {
        let mut found = self.too_much();
        if !matches!(self.code, Some(0 | 2 | 3)) {
            found.push(format!("status {:?}", self.code));
        }
        found
    }

    /// What about it is not as a success has to be.
    pub fn unlike_a_success(&self) -> Vec<String> {
        let mut found = self.too_much();
        if self.code != Some(0) {
            found.push(format!("status {:?}", self.code));
        }
        found
    }

    fn too_much(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.seconds > SECONDS {
            found.push(format!("{:.1} s of processor time", self.seconds));
        }
        if self.bytes > BYTES {
            found.push(format!("{} MB", self.bytes / 1_000_000));
        }
        if self.stderr.contains("panicked") || self.stderr.contains("backtrace") {
            found.push("a panic".to_owned());
        }
        if self.stderr.len() > 20_000 {
            found.push(format!("{} bytes on stderr", self.stderr.len()));
        }
        if !self.left.is_empty() {
            found.push(format!("left behind: {:?}", self.left));
        }
        found
    }

    /// Where the canary is seen.
    pub fn leaks(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if let Some(form) = FORMS.seen_in(text) {
                found.push(format!("THE CANARY on {name}: {form}"));
            }
        }
        found
    }
}

fn listing(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(listing(&path));
        }
        found.push(path.display().to_string());
    }
    found
}
