//! A file has one line. The rest of the file, its owner and its mode are somebody else's, and stay.

use pq_stream::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AbsPath, Check, Converge, Differences, Error, Kind, Meta, Mode, Probe, Stat, System, Text};

/// A file that exists has exactly this line; with `starts`, in the place of the one that begins so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The file; it must exist.
    pub path: AbsPath,
    /// The line, without its line end.
    pub line: Text,
    /// How the lines begin that this one replaces, also behind a `#`; without it, a missing line is appended.
    /// Afterwards no other line that counts begins so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<String>,
}

impl Line {
    /// What stands at the path, which must be a file.
    fn file(&self, machine: &dyn Probe) -> Result<(Stat, Vec<u8>), Error> {
        if self.line.as_str().contains(['\n', '\r', '\0']) {
            return Err(Error::failed(
                format!("cannot put the line into `{}`", self.path),
                "what is filled in holds a line end",
            ));
        }
        let absent = || Error::absent("file", self.path.as_str());
        let is = machine.stat(&self.path)?.ok_or_else(absent)?;
        if is.kind != Kind::File {
            return Err(Diagnostic::new(format!("cannot edit `{}`", self.path))
                .cause(format!("{} stands there", is.kind.words()))
                .hint("name the file itself")
                .into());
        }
        Ok((is, machine.read(&self.path)?.ok_or_else(absent)?))
    }

    /// The file as it should be.
    fn edited(&self, content: &[u8]) -> Vec<u8> {
        let mut lines: Vec<&[u8]> = content.split(|byte| *byte == b'\n').collect();
        if lines.last().is_some_and(|last| last.is_empty()) {
            lines.pop();
        }
        let wanted = self.line.as_bytes();
        match self.starts.as_deref().map(str::as_bytes) {
            None => {
                if !lines.contains(&wanted) {
                    lines.push(wanted);
                }
            }
            Some(starts) => {
                let counts = |line: &&[u8]| line.trim_ascii_start().starts_with(starts);
                let place = (lines.iter().position(|line| *line == wanted))
                    .or_else(|| lines.iter().position(counts))
                    .or_else(|| lines.iter().position(|line| commented(line, starts)));
                let before = place.unwrap_or(lines.len());
                let mut kept: Vec<&[u8]> =
                    lines[..before].iter().copied().filter(|line| !counts(line)).collect();
                kept.push(wanted);
                let after = lines.get(before + 1..).unwrap_or_default();
                kept.extend(after.iter().copied().filter(|line| !counts(line)));
                lines = kept;
            }
        }
        let mut edited = lines.join(&b'\n');
        edited.push(b'\n');
        // A file that lacks only its last line end has the line all the same.
        if edited.strip_suffix(b"\n") == Some(content) { content.to_vec() } else { edited }
    }

    /// The mode that the file must have: others do not read a secret.
    fn mode(&self, is: Mode) -> Mode {
        if self.line.is_secret() { Mode::from_bits(is.bits() & !0o007) } else { is }
    }
}

/// Whether a line begins so behind a `#`.
fn commented(line: &[u8], starts: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    let bare = line.iter().position(|byte| !b"# \t".contains(byte)).unwrap_or(line.len());
    line.starts_with(b"#") && line[bare..].starts_with(starts)
}

impl Converge for Line {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let (is, content) = self.file(machine)?;
        let mut found = Differences::new();
        if self.edited(&content) != content {
            match self.line.is_secret() {
                true => found.push("line (secret)", None, None),
                false => found.push("line", None, Some(self.line.as_str())),
            }
        }
        found.between("mode", &is.mode, &self.mode(is.mode));
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        let (is, content) = self.file(machine)?;
        let mode = self.mode(is.mode);
        let meta = Meta { mode: (mode != is.mode).then_some(mode), ownership: None };
        machine.write(&self.path, &self.edited(&content), &meta)
    }

    fn validate(&self) -> Result<(), String> {
        let line = self.line.as_str();
        if line.trim().is_empty() || line.contains(['\n', '\r', '\0']) {
            return Err("`line` is empty or more than one line".to_owned());
        }
        match &self.starts {
            Some(starts) if starts.is_empty() => Err("`starts` is empty".to_owned()),
            Some(starts) if !line.starts_with(starts.as_str()) => {
                Err(format!("`line` does not begin with `starts` `{}`", starts.escape_debug()))
            }
            _ => Ok(()),
        }
    }

    fn texts(&mut self) -> Vec<&mut Text> {
        vec![&mut self.line]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(line: &str, starts: Option<&str>, content: &str) -> String {
        let path = AbsPath::new("/etc/x").unwrap();
        let line = Line { path, line: line.into(), starts: starts.map(str::to_owned) };
        let once = line.edited(content.as_bytes());
        assert_eq!(line.edited(&once), once, "twice is once");
        String::from_utf8(once).unwrap()
    }

    #[test]
    fn a_missing_line_is_appended_and_the_rest_stays() {
        assert_eq!(edited("b", None, ""), "b\n");
        assert_eq!(edited("b", None, "a"), "a\nb\n");
        assert_eq!(edited("b", None, "a\n\n"), "a\n\nb\n");
        assert_eq!(edited("b", None, "b"), "b");
        assert_eq!(edited("b", None, "b\na\n"), "b\na\n");
    }

    #[test]
    fn a_line_takes_the_place_of_the_one_that_begins_so() {
        let port = |content| edited("Port 23", Some("Port "), content);
        assert_eq!(port("#Port 22\nUser x\n"), "Port 23\nUser x\n");
        assert_eq!(port("# Port 1\nPort 22\nUser x\nPort 24\n"), "# Port 1\nPort 23\nUser x\n");
        assert_eq!(port("Port 22\nPort 23\n"), "Port 23\n");
        assert_eq!(port("Ports 22\n"), "Ports 22\nPort 23\n");
        assert_eq!(port("User x"), "User x\nPort 23\n");
    }
}
