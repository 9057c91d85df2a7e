//! Messages on their way: one file each, until every channel has taken it.
//!
//! Always true here: a message is on the disk before it is sent, and goes from there only after it was taken. Who is killed in
//! between sends it once more, with the same id. One that is older goes first, by each channel.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pq_store::replace;

use crate::Message;

/// After how many seconds a channel is tried again, by how many times it was tried.
const AGAIN: [i64; 6] = [0, 60, 120, 300, 600, 900];

/// The extension of a message that was set aside for being refused.
const REFUSED: &str = "refused";

/// How many messages may wait: beyond that, the machine has another trouble than not being heard.
const MOST: usize = 1_000;

/// Messages on their way.
#[derive(Debug, Clone)]
pub struct Spool {
    dir: PathBuf,
}

impl Spool {
    /// That of a directory.
    pub fn new(dir: &Path) -> Self {
        Spool { dir: dir.join("spool") }
    }

    /// Writes a message down, and waits until it is on the disk. One that is there already stays as it is.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn put(&self, message: &Message) -> io::Result<()> {
        let path = self.path(message);
        match path.exists() {
            true => Ok(()),
            false => replace(&path, &serde_json::to_vec(message)?),
        }
    }

    /// Whether a message is in it.
    pub fn holds(&self, message: &Message) -> bool {
        self.path(message).exists()
    }

    /// Sets a message aside that a way does not take although it takes others.
    ///
    /// # Errors
    /// Where that cannot be written.
    pub fn refuse(&self, message: &Message) -> io::Result<()> {
        replace(&self.path(message).with_extension(REFUSED), &serde_json::to_vec(message)?)
    }

    /// The messages that were set aside for being refused, since a time.
    pub fn refused(&self, since: i64) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten().map(|entry| entry.path());
        let recent = |path: &PathBuf| {
            let time = fs::metadata(path).and_then(|it| it.modified()).ok()?;
            let time = time.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
            Some(i64::try_from(time).ok()? >= since)
        };
        let mut found: Vec<PathBuf> = entries
            .filter(|path| path.extension().is_some_and(|it| it == REFUSED) && recent(path) == Some(true))
            .collect();
        found.sort();
        found
    }

    /// Writes what became of a message: it goes once every channel has taken it.
    ///
    /// # Errors
    /// Where that cannot be written.
    pub fn update(&self, message: &Message) -> io::Result<()> {
        let path = self.path(message);
        if !message.to.is_empty() {
            return replace(&path, &serde_json::to_vec(message)?);
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::File::open(&self.dir)?.sync_all(),
        }
    }

    /// All messages, the oldest first; files that hold none are set aside, and named.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn all(&self) -> io::Result<(Vec<Message>, Vec<PathBuf>)> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), Vec::new())),
            Err(error) => return Err(error),
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|it| it == "json"));
        paths.sort();
        let (mut messages, mut spoilt) = (Vec::new(), Vec::new());
        for path in paths.into_iter().take(MOST) {
            let read = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
            match read {
                Some(message) => messages.push(message),
                None => {
                    let _ = fs::rename(&path, path.with_extension("bad"));
                    spoilt.push(path);
                }
            }
        }
        Ok((messages, spoilt))
    }

    /// How many messages wait.
    pub fn count(&self) -> usize {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        entries.filter(|entry| entry.path().extension().is_some_and(|it| it == "json")).count()
    }

    fn path(&self, message: &Message) -> PathBuf {
        let id: String =
            message.id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        // Its name is its order.
        self.dir.join(format!("{:012}-{id}.json", message.at.max(0)))
    }
}

/// When a channel is tried again after so many times.
pub fn next(now: i64, tries: u32) -> i64 {
    let at = usize::try_from(tries).unwrap_or(usize::MAX).saturating_sub(1).min(AGAIN.len() - 1);
    now + AGAIN[at]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;
    use crate::event::Kind;
    use crate::message::Waiting;
    use crate::message::tests::event;
    use std::collections::BTreeMap;

    fn message(at: i64, check: &str) -> Message {
        let to = BTreeMap::from([
            ("mail".to_owned(), Waiting::default()),
            ("hook".to_owned(), Waiting::default()),
        ]);
        Message::of("web", at, vec![event(Kind::Began, check, Level::Critical)], to).unwrap()
    }

    #[test]
    fn a_message_stays_until_every_channel_took_it() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::new(dir.path());
        assert!(spool.all().unwrap().0.is_empty());
        spool.put(&message(20, "b/c")).unwrap();
        spool.put(&message(3, "z/z")).unwrap();
        let mut first = spool.all().unwrap().0.remove(0);
        assert_eq!(first.at, 3, "the oldest is first");
        first.to.remove("mail");
        spool.update(&first).unwrap();
        spool.put(&message(3, "z/z")).unwrap();
        assert_eq!(spool.all().unwrap().0[0], first, "what was taken is not put back");
        first.to.clear();
        spool.update(&first).unwrap();
        assert_eq!(spool.all().unwrap().0.len(), 1);
    }

    #[test]
    fn a_file_that_holds_no_message_stops_none() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::new(dir.path());
        spool.put(&message(3, "b/c")).unwrap();
        fs::write(dir.path().join("spool/000000000001-x.json"), "{\"id\":").unwrap();
        let (messages, spoilt) = spool.all().unwrap();
        assert_eq!((messages.len(), spoilt.len()), (1, 1));
        assert_eq!(spool.all().unwrap().1.len(), 0);
        assert!(dir.path().join("spool/000000000001-x.bad").exists());
    }

    #[test]
    fn a_channel_is_tried_again_soon_and_then_less_often() {
        let after: Vec<i64> = (1..9).map(|tries| next(0, tries)).collect();
        assert_eq!(after, [0, 60, 120, 300, 600, 900, 900, 900]);
    }
}
