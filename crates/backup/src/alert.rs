//! Who is told of a run that failed, where nobody sits before it: by mail, and by a page that tells of a run that did not come.
//!
//! Always true here: that nobody could be told is told, and fails nothing: what was done is done.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use pq_items::BackupAlerts;
use pq_stream::{Diagnostic, system_cause};

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

    /// It begins; what is answered is why nobody could be told.
    pub fn begin(&self) -> Vec<Diagnostic> {
        self.ping("/start").err().into_iter().collect()
    }

    /// It ended, with what failed: of which item, and why. What is answered is why nobody could be told.
    pub fn end(&self, failed: &[(Option<String>, Diagnostic)]) -> Vec<Diagnostic> {
        let told = match failed.is_empty() {
            true => [self.ping(""), Ok(())],
            false => [self.ping("/fail"), self.mail(failed)],
        };
        told.into_iter().filter_map(Result::err).collect()
    }

    fn ping(&self, end: &str) -> Result<(), Diagnostic> {
        let Some(url) = &self.to.ping else { return Ok(()) };
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
        let base = url.as_str().trim_end_matches('/');
        let url = format!("{base}{end}");
        // Twice: lines fail for a moment.
        let asked = agent.get(&url).call().or_else(|_| agent.get(&url).call());
        asked.map(drop).map_err(|error| {
            // Whoever knows the whole address may say that all is well.
            let (scheme, rest) = base.split_once("://").unwrap_or(("http", base));
            let host = rest.split('/').next().unwrap_or_default();
            Diagnostic::new(format!("`{scheme}://{host}` could not be told how backups go"))
                .cause(error.to_string().replace(base, "…"))
                .hint("`backup_ping` is its address; there, a run that says nothing counts as one that did not come")
        })
    }

    fn mail(&self, failed: &[(Option<String>, Diagnostic)]) -> Result<(), Diagnostic> {
        if self.to.mail.is_empty() {
            return Ok(());
        }
        let cannot = |cause: String| {
            Diagnostic::new(format!("cannot send mail through `{SENDMAIL}`")).cause(cause).hint(
                "`smtp_host` in the inventory says where mail goes, and `pq-inventory HOST | pq-server --apply` sets it up",
            )
        };
        let text = letter(&self.host, &self.to, failed);
        let mut child = Command::new(SENDMAIL)
            .args(["-t", "-oi"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| cannot(system_cause(&error)))?;
        let written = child.stdin.take().map_or(Ok(()), |mut input| input.write_all(text.as_bytes()));
        let ended = child.wait().map_err(|error| cannot(system_cause(&error)))?;
        match (written, ended.success()) {
            (Err(error), _) => Err(cannot(system_cause(&error))),
            (_, false) => Err(cannot(format!("it ended with {ended}"))),
            _ => Ok(()),
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
    #[test]
    fn that_nobody_could_be_told_is_said_without_the_address_that_is_a_secret() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let url = format!("http://{closed}/ping/0b1e5c3a");
        let to = BackupAlerts { mail: Vec::new(), ping: Some(url.try_into().unwrap()) };
        let said = Alert::new("web", &to).end(&[]);
        let text = format!("{:?}", said);
        assert!(said.len() == 1 && text.contains(&closed.to_string()), "{text}");
        assert!(!text.contains("0b1e5c3a"), "{text}");
    }
}
