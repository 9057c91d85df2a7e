//! What a tool did, as strace noted it: which files it made and for whom, what it called, where it wrote which text.

use std::collections::HashMap;
use std::path::Path;

use pq_tests::Forms;

/// What is noted.
const CALLS: [&str; 19] = [
    "open",
    "openat",
    "creat",
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "chmod",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "umask",
    "execve",
    "write",
    "pwrite64",
    "writev",
    "pwritev",
    "sendto",
    "memfd_create",
];

/// Whether programs can be traced here.
///
/// # Panics
/// Where they cannot, and nothing may be left out.
pub fn available() -> bool {
    let there = std::process::Command::new("strace").args(["-o", "/dev/null", "true"]).status();
    let there = there.is_ok_and(|status| status.success());
    let required = std::env::var_os("PQ_E2E").is_some_and(|wish| wish == "require");
    assert!(there || !required, "strace is required: `make tools` installs it");
    if !there {
        eprintln!("skipped: no program can be traced here; `make tools` installs strace");
    }
    there
}

/// What stands before a command to trace it.
pub fn command(to: &Path) -> String {
    // Not every system has all of them.
    let calls: Vec<String> = CALLS.iter().map(|call| format!("?{call}")).collect();
    format!("strace -f -y -v -qq -s 70000 -e signal=none -e trace={} -o {}", calls.join(","), to.display())
}

/// What was noted of a run.
pub struct Trace {
    lines: Vec<Line>,
}

struct Line {
    process: String,
    /// The call.
    call: String,
    /// Its arguments, as they were noted.
    arguments: String,
}

impl Trace {
    /// Reads what was noted; nothing where no program was traced.
    pub fn read(from: &Path) -> Option<Self> {
        let text = String::from_utf8_lossy(&std::fs::read(from).ok()?).into_owned();
        let line = |line: &str| {
            let (process, rest) = line.split_once(' ')?;
            let (call, arguments) = rest.trim_start().split_once('(')?;
            // What was interrupted is told in two halves; the arguments are in the first.
            call.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then(|| Line {
                process: process.to_owned(),
                call: call.to_owned(),
                arguments: before_result(arguments).to_owned(),
            })
        };
        Some(Trace { lines: text.lines().filter_map(line).collect() })
    }

    /// How many files and directories were made.
    pub fn made(&self) -> usize {
        self.lines.iter().filter(|line| line.makes().is_some()).count()
    }

    /// What was made that others may read, even for a moment, and is not `public`.
    pub fn open_to_others(&self, public: impl Fn(&str) -> bool) -> Vec<String> {
        let mut wrong = Vec::new();
        // Whoever is called begins with the mask of the first process as that is then.
        let (first, mut masks) = (self.lines.first().map(|line| line.process.clone()), HashMap::new());
        for line in &self.lines {
            let of_first = first.as_ref().and_then(|first| masks.get(first)).copied().unwrap_or(0);
            let mask = *masks.entry(line.process.clone()).or_insert(of_first);
            if line.call == "umask" {
                masks.insert(line.process.clone(), octal(&line.arguments).unwrap_or(0));
            }
            let made = line.makes().map(|mode| mode & !mask);
            let mode = made.or_else(|| line.changes()).unwrap_or(0);
            if mode & 0o077 != 0 && (made.is_some() || !public(&line.path())) {
                wrong.push(format!("{mode:o} for {}: {}({})", line.path(), line.call, line.shown()));
            }
        }
        wrong
    }

    /// Secrets in what was called, and in what was written anywhere but where `may` allows.
    pub fn tells(&self, forms: &Forms, may: impl Fn(&str) -> bool) -> Vec<String> {
        let mut wrong = Vec::new();
        let first = self.lines.first().map(|line| &line.process);
        for line in &self.lines {
            // How the tool itself was called is for whoever called it to answer.
            if line.call == "execve" && Some(&line.process) == first {
                continue;
            }
            let Some(form) = forms.seen_in(&unescaped(&line.arguments)) else { continue };
            let writes = line.call.contains("write") || line.call == "sendto";
            if !writes || !may(&line.path()) {
                wrong.push(format!("{} of {} tells {form}", line.call, line.path()));
            }
        }
        wrong
    }
}

impl Line {
    /// The mode of what it makes.
    fn makes(&self) -> Option<u32> {
        let flags = self.arguments.rsplit('"').next().unwrap_or("");
        match self.call.as_str() {
            "open" | "openat" if flags.contains("O_CREAT") || flags.contains("O_TMPFILE") => octal(flags),
            "creat" | "mkdir" | "mkdirat" | "mknod" | "mknodat" => octal(flags),
            _ => None,
        }
    }

    /// The mode that it gives.
    fn changes(&self) -> Option<u32> {
        let after = self.arguments.rsplit(['"', '>']).next().unwrap_or("");
        self.call.contains("chmod").then(|| octal(after.trim_end_matches(", 0"))).flatten()
    }

    /// The file that it is about: in quotes, or the one that a number stands for.
    fn path(&self) -> String {
        let first = self.arguments.split(", ").next().unwrap_or("");
        let of_number = first.split_once('<').map(|(_, path)| path.trim_end_matches('>'));
        let quoted = self.arguments.split('"').nth(1);
        let named = self.call.contains("open") || self.call.contains("mkdir") || self.call.ends_with("at");
        let path = if named { quoted.or(of_number) } else { of_number.or(quoted) };
        path.unwrap_or("").to_owned()
    }

    fn shown(&self) -> String {
        self.arguments.chars().take(200).collect()
    }
}

/// What stands between the parentheses of a call.
fn before_result(text: &str) -> &str {
    let whole = text.rsplit_once(" = ").and_then(|(call, _)| call.trim_end().strip_suffix(')'));
    whole.unwrap_or_else(|| text.trim_end_matches(" <unfinished ...>"))
}

/// The last number of a text, in octal.
fn octal(text: &str) -> Option<u32> {
    let last = text.trim_end_matches([')', ' ']).rsplit([' ', ',']).next()?;
    u32::from_str_radix(last.trim(), 8).ok()
}

/// A text without the escapes of C.
fn unescaped(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let digits = tail.iter().take(3).take_while(|byte| (b'0'..b'8').contains(*byte)).count();
        match (digits, tail.first()) {
            (0, Some(byte)) => {
                bytes.push(match byte {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    other => *other,
                });
                rest = &tail[1..];
            }
            (0, None) => {}
            (count, _) => {
                bytes.push(
                    tail[..count].iter().fold(0, |value: u8, digit| value.wrapping_mul(8) + (digit - b'0')),
                );
                rest = &tail[count..];
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What this module says of lines that strace could have written.
pub fn of_text(lines: &str) -> Trace {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lines).unwrap();
    Trace::read(file.path()).unwrap()
}
