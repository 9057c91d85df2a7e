//! Who is told of a run that failed, where nobody sits before it: by mail, and by a page that tells of a run that did not come.
//!
//! Always true here: that nobody could be told is told, and fails nothing: what was done is done.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use pq_items::BackupAlerts;
use pq_stream::Diagnostic;

/// How long the page may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where mail goes in.
const SENDMAIL: &str = "/usr/sbin/sendmail";

/// Who is told of one run.
pub struct Alert {
    host: String,
    to: BackupAlerts,
}

impl Alert {
    /// Of a run on this machine.
    pub fn new(host: &str, to: &BackupAlerts) -> Self {
        Alert { host: host.to_owned(), to: to.clone() }
    }

    /// It begins.
    pub fn begin(&self) {
        self.ping("/start");
    }

    /// It ended, with what failed: of which item, and why.
    pub fn end(&self, failed: &[(Option<String>, Diagnostic)]) {
        match failed.is_empty() {
            true => self.ping(""),
            false => {
                self.ping("/fail");
                self.mail(failed);
            }
        }
    }

    fn ping(&self, end: &str) {
        let Some(url) = &self.to.ping else { return };
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
        let url = format!("{}{end}", url.as_str().trim_end_matches('/'));
        // Twice: lines fail for a moment.
        let _ = agent.get(&url).call().or_else(|_| agent.get(&url).call());
    }

    fn mail(&self, failed: &[(Option<String>, Diagnostic)]) {
        if self.to.mail.is_empty() {
            return;
        }
        let text = letter(&self.host, &self.to, failed);
        let sent = Command::new(SENDMAIL)
            .args(["-t", "-oi"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        if let Ok(mut child) = sent {
            if let Some(mut input) = child.stdin.take() {
                let _ = input.write_all(text.as_bytes());
            }
            let _ = child.wait();
        }
    }
}

fn letter(host: &str, to: &BackupAlerts, failed: &[(Option<String>, Diagnostic)]) -> String {
    let all: Vec<&str> = to.mail.iter().map(|it| it.as_str()).collect();
    let mut names: Vec<&str> = failed.iter().filter_map(|(item, _)| item.as_deref()).collect();
    names.dedup();
    let what = if names.is_empty() { "backups".to_owned() } else { names.join(", ") };
    let mut text = format!(
        "To: {}\nSubject: [{host}] backup failed: {what}\nContent-Type: text/plain; charset=utf-8\nAuto-Submitted: auto-generated\n\n",
        all.join(", ")
    );
    for (item, why) in failed {
        let item = item.as_deref().map_or_else(String::new, |item| format!("{item}: "));
        text.push_str(&format!("{item}{}\n", line(&why.message)));
        why.causes.iter().for_each(|it| text.push_str(&format!("  cause: {}\n", line(it))));
        why.hints.iter().for_each(|it| text.push_str(&format!("  hint: {}\n", line(it))));
    }
    text.push_str(&format!("\n`pq-backup status` on {host} says how old every backup is.\n"));
    text
}

fn line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_names_what_failed_and_no_name_writes_a_header() {
        let to = BackupAlerts { mail: vec!["a@example.org".to_owned().try_into().unwrap()], ping: None };
        let why = Diagnostic::new("cannot dump\nBcc: x@example.org").cause("gone").hint("look");
        let text = letter("web", &to, &[(Some("wiki".to_owned()), why)]);
        assert!(text.starts_with("To: a@example.org\nSubject: [web] backup failed: wiki\n"), "{text}");
        assert!(
            text.contains("\nwiki: cannot dump Bcc: x@example.org\n  cause: gone\n  hint: look\n"),
            "{text}"
        );
    }
}
