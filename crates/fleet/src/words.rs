//! What ssh, and what it runs, write on standard error: the last of it says why a line was lost.
//!
//! It also asks here for the password of `sudo`, which then goes the way of everything that is sent.

use std::io::Read;
use std::process::ChildStderr;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::bootstrap::ASKS;
use crate::line::Post;

/// Bytes that are kept.
const KEPT: usize = 4096;

/// How long the last words are waited for, once ssh has ended. Something that it started may hold its output open.
const PATIENCE: Duration = Duration::from_millis(500);

/// The last words, as they come.
#[derive(Debug, Default, Clone)]
pub struct Words(Arc<(Mutex<Heard>, Condvar)>);

#[derive(Debug, Default)]
struct Heard {
    bytes: Vec<u8>,
    asked: usize,
    over: bool,
}

impl Words {
    /// Listens from now on; the password is sent the first time that it is asked for, and never again.
    pub fn listen(mut from: ChildStderr, password: Option<String>, post: Sender<Post>) -> Self {
        let words = Words::default();
        let heard = words.clone();
        let mut password = password;
        thread::spawn(move || {
            let mut chunk = [0; 1024];
            // What cannot be read has ended.
            while let Ok(read @ 1..) = from.read(&mut chunk) {
                if heard.take(&chunk[..read]) {
                    // Asked again, it was wrong: nothing more is sent.
                    let _ = post.send(password.take().map_or(Post::Close, Post::Password));
                }
            }
            let (heard, ended) = &*heard.0;
            heard.lock().unwrap_or_else(PoisonError::into_inner).over = true;
            ended.notify_all();
        });
        words
    }

    /// Takes a chunk; answers whether the password is asked for with it.
    fn take(&self, chunk: &[u8]) -> bool {
        let mut heard = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.bytes.extend_from_slice(chunk);
        let asks = match find(&heard.bytes, ASKS.as_bytes()) {
            Some(at) => {
                heard.bytes.drain(at..at + ASKS.len());
                heard.asked += 1;
                true
            }
            None => false,
        };
        let beyond = heard.bytes.len().saturating_sub(KEPT);
        heard.bytes.drain(..beyond);
        asks
    }

    /// How often the password was asked for.
    pub fn asked(&self) -> usize {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).asked
    }

    /// The last lines, once ssh has ended: at most three, of what is not empty.
    pub fn last(&self) -> Vec<String> {
        let (heard, ended) = &*self.0;
        let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        let (heard, _) = ended
            .wait_timeout_while(heard, PATIENCE, |heard| !heard.over)
            .unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&heard.bytes);
        let lines: Vec<String> = text
            .lines()
            .map(|line| line.trim().chars().take(300).collect::<String>())
            .filter(|line| !line.is_empty())
            .collect();
        lines[lines.len().saturating_sub(3)..].to_vec()
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_heard_also_in_pieces_and_is_no_last_word() {
        let words = Words::default();
        let (first, second) = ASKS.as_bytes().split_at(9);
        assert!(!words.take(b"a lecture\r\n") && !words.take(first) && words.take(second));
        assert!(!words.take(b"\nsorry\n\n"));
        assert_eq!((words.asked(), words.last()), (1, vec!["a lecture".to_owned(), "sorry".to_owned()]));
    }

    #[test]
    fn only_the_last_is_kept() {
        let words = Words::default();
        (0..1000).for_each(|number| assert!(!words.take(format!("line {number} of many\n").as_bytes())));
        assert_eq!(words.last(), ["line 997 of many", "line 998 of many", "line 999 of many"]);
    }
}
