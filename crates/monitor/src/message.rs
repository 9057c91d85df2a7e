//! What people are sent: the events of one run in one message, a digest, a test.
//!
//! Always true here: its id is the same whenever it is sent again; no text in it begins a header or a line of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::Level;
use crate::answer::line;
use crate::event::{Event, Kind};

/// How many events a message shows in full; of others it says how many there are.
const SHOWN: usize = 30;

/// What people are sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The same whenever it is sent again.
    pub id: String,
    /// The machine.
    pub host: String,
    /// When it was written.
    pub at: i64,
    /// What is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    /// Its title, where it is no report of events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its text, where it is no report of events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// By which channels it goes out still.
    pub to: BTreeMap<String, Waiting>,
}

/// That a channel has not taken a message yet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Waiting {
    /// How many times it was tried.
    pub tries: u32,
    /// Not before this time.
    pub next: i64,
    /// Why it was not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Only what is pressing goes this way.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pressing: bool,
}

/// A message as a channel sends it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Letter {
    /// The same whenever it is sent again.
    pub id: String,
    /// The machine.
    pub host: String,
    /// When it was written, in UTC.
    pub time: String,
    /// The worst that it tells of.
    pub level: Level,
    /// Whether it only tells that things ended.
    pub over: bool,
    /// One line.
    pub title: String,
    /// All of it.
    pub text: String,
    /// The same for programs.
    pub events: Vec<Event>,
}

impl Message {
    /// A message of events, to these channels.
    pub fn of(host: &str, at: i64, events: Vec<Event>, to: BTreeMap<String, Waiting>) -> Option<Self> {
        let id = events.first()?.id.clone();
        Some(Message { id, host: host.to_owned(), at, events, title: None, lines: Vec::new(), to })
    }

    /// A message of words, to these channels.
    pub fn words(
        host: &str,
        at: i64,
        title: &str,
        lines: Vec<String>,
        to: BTreeMap<String, Waiting>,
    ) -> Self {
        let word: String = title.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
        let id = format!("{:08x}{}", at, word.to_lowercase());
        let lines = lines.iter().map(|it| line(it)).collect();
        Message { id, host: host.to_owned(), at, events: Vec::new(), title: Some(line(title)), lines, to }
    }

    /// The message as a channel sends it; nothing where it has nothing for it.
    pub fn letter(&self, pressing: bool, zone: &TimeZone) -> Option<Letter> {
        let wanted = |it: &&Event| !pressing || it.level == Level::Critical;
        let events: Vec<Event> = self.events.iter().filter(wanted).cloned().collect();
        let letter = |level, over, title, text| Letter {
            id: self.id.clone(),
            host: self.host.clone(),
            time: utc(self.at),
            level,
            over,
            title,
            text,
            events: events.clone(),
        };
        if let Some(title) = &self.title {
            let title = format!("[{}] {title}", self.host);
            return Some(letter(Level::Ok, false, title, self.lines.join("\n") + "\n"));
        }
        let worst = events.iter().filter(|it| it.kind != Kind::Ended).map(|it| it.level).max();
        let title = title(&self.host, &events)?;
        let text = text(&self.host, &events, zone);
        Some(letter(worst.unwrap_or_default(), worst.is_none(), title, text))
    }
}

/// One line: the worst, and how many more there are.
fn title(host: &str, events: &[Event]) -> Option<String> {
    let order = |it: &&Event| (it.kind != Kind::Ended, it.level);
    let first = events.iter().rev().max_by_key(order)?;
    let word = match first.kind {
        Kind::Ended => "OK".to_owned(),
        Kind::Again => format!("still {}", first.level),
        Kind::Flaps => format!("{} now and then", first.level),
        Kind::Began | Kind::Worse => first.level.to_string(),
    };
    let mut title = format!("[{host}] {word} {}: {}", first.check, first.answer.message);
    if first.kind == Kind::Ended {
        title = format!("[{host}] OK {}: {}", first.check, first.about);
    }
    let more = events.len() - 1;
    if more > 0 {
        let _ = write!(title, " (and {more} more)");
    } else if !first.children.is_empty() {
        let _ = write!(title, " (and {} that stand on it)", first.children.len());
    }
    Some(title)
}

/// All of it, the worst first, and what ended last.
fn text(host: &str, events: &[Event], zone: &TimeZone) -> String {
    let mut sorted: Vec<&Event> = events.iter().collect();
    sorted.sort_by_key(|it| (it.kind == Kind::Ended, std::cmp::Reverse(it.level)));
    let mut text = String::new();
    for event in sorted.iter().take(SHOWN) {
        let name = named(&event.check, &event.about);
        let since = here(event.since, zone);
        let answer = &event.answer;
        let _ = match event.kind {
            Kind::Ended => writeln!(
                text,
                "OK        {name}\n  it was {} and is well again: {}",
                event.level, answer.message
            ),
            Kind::Flaps => writeln!(
                text,
                "{:8}  {name}\n  it comes and goes, since {since}; last: {}",
                event.level, answer.message
            ),
            Kind::Again => {
                writeln!(text, "{:8}  {name}\n  still, since {since}: {}", event.level, answer.message)
            }
            Kind::Began | Kind::Worse => {
                writeln!(text, "{:8}  {name}\n  since {since}: {}", event.level, answer.message)
            }
        };
        if let Some(hint) = answer.hint.as_ref().filter(|_| event.kind != Kind::Ended) {
            let _ = writeln!(text, "  hint: {hint}");
        }
        for child in event.children.iter().take(SHOWN) {
            let _ = writeln!(text, "  with it: {}: {}", named(&child.check, &child.about), child.message);
        }
        if event.children.len() > SHOWN {
            let _ = writeln!(text, "  and {} more with it", event.children.len() - SHOWN);
        }
        text.push('\n');
    }
    if events.len() > SHOWN {
        let _ = writeln!(text, "and {} more\n", events.len() - SHOWN);
    }
    let _ = writeln!(text, "`pq-monitor status` on {host} says how all is; `pq-monitor explain CHECK` why.");
    text
}

/// A check, with what it is where its item says that.
fn named(check: &str, about: &str) -> String {
    if about == check { check.to_owned() } else { format!("{check} ({about})") }
}

/// A time by the machine's own clock, as people read it.
pub fn here(time: i64, zone: &TimeZone) -> String {
    let Ok(time) = Timestamp::from_second(time) else { return "long ago".to_owned() };
    time.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

/// A time in UTC.
pub fn utc(time: i64) -> String {
    let seconds = u64::try_from(time).unwrap_or_default();
    pq_stream::utc(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::Answer;
    use crate::event::Child;

    pub(crate) fn event(kind: Kind, check: &str, level: Level) -> Event {
        Event {
            id: format!("{check}-{}", kind.word()),
            kind,
            check: check.to_owned(),
            about: "the wiki answers".to_owned(),
            level,
            since: 1_800_000_000,
            at: 1_800_000_180,
            answer: Answer::critical("refused", "connection refused\nBcc: x@y").hint("look"),
            children: Vec::new(),
        }
    }

    fn message(events: Vec<Event>) -> Message {
        Message::of("web", 1_800_000_180, events, BTreeMap::new()).unwrap()
    }

    #[test]
    fn a_message_names_the_worst_first_and_all_of_it() {
        let mut down = event(Kind::Began, "db/runs", Level::Critical);
        down.children.push(Child {
            check: "wiki/page".into(),
            about: "the wiki".into(),
            message: "502".into(),
        });
        let all =
            vec![event(Kind::Ended, "a/b", Level::Critical), event(Kind::Began, "c/d", Level::Warning), down];
        let letter = message(all).letter(false, &TimeZone::UTC).unwrap();
        assert_eq!(letter.title, "[web] CRITICAL db/runs: connection refused Bcc: x@y (and 2 more)");
        assert_eq!(letter.level, Level::Critical);
        let at = |what: &str| letter.text.find(what).unwrap_or_else(|| panic!("{what}: {}", letter.text));
        assert!(at("CRITICAL  db/runs") < at("WARNING   c/d") && at("WARNING   c/d") < at("OK        a/b"));
        assert!(at("  with it: wiki/page (the wiki): 502") < at("WARNING   c/d"));
        assert!(letter.text.contains("since 2027-01-15 08:00 UTC"), "{}", letter.text);
    }

    #[test]
    fn a_channel_for_what_is_pressing_gets_nothing_else() {
        let mixed = message(vec![
            event(Kind::Began, "c/d", Level::Warning),
            event(Kind::Ended, "a/b", Level::Critical),
        ]);
        let letter = mixed.letter(true, &TimeZone::UTC).unwrap();
        assert!(letter.over && !letter.text.contains("c/d"), "{}", letter.text);
        assert_eq!(
            message(vec![event(Kind::Began, "c/d", Level::Warning)]).letter(true, &TimeZone::UTC),
            None
        );
    }
}
