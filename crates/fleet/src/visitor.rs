//! Comes in to a machine by a new connection, which shows that what a run there did has locked nobody out.
//!
//! Always true here: who is refused does not ask again. The connection is a new one, also where the operator's ssh shares them, by the same login and the same
//! sudo as the run's own; the run itself waits for nobody here.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pq_run::Stop;
use pq_stream::Run;

use crate::login::{Login, Password};
use crate::order::Question;
use crate::question::Asked;
use crate::said::Said;

/// How long one attempt may take: a firewall that drops what comes answers nothing.
const ATTEMPT: u64 = 10;

/// The time behind the first attempt, for which a server that reloads may not have been there yet.
const SOON: Duration = Duration::from_secs(2);

/// The time between two others: a firewall that limits ssh counts one that it refuses twice, and takes no sixth within 30 seconds.
const PAUSE: Duration = Duration::from_secs(16);

/// Who comes in, and how.
pub struct Visitor {
    login: Login,
    password: Option<Password>,
    run: Run,
    /// Why the last attempt was none.
    why: Arc<Mutex<Option<String>>>,
}

impl Visitor {
    /// Comes in as this login.
    pub fn new(login: &Login, password: Option<Password>, run: &Run) -> Self {
        let mut login = login.clone();
        // Of each option, ssh takes the first.
        let anew = ["-oControlMaster=no", "-oControlPath=none", &format!("-oConnectTimeout={ATTEMPT}")];
        login.options.splice(0..0, anew.map(str::to_owned));
        Visitor { login, password, run: run.clone(), why: Arc::default() }
    }

    /// Tries to, for as long as that.
    pub fn come_in(&self, within: Duration) {
        let (login, password, run) = (self.login.clone(), self.password.clone(), self.run.clone());
        let why = self.why.clone();
        let end = Instant::now() + within.min(Duration::from_secs(120));
        thread::spawn(move || {
            let mut pause = SOON;
            while Instant::now() < end {
                let answer = attempt(&login, password.clone(), &run);
                let done = answer.as_ref().err().is_none_or(|why| is_final(why));
                // Who came in too late found what was undone already: why nobody did before is still to be told.
                if answer.is_err() || Instant::now() < end {
                    *why.lock().unwrap_or_else(PoisonError::into_inner) = answer.err();
                }
                if done {
                    return;
                }
                thread::sleep(std::mem::replace(&mut pause, PAUSE));
            }
        });
    }

    /// Why the last attempt came to nothing; nothing where it came in, or there was none.
    pub fn why_not(&self) -> Option<String> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether there is no use in another attempt: the server answers, and lets nobody in. Each that it refuses counts for those who ban
/// addresses that try too often.
fn is_final(why: &str) -> bool {
    ["Permission denied", "Too many authentication failures", "Host key verification failed"]
        .iter()
        .any(|words| why.contains(words))
}

fn attempt(login: &Login, password: Option<Password>, run: &Run) -> Result<(), String> {
    let asked = Asked {
        question: Question::ComeIn,
        base: String::new(),
        steps: Arc::default(),
        words: Vec::new(),
        run,
        asks: false,
        patience: Some(Duration::from_secs(2 * ATTEMPT)),
        stop: &Stop::default(),
        take: |said| matches!(said, Said::CameIn).then_some(()),
        note: &|_| {},
        told: &|_| {},
    };
    asked.put(login, password).map_err(|ending| {
        let why = ending.why.first();
        why.map_or_else(|| ending.word.to_owned(), |why| why.causes.first().unwrap_or(&why.message).clone())
    })
}
