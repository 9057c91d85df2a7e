//! A run that is asked to stop: by ctrl-c, by `kill`, by a terminal that goes.
//!
//! Always true here: the step that is at work is finished, and read back; no further one begins. Who asks twice means
//! it: the run ends at once, as if it were killed, and the next one looks at everything again.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;

use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::signalfd::SignalFd;
use pq_cli::{tell, tool_name};

/// What happens to a run that is asked to stop.
pub const AFTER_STEP: &str = "stopping when the step at work is done";

/// Whether, and by which signal, this run was asked to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicI32>);

impl Stop {
    /// Waits for such signals from now on. Threads that are started later do not get them; commands lead sessions of their
    /// own, which the keys of a terminal do not reach.
    ///
    /// # Errors
    /// What the system answers.
    pub fn watch() -> io::Result<Self> {
        Stop::watch_for([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect(), AFTER_STEP)
    }

    /// As [`Stop::watch`], with these signals only, and with words for who asks.
    ///
    /// # Errors
    /// What the system answers.
    pub fn watch_for(signals: SigSet, words: &'static str) -> io::Result<Self> {
        signals.thread_block()?;
        let stop = Stop::default();
        let asked = stop.0.clone();
        let queue = SignalFd::new(&signals)?;
        thread::Builder::new().name("stop".to_owned()).spawn(move || {
            while let Ok(Some(info)) = queue.read_signal() {
                let Ok(signal) = i32::try_from(info.ssi_signo) else { continue };
                if asked.swap(signal, Ordering::SeqCst) == 0 {
                    let tool = tool_name();
                    tell(&format!("{tool}: note: {words}; a second time ends it at once\n"));
                } else if let Ok(signal) = Signal::try_from(signal) {
                    let _ = signals.thread_unblock().and_then(|()| raise(signal));
                }
            }
        })?;
        Ok(stop)
    }

    /// Asks to stop, as a signal does.
    pub fn ask(&self, signal: Signal) {
        let _ = self.0.compare_exchange(0, signal as i32, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// The name of the signal that came; nothing where none did.
    pub fn asked(&self) -> Option<&'static str> {
        Signal::try_from(self.0.load(Ordering::SeqCst)).ok().map(Signal::as_str)
    }
}
