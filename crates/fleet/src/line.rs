//! One line to one machine: what is sent, what it says, and how it ended.
//!
//! Three threads: this one hears what is said, one sends (a large plan fills pipes while the machine talks), one listens
//! to standard error.

use std::io::Write;
use std::process::{Child, ChildStdin, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pq_run::Stop;
use pq_stream::{Diagnostic, system_cause};

use crate::bootstrap;
use crate::ending::{Ending, Lost};
use crate::executor::{Executor, executors};
use crate::login::{Login, Password};
use crate::order::{CANCEL, Frame};
use crate::said::{Lines, Said};
use crate::ssh;
use crate::words::Words;

/// How long ssh may take to end once all was said.
const PATIENCE: Duration = Duration::from_secs(10);

/// How soon the machine hears that the operator asked to stop.
const HEED: Duration = Duration::from_millis(100);

/// What is sent.
pub enum Post {
    /// The order and the plan.
    Frame(Frame),
    /// The executor.
    Executor(Executor),
    /// The password of `sudo`.
    Password(String),
    /// Nothing more.
    Close,
}

/// What is asked of a machine.
pub struct Call<'a> {
    /// The way to it.
    pub login: &'a Login,
    /// The password of `sudo`, where there is one.
    pub password: Option<Password>,
    /// The order and the plan.
    pub frame: Frame,
    /// Whether a person is there to answer ssh's questions.
    pub asks: bool,
    /// How long an answer may take once the frame was sent; a plan takes as long as it takes.
    pub patience: Option<Duration>,
}

/// Who hears what a machine says once its executor has begun.
pub trait Hears {
    /// Takes one line; answers whether it was the last.
    ///
    /// # Errors
    /// Where it cannot be: what is wrong with it.
    fn hear(&mut self, said: Said) -> Result<bool, String>;

    /// The step at work when it last said something.
    fn at_work(&self) -> Option<String>;

    /// Whether what is done there ends with the line.
    fn ends_with_line(&self) -> bool {
        false
    }
}

impl Call<'_> {
    /// Calls the machine and hears it to the end.
    ///
    /// # Errors
    /// Where no last line came.
    pub fn hold(self, stop: &Stop, hears: &mut dyn Hears) -> Result<(), Ending> {
        let executors = executors().map_err(|error| Ending::failed(error.clone()))?;
        let command = bootstrap::command(self.login, self.password.as_ref(), executors);
        let mut child = ssh::start(self.login, &command, self.asks).map_err(|error| {
            Ending::failed(
                Diagnostic::new(format!("cannot run `{}`", self.login.program)).cause(system_cause(&error)),
            )
        })?;
        let (Some(input), Some(output), Some(words)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(Ending::failed(Diagnostic::new("ssh was started without its pipes")));
        };
        let (post, posts) = mpsc::channel();
        let heeded = stop.clone();
        let child = Arc::new(Mutex::new(child));
        let guard = Guard { patience: self.patience, child: child.clone(), over: Arc::default() };
        let late = guard.over.clone();
        thread::spawn(move || send(input, &posts, &heeded, &guard));
        let words = Words::listen(words, self.password.as_ref().map(|it| it.0.clone()), post.clone());
        let send = |it| {
            // Where nobody sends any more, the line is cut, and that is heard.
            let _ = post.send(it);
        };
        if self.password.is_none() {
            send(Post::Frame(self.frame.clone()));
        }
        let mut begun = false;
        let mut sent = false;
        let mut lines = Lines::new(output);
        let over = loop {
            match lines.next() {
                Ok(None) => break Ok(false),
                Ok(Some(Said::Ready)) if !begun && self.password.is_some() => {
                    send(Post::Frame(self.frame.clone()));
                }
                Ok(Some(Said::Lacks { machine })) if !begun && !sent => {
                    let Some(executor) = executors.iter().find(|it| it.machine == machine) else {
                        break Err(Ending::failed(self.no_executor(&machine, executors)));
                    };
                    sent = true;
                    send(Post::Executor(executor.clone()));
                    send(Post::Frame(self.frame.clone()));
                }
                Ok(Some(Said::Begun { .. })) if !begun => begun = true,
                Ok(Some(said)) if begun => match hears.hear(said) {
                    Ok(false) => {}
                    Ok(true) => break Ok(true),
                    Err(cause) => break Err(Ending::failed(self.nonsense(&cause))),
                },
                Ok(Some(_)) => break Err(Ending::failed(self.nonsense("it speaks out of turn"))),
                Err(error) => break Err(Ending::failed(self.nonsense(&error.to_string()))),
            }
        };
        send(Post::Close);
        if over.is_err() {
            let _ = locked(&child).kill();
        }
        let status = ended(&child);
        match over {
            Ok(true) => Ok(()),
            _ if late.load(Ordering::Relaxed) => Err(Ending::failed(self.silent())),
            Err(ending) => Err(ending),
            Ok(false) => Err(Ending::of(Lost {
                login: self.login,
                begun,
                code: status.and_then(|status| status.code()),
                words: words.last(),
                asked: words.asked(),
                at_work: hears.at_work(),
                ends_with_line: hears.ends_with_line(),
            })),
        }
    }

    fn no_executor(&self, machine: &str, executors: &[Executor]) -> Diagnostic {
        let there: Vec<&str> = executors.iter().map(|it| it.machine).collect();
        let machine: String = machine.chars().take(40).collect();
        Diagnostic::new(format!("there is no executor for host `{}`", self.login.host))
            .cause(format!("its architecture is `{machine}`, and there is one for `{}`", there.join("`, `")))
            .hint("`PQ_EXECUTOR` names a directory with `<architecture>/pq-apply`; nothing was touched there")
    }

    fn silent(&self) -> Diagnostic {
        let seconds = self.patience.unwrap_or_default().as_secs();
        Diagnostic::new(format!("host `{}` did not answer within {seconds} s", self.login.host))
            .cause("nothing came over the line")
            .hint("look at that machine: a disk or a server there that hangs can hold it up")
    }

    fn nonsense(&self, cause: &str) -> Diagnostic {
        Diagnostic::new(format!("host `{}` does not answer as an executor does", self.login.host))
            .cause(cause.to_owned())
            .hint("look at that machine: something else may run in the executor's place")
    }
}

/// Sends what is posted, until there is no more, or the line is cut; and that the operator asked to stop.
fn send(mut line: ChildStdin, posts: &Receiver<Post>, stop: &Stop, guard: &Guard) {
    let mut told = false;
    let mut since = None;
    loop {
        let sent = match posts.recv_timeout(HEED) {
            Ok(Post::Frame(frame)) => {
                since = Some(Instant::now());
                frame.write(&mut line)
            }
            Ok(Post::Executor(it)) => {
                let first = format!("executor {} {}\n", it.bytes.len(), it.digest);
                line.write_all(first.as_bytes()).and_then(|()| line.write_all(&it.bytes))
            }
            Ok(Post::Password(password)) => line.write_all(format!("{password}\n").as_bytes()),
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Ok(Post::Close) | Err(RecvTimeoutError::Disconnected) => return,
        };
        if sent.is_err() {
            return;
        }
        if since.is_some_and(|since| guard.is_over(since)) {
            return;
        }
        if !told && stop.asked().is_some() {
            told = true;
            if line.write_all(format!("{CANCEL}\n").as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// Ends a line on which no answer comes.
struct Guard {
    patience: Option<Duration>,
    child: Arc<Mutex<Child>>,
    over: Arc<AtomicBool>,
}

impl Guard {
    /// Whether the time was over, and the line was ended.
    fn is_over(&self, since: Instant) -> bool {
        let over = self.patience.is_some_and(|patience| since.elapsed() > patience);
        if over {
            self.over.store(true, Ordering::Relaxed);
            let _ = locked(&self.child).kill();
        }
        over
    }
}

fn locked(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for ssh; one that does not end is ended.
fn ended(child: &Mutex<Child>) -> Option<ExitStatus> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        match locked(child).try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) => thread::sleep(Duration::from_millis(2)),
            Err(_) => return None,
        }
    }
    let mut child = locked(child);
    let _ = child.kill();
    child.wait().ok()
}
