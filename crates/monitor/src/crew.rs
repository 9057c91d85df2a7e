//! Asks many checks at a time, each within its own time and all within theirs.
//!
//! Always true here: who answers at once is asked by a few at a time, so that the machine does nothing else; who lets us wait holds
//! nobody up; who never answers is left behind, and told to be unknown.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use pq_items::Probe;
use serde_json::Value;

use crate::Answer;
use crate::probe::{Asked, Context, ask, facts, may_pass};

/// How many are asked at a time, of those that have not made us wait.
const AT_ONCE: usize = 8;

/// From when on one makes us wait.
const SLOW: Duration = Duration::from_millis(500);

/// The most that are asked at a time in all.
const MOST: usize = 100;

/// How long is waited before a failure is asked again.
const PAUSE: Duration = Duration::from_secs(2);

/// How much longer than its time a check is waited for: only who hangs in the kernel takes it.
const GRACE: Duration = Duration::from_secs(1);

/// What each of them needs of the stack; the memory is taken as it is used.
const STACK: usize = 512 << 10;

/// A check that is asked.
pub struct Job {
    /// Its whole name.
    pub id: String,
    /// What it asks.
    pub probe: Probe,
    /// How long it may take.
    pub patience: Duration,
    /// What it remembers.
    pub memo: Value,
}

/// Asks all of them; one answer each, by name.
pub fn ask_all(jobs: Vec<Job>, context: &Arc<Context>, until: Instant) -> BTreeMap<String, Asked> {
    let (tell, told) = mpsc::channel();
    let mut waiting: VecDeque<Job> = jobs.into();
    let mut running: BTreeMap<String, (Instant, Instant, Value)> = BTreeMap::new();
    let mut answers = BTreeMap::new();
    loop {
        let now = Instant::now();
        if now >= until {
            break;
        }
        let overdue: Vec<String> =
            running.iter().filter(|(_, it)| now >= it.1 + GRACE).map(|(id, _)| id.clone()).collect();
        for id in overdue {
            if let Some((begun, _, memo)) = running.remove(&id) {
                answers.insert(id, left_behind(begun, memo));
            }
        }
        let quick = || running.values().filter(|it| it.0.elapsed() < SLOW).count();
        if quick() < AT_ONCE
            && running.len() < MOST
            && let Some(job) = waiting.pop_front()
        {
            let (id, memo) = (job.id.clone(), job.memo.clone());
            let deadline = until.min(now + job.patience);
            match begin(job, Arc::clone(context), deadline, tell.clone()) {
                Ok(()) => drop(running.insert(id, (now, deadline, memo))),
                Err(answer) => drop(answers.insert(id, Asked { answer, memo })),
            }
            continue;
        }
        if running.is_empty() && waiting.is_empty() {
            return answers;
        }
        let next = running.values().map(|it| if waiting.is_empty() { it.1 + GRACE } else { it.0 + SLOW });
        let next = next.filter(|it| *it > now).min().unwrap_or(now + SLOW).min(until);
        match told.recv_timeout(next.saturating_duration_since(now)) {
            Ok((id, asked)) => {
                // Who was left behind and answers after all comes too late.
                if running.remove(&id).is_some() {
                    answers.insert(id, asked);
                }
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }
    for (id, (begun, _, memo)) in running {
        answers.insert(id, left_behind(begun, memo));
    }
    for job in waiting {
        let answer = Answer::unknown("deadline", "there was no time left to ask it in this run")
            .hint("too many checks let the run wait: give them a shorter `timeout`, or ask them less often with `every`");
        answers.insert(job.id, Asked { answer, memo: job.memo });
    }
    answers
}

fn left_behind(begun: Instant, memo: Value) -> Asked {
    let seconds = begun.elapsed().as_secs();
    let mut answer =
        Answer::unknown("deadline", format!("nothing came back within {seconds} s, not even an error")).hint(
            "the kernel itself may not answer: a disk or a network file system that hangs (`dmesg | tail`)",
        );
    answer.ms = millis(begun);
    Asked { answer, memo }
}

fn begin(
    job: Job,
    context: Arc<Context>,
    until: Instant,
    tell: Sender<(String, Asked)>,
) -> Result<(), Answer> {
    let work = move || {
        let memo = job.memo.clone();
        let asked = catch_unwind(AssertUnwindSafe(|| with_patience(&job, &context, until)));
        let asked = asked.unwrap_or_else(|_| Asked {
            answer: Answer::unknown("bug", "the check broke down: this is a bug in paquerette"),
            memo,
        });
        // Who asked may have gone.
        let _ = tell.send((job.id, asked));
    };
    let thread = thread::Builder::new().stack_size(STACK).spawn(work);
    match thread {
        Ok(_) => Ok(()),
        Err(error) => Err(Answer::unknown("threads", format!("the machine starts no more threads: {error}"))),
    }
}

/// Asks, and once more where it fails and may be well in a moment.
fn with_patience(job: &Job, context: &Context, until: Instant) -> Asked {
    let begun = Instant::now();
    let mut asked = ask(&job.probe, context, until, &job.memo);
    asked.answer.ms = millis(begun);
    let left = until.saturating_duration_since(Instant::now());
    if !asked.answer.level.is_bad() || !may_pass(&job.probe) || left < PAUSE * 2 {
        return asked;
    }
    thread::sleep(PAUSE);
    let begun = Instant::now();
    let mut again = match &job.probe {
        Probe::Unit(unit) => {
            let left = until.saturating_duration_since(Instant::now());
            let fresh = Context { units: facts(&[unit.name.as_str()], left), ..context.clone() };
            ask(&job.probe, &fresh, until, &job.memo)
        }
        probe => ask(probe, context, until, &job.memo),
    };
    again.answer.ms = millis(begun);
    again
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;
    use pq_items::MonitorStrategy;
    use std::net::TcpListener;

    fn context() -> Arc<Context> {
        let strategy: MonitorStrategy = pq_items::read(
            "x",
            "x",
            "{ schedule: { run: '* * * * *', digest: '0 7 * * 1' }, alerts: { remind_after: [4h] }, thresholds: { damping: { failures: 3, of: 3 }, disk: { warn: 85, critical: 95 }, disk_full_within: 7d, certificate: { warn: 72, critical: 84 } } }",
        )
        .unwrap();
        Arc::new(Context {
            etc: "/nowhere".into(),
            lib: "/nowhere".into(),
            thresholds: strategy.thresholds,
            now: 1_800_000_000,
            units: Ok(BTreeMap::new()),
        })
    }

    fn job(id: String, probe: &str, patience: Duration) -> Job {
        let check: pq_items::Check = pq_items::read("x", "x", &format!("{{ id: x, {probe} }}")).unwrap();
        Job { id, probe: check.probe, patience, memo: Value::Null }
    }

    #[test]
    fn fifty_checks_of_which_ten_hang_are_done_in_the_time_of_one() {
        // It takes connections up and says nothing.
        let mute = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = mute.local_addr().unwrap().port();
        let patience = Duration::from_millis(1_500);
        let hang =
            |at| job(format!("hang{at}"), &format!("http: {{ url: 'http://127.0.0.1:{port}/' }}"), patience);
        let quick = |at| job(format!("quick{at}"), "disk: { path: / }", patience);
        let jobs: Vec<Job> = (0..10).map(hang).chain((0..40).map(quick)).collect();
        let begun = Instant::now();
        let answers = ask_all(jobs, &context(), begun + Duration::from_secs(20));
        assert!(begun.elapsed() < patience + Duration::from_secs(2), "{:?}", begun.elapsed());
        assert_eq!(answers.len(), 50);
        let of = |word: &str, code: &str| {
            answers.iter().filter(|(id, it)| id.starts_with(word) && it.answer.code == code).count()
        };
        assert_eq!((of("hang", "timeout"), of("quick", "ok") + of("quick", "full")), (10, 40));
    }

    #[test]
    fn what_does_not_come_back_by_the_end_of_the_run_is_not_known() {
        let jobs = vec![job("a".to_owned(), "command: { argv: [sleep, '30'] }", Duration::from_secs(30))];
        let begun = Instant::now();
        let answers = ask_all(jobs, &context(), begun + Duration::from_millis(600));
        assert!(begun.elapsed() < Duration::from_secs(3));
        let answer = &answers["a"].answer;
        assert!(answer.code == "deadline" || answer.code == "timeout", "{answer:?}");
    }

    #[test]
    fn a_failure_of_a_moment_is_asked_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(700));
            let listener = TcpListener::bind(address).unwrap();
            thread::sleep(Duration::from_secs(4));
            drop(listener);
        });
        let probe = format!("tcp: {{ host: 127.0.0.1, port: {} }}", address.port());
        let jobs = vec![job("a".to_owned(), &probe, Duration::from_secs(10))];
        let answers = ask_all(jobs, &context(), Instant::now() + Duration::from_secs(10));
        assert_eq!(answers["a"].answer.level, Level::Ok, "{:?}", answers["a"].answer);
    }
}
