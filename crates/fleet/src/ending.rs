//! Why a machine gave no verdict: not reached, cut, refused, or something that failed.

use pq_stream::{Diagnostic, Status};

use crate::bootstrap::KEPT_IN;
use crate::login::Login;

/// No verdict came.
#[derive(Debug)]
pub struct Ending {
    /// What follows.
    pub status: Status,
    /// In a word, for the line of the machine.
    pub word: &'static str,
    /// Why, for people.
    pub why: Vec<Diagnostic>,
}

/// What is known when a line has ended without a verdict.
#[derive(Debug)]
pub struct Lost<'a> {
    /// The way to the machine.
    pub login: &'a Login,
    /// Whether the executor had begun.
    pub begun: bool,
    /// The exit status of ssh; none where a signal ended it.
    pub code: Option<i32>,
    /// The last words.
    pub words: Vec<String>,
    /// How often the password of `sudo` was asked for.
    pub asked: usize,
    /// The step at work.
    pub at_work: Option<String>,
    /// Whether what was done there ends with the line.
    pub ends_with_line: bool,
}

impl Ending {
    /// One that something of ours caused.
    pub fn failed(why: Diagnostic) -> Self {
        Ending { status: Status::Failed, word: "failed", why: vec![why] }
    }

    /// What follows of what is known: ssh itself ends with 255, and everything else is the other side's.
    pub fn of(lost: Lost<'_>) -> Self {
        let own = lost.code.is_none_or(|code| code == 255);
        match (lost.begun, own) {
            (true, true) => lost.cut(),
            (true, false) => lost.died(),
            (false, true) => lost.unreachable(),
            (false, false) => lost.not_begun(),
        }
    }
}

impl Lost<'_> {
    fn told(&self, message: String) -> Diagnostic {
        self.words.iter().fold(Diagnostic::new(message), |told, words| told.cause(words.clone()))
    }

    fn said(&self, what: &str) -> bool {
        self.words.iter().any(|words| words.contains(what))
    }

    fn unreachable(self) -> Ending {
        let host = &self.login.host;
        let why = self.told(format!("cannot reach host `{host}`"));
        let by_hand = format!("`{}` must work by hand", self.shown());
        let hint = if self.said("Host key verification failed")
            || self.said("HOST IDENTIFICATION HAS CHANGED")
        {
            format!("compare its host key, and accept it by hand: `{}`", self.shown())
        } else if self.said("Permission denied") {
            format!("is the right key loaded (`ssh-add -l`)? {by_hand}, without a question")
        } else if self.said("Could not resolve hostname") {
            format!("set `ansible_host` for `{host}`, or a `Host {host}` in ~/.ssh/config; {by_hand}")
        } else if self.said("Connection refused") {
            format!(
                "does ssh listen there? a firewall that limits it (`ufw limit`: 6 connections in 30 seconds) lets it through again half a minute later; {by_hand}"
            )
        } else {
            format!("is it on, and is there a way to it? {by_hand}")
        };
        let before = ["connect to host", "resolve hostname", "Permission denied", "Host key verification"];
        let state = match before.iter().any(|words| self.said(words)) {
            true => "nothing was touched there; run the same command again",
            false => {
                "whether the run began there is not known: run the same command again, it looks at everything"
            }
        };
        let why = why.hint(hint).hint(state);
        Ending { status: Status::Busy, word: "unreachable", why: vec![why] }
    }

    fn cut(self) -> Ending {
        let host = &self.login.host;
        let mut why = self.told(format!("the line to host `{host}` was cut"));
        if self.ends_with_line {
            let why = why
                .hint("what was at work there ends with the line; what was whole stays so")
                .hint("run the same command again");
            return Ending { status: Status::Busy, word: "line cut", why: vec![why] };
        }
        why = match &self.at_work {
            Some(id) => why.cause(format!("step `{id}` was at work when it last answered")),
            None => why.cause("no step was at work when it last answered"),
        };
        let why = why
            .hint("the run goes on there, and what becomes of it is in its journal")
            .hint("run the same command again: it says what is done, and does what is left");
        Ending { status: Status::Busy, word: "line cut", why: vec![why] }
    }

    fn died(self) -> Ending {
        let code = self.code.unwrap_or_default();
        let why = self
            .told(format!("the executor on host `{}` ended early", self.login.host))
            .cause(format!("it ended with status {code}, before it had told all"))
            .hint(
                "run the same command again: what was begun is in the journal there, and is looked at again",
            );
        Ending::failed(why)
    }

    fn not_begun(self) -> Ending {
        let host = &self.login.host;
        let user = "ansible_become_password";
        let why = match self.code {
            _ if self.asked > 1 => self
                .told(format!("cannot become root on host `{host}`"))
                .cause("sudo did not take the password")
                .hint(format!("correct `{user}` for this host, or give the right one with `--ask-become-pass`")),
            _ if self.said("a password is required") => self
                .told(format!("cannot become root on host `{host}`"))
                .hint(format!("give sudo's password with `--ask-become-pass`, or set `{user}` in an age file")),
            Some(77) => self
                .told(format!("cannot become root on host `{host}`"))
                .hint("set `ansible_user` to root, or take `ansible_become: false` out"),
            _ if self.said("sudo:") => self.told(format!("cannot become root on host `{host}`")).hint(
                "the user that logs in must be root, or may run everything with sudo (`sudo -l` says it there)",
            ),
            _ if self.said("GLIBC_") => self
                .told(format!("the executor does not start on host `{host}`"))
                .hint("it was built for a newer C library: send a portable build, named by `PQ_EXECUTOR`"),
            Some(78) => self
                .told(format!("cannot keep the executor on host `{host}`"))
                .hint(format!("`{KEPT_IN}` must be root's own directory, with some megabytes left on its disk")),
            code => self
                .told(format!("the executor did not begin on host `{host}`"))
                .cause(format!("the command there ended with status {}", code.unwrap_or_default()))
                .hint(format!("`{}` must work by hand, with a plain shell on the other side", self.shown())),
        };
        Ending::failed(why.hint("nothing was touched there"))
    }

    /// What a person would type to get there.
    fn shown(&self) -> String {
        let words = [&self.login.program].into_iter().chain(&self.login.options).chain([&self.login.address]);
        let quoted = words.map(|word| shlex::try_quote(word).map_or_else(|_| word.clone(), Into::into));
        quoted.collect::<Vec<String>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::Sudo;

    fn ending(begun: bool, code: i32, words: &[&str], asked: usize) -> (Status, &'static str, String) {
        let login = Login {
            host: "web".to_owned(),
            program: "ssh".to_owned(),
            options: vec!["-p22".to_owned()],
            address: "10.0.0.1".to_owned(),
            sudo: Sudo::Allowed(None),
        };
        let words = words.iter().map(|it| (*it).to_owned()).collect();
        let at_work = begun.then(|| "wiki/site".to_owned());
        let lost =
            Lost { login: &login, begun, code: Some(code), words, asked, at_work, ends_with_line: false };
        let ending = Ending::of(lost);
        let why = ending.why.iter().map(|it| format!("{it}: {}", it.hints.join("; "))).collect();
        (ending.status, ending.word, why)
    }

    #[test]
    fn unreachable_is_told_from_failed_and_from_cut() {
        let (status, word, why) = ending(false, 255, &["ssh: connect to host: Connection refused"], 0);
        assert_eq!((status, word), (Status::Busy, "unreachable"));
        assert!(why.contains("Connection refused") && why.contains("`ssh -p22 10.0.0.1` must work"), "{why}");
        let (status, word, why) = ending(true, 255, &["Timeout, server not responding."], 0);
        assert_eq!((status, word), (Status::Busy, "line cut"));
        assert!(why.contains("`wiki/site` was at work") && why.contains("goes on there"), "{why}");
        assert_eq!(ending(true, 137, &[], 0).0, Status::Failed);
    }

    #[test]
    fn each_trouble_has_its_own_hint() {
        for (code, words, asked, hint) in [
            (1, "sudo: a password is required", 0, "--ask-become-pass"),
            (1, "Sorry, try again.", 2, "did not take the password"),
            (1, "sudo: ops is not in the sudoers file", 1, "sudo -l"),
            (1, "/lib/libc.so.6: version `GLIBC_2.34' not found", 0, "portable build"),
            (77, "the login is not root", 0, "ansible_user"),
            (78, "head: No space left on device", 0, "megabytes"),
            (127, "sh: not found", 0, "status 127"),
            (255, "Host key verification failed.", 0, "compare its host key"),
            (255, "root@h: Permission denied (publickey).", 0, "ssh-add -l"),
        ] {
            let why = ending(false, code, &[words], asked).2;
            assert!(why.contains(hint) && why.contains(words), "{why}");
        }
    }
}
