//! Takes messages from the spool to people.
//!
//! Always true here: ways do not wait for each other; by one way the older message goes first, and where it is not taken the others
//! wait; what was taken is written down before the next one is sent. A message that a way does not take although it takes others
//! holds them up for some hours, and is then set aside and named.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;

use crate::channel::{PATIENCE, Way};
use crate::spool::{Spool, next};
use crate::{Message, State};

/// What came of it.
#[derive(Debug, Default, PartialEq)]
pub struct Delivered {
    /// How many were taken, a message by each way.
    pub taken: usize,
    /// By which way nothing goes, and why.
    pub failed: BTreeMap<String, String>,
    /// What could not be written down.
    pub unwritten: Option<String>,
    /// What was not taken by every way.
    pub waiting: Vec<Message>,
}

/// How often a message is tried alone; one more is tried behind it afterwards, which tells whether the way or the message is in trouble.
const ALONE: u32 = 5;

/// How often a message is tried at most by a way that takes others.
const ENOUGH: u32 = 15;

/// What a way says of a message: which one, and why it was not taken.
type Said = (String, usize, Result<(), String>);

/// Sends what is due, and writes down what was taken.
pub fn deliver(
    spool: &Spool,
    messages: Vec<Message>,
    ways: &BTreeMap<String, Way>,
    state: &mut State,
    now: i64,
    until: Instant,
) -> Delivered {
    let zone = TimeZone::system();
    let mut delivered = Delivered::default();
    let mut messages = messages;
    for message in &mut messages {
        forget(message, ways, &zone);
        if message.to.is_empty() {
            note(spool.update(message), &mut delivered);
        }
    }
    let (tell, told) = mpsc::channel::<Said>();
    let mut open = 0;
    for (name, way) in ways {
        let first = messages.iter().filter_map(|it| it.to.get(name)).next();
        // The oldest decides: what it waits for, the others wait for too.
        if first.is_none_or(|waiting| waiting.next > now) {
            continue;
        }
        let letters: Vec<_> = messages
            .iter()
            .enumerate()
            .filter_map(|(at, it)| {
                let waiting = it.to.get(name)?;
                Some((at, waiting.tries, it.letter(waiting.pressing, &zone)?))
            })
            .collect();
        let (way, name, tell) = (way.clone(), name.clone(), tell.clone());
        open += 1;
        thread::spawn(move || {
            let mut refused = false;
            for (at, tries, letter) in letters {
                if until.saturating_duration_since(Instant::now()) < Duration::from_millis(500) {
                    return;
                }
                let said = way.send(&letter);
                let not = said.is_err();
                let over = not && (refused || tries < ALONE);
                refused |= not;
                if tell.send((name.clone(), at, said)).is_err() || over {
                    return;
                }
            }
        });
    }
    drop(tell);
    // The last one may have begun just before the end.
    let end = until + PATIENCE + Duration::from_secs(1);
    let mut takes: BTreeSet<String> = BTreeSet::new();
    while open > 0
        && let Ok((name, at, said)) = told.recv_timeout(end.saturating_duration_since(Instant::now()))
    {
        let Some(message) = messages.get_mut(at) else { continue };
        match said {
            Ok(()) => {
                message.to.remove(&name);
                state.proven.insert(name.clone(), now);
                takes.insert(name);
                delivered.taken += 1;
            }
            Err(why) => {
                if let Some(waiting) = message.to.get_mut(&name) {
                    waiting.tries = waiting.tries.saturating_add(1);
                    waiting.next = next(now, waiting.tries);
                    waiting.why = Some(crate::answer::line(&why));
                }
                delivered.failed.insert(name, why);
            }
        }
        note(spool.update(message), &mut delivered);
    }
    for message in &mut messages {
        set_aside(spool, message, &takes, &mut delivered);
    }
    messages.retain(|message| !message.to.is_empty());
    Delivered { waiting: messages, ..delivered }
}

/// Sets a message aside that was refused often enough by ways which took others just now.
fn set_aside(spool: &Spool, message: &mut Message, takes: &BTreeSet<String>, delivered: &mut Delivered) {
    let refusing = |name: &String, tries: u32| tries >= ENOUGH && takes.contains(name);
    if message.to.iter().any(|(name, waiting)| refusing(name, waiting.tries)) {
        match spool.refuse(message) {
            Ok(()) => message.to.retain(|name, waiting| !refusing(name, waiting.tries)),
            Err(error) => return note(Err(error), delivered),
        }
        note(spool.update(message), delivered);
    }
}

fn note(written: std::io::Result<()>, delivered: &mut Delivered) {
    if let Err(error) = written {
        delivered.unwritten = Some(pq_stream::system_cause(&error));
    }
}

/// Waits no more for ways that are not there any more, or that want nothing of this message.
fn forget(message: &mut Message, ways: &BTreeMap<String, Way>, zone: &TimeZone) {
    let wanted: Vec<String> = message
        .to
        .iter()
        .filter(|(name, waiting)| {
            ways.contains_key(*name) && message.letter(waiting.pressing, zone).is_some()
        })
        .map(|(name, _)| name.clone())
        .collect();
    message.to.retain(|name, _| wanted.contains(name));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;
    use crate::channel::{addressed, ways};
    use crate::event::Kind;
    use crate::message::tests::event;
    use pq_items::MonitorAlerts;
    use std::fs;
    use std::path::Path;

    /// Two ways by programs: `good` appends the title to a file, `bad` fails as long as a file `down` is there.
    fn two(dir: &Path) -> BTreeMap<String, Way> {
        let dir = dir.display();
        let text = format!(
            "{{ remind_after: [4h], channels: [{{ name: good, exec: {{ argv: [sh, -c, 'cat >>{dir}/good'] }} }}, {{ name: bad, exec: {{ argv: [sh, -c, 'test ! -e {dir}/down && cat >>{dir}/bad'] }} }}] }}"
        );
        let alerts: MonitorAlerts = pq_items::read("x", "x", &text).unwrap();
        ways(&alerts)
    }

    fn titles(dir: &Path, way: &str) -> Vec<String> {
        let text = fs::read_to_string(dir.join(way)).unwrap_or_default();
        let id = |line: &str| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_str().unwrap().to_owned()
        };
        text.lines().map(id).collect()
    }

    #[test]
    fn a_way_that_is_down_for_an_hour_gets_all_in_their_order_and_once() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::new(dir.path());
        let ways = two(dir.path());
        let mut state = State::default();
        fs::write(dir.path().join("down"), "").unwrap();
        let mut run = |now: i64| {
            let (messages, _) = spool.all().unwrap();
            deliver(&spool, messages, &ways, &mut state, now, Instant::now() + Duration::from_secs(5))
        };
        for minute in 0..60 {
            if minute % 20 == 0 {
                let event = event(Kind::Began, &format!("a/c{minute}"), Level::Critical);
                let message = Message::of("web", minute * 60, vec![event], addressed(&ways)).unwrap();
                spool.put(&message).unwrap();
            }
            let delivered = run(minute * 60);
            assert_eq!(delivered.unwritten, None);
        }
        assert_eq!(titles(dir.path(), "good").len(), 3);
        assert_eq!(titles(dir.path(), "bad").len(), 0);
        let waits = spool.all().unwrap().0;
        assert_eq!(waits.len(), 3);
        assert!(waits[0].to["bad"].tries < 20, "it is not asked each minute: {:?}", waits[0].to);
        assert!(waits[0].to["bad"].why.as_ref().is_some_and(|why| why.contains("ended with 1")));
        fs::remove_file(dir.path().join("down")).unwrap();
        for minute in 60..80 {
            run(minute * 60);
        }
        assert_eq!(titles(dir.path(), "bad"), ["a/c0-began", "a/c20-began", "a/c40-began"]);
        assert_eq!(titles(dir.path(), "good").len(), 3);
        assert!(spool.all().unwrap().0.is_empty());
    }

    #[test]
    fn a_message_that_a_way_refuses_holds_the_others_up_for_hours_and_not_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::new(dir.path());
        let at = dir.path().display();
        let text = format!(
            "{{ remind_after: [4h], channels: [{{ name: odd, exec: {{ argv: [sh, -c, 'text=$(cat); case $text in *a/c0*) exit 1; esac; printf \"%s\\n\" \"$text\" >>{at}/odd'] }} }}] }}"
        );
        let ways = ways(&pq_items::read::<MonitorAlerts>("x", "x", &text).unwrap());
        let mut state = State::default();
        for minute in 0..240 {
            if minute % 60 == 0 {
                let event = event(Kind::Began, &format!("a/c{minute}"), Level::Critical);
                spool.put(&Message::of("web", minute * 60, vec![event], addressed(&ways)).unwrap()).unwrap();
            }
            let until = Instant::now() + Duration::from_secs(5);
            let delivered = deliver(&spool, spool.all().unwrap().0, &ways, &mut state, minute * 60, until);
            assert_eq!(delivered.unwritten, None);
        }
        assert_eq!(titles(dir.path(), "odd"), ["a/c60-began", "a/c120-began", "a/c180-began"]);
        assert!(spool.all().unwrap().0.is_empty(), "it was given up");
        assert_eq!(spool.refused(0).len(), 1, "and kept");
    }

    #[test]
    fn a_way_that_is_no_more_holds_no_message() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::new(dir.path());
        let ways = two(dir.path());
        let message =
            Message::of("web", 1, vec![event(Kind::Began, "a/b", Level::Critical)], addressed(&ways))
                .unwrap();
        spool.put(&message).unwrap();
        let none = BTreeMap::new();
        deliver(
            &spool,
            vec![message],
            &none,
            &mut State::default(),
            2,
            Instant::now() + Duration::from_secs(1),
        );
        assert!(spool.all().unwrap().0.is_empty());
    }
}
