//! What could lock people out counts only once somebody came in anew; else it is undone.
//!
//! Always true here: before the first change something is set up that undoes it within a minute though this run be killed, the
//! line be cut or the machine start anew: a timer of systemd's, and a unit at boot. Who works at the machine itself, with
//! nobody logged in over ssh, has no line that could be cut, and is not asked.

use std::time::{Duration, Instant};

use pq_steps::types::Confirm;
use pq_steps::{AbsPath, Command, Error, SshLogin, System};
use pq_store::{STATE_DIR, Transactions, Unfinished};
use pq_stream::Diagnostic;

use crate::host::HostRun;
use crate::recovery;

/// How long somebody has to come in anew.
const PATIENCE: Duration = Duration::from_secs(40);

/// How often it is looked whether somebody has.
const LOOK: Duration = Duration::from_millis(100);

/// The timer that undoes what a killed run left, in seconds: first so long after the first change, then that often again
/// while the run that is at work has the machine's lock.
const TIMER: (u32, u32) = (50, 5);

/// The unit of that timer.
const UNIT: &str = "paquerette-way-in";

/// What stands for a way in that is being changed.
pub(crate) struct WayIn {
    /// Who was logged in before.
    before: Vec<SshLogin>,
}

/// Whether root or a user has a file of keys that is not empty.
fn somebody_has_a_key(machine: &dyn System) -> bool {
    let users = AbsPath::new("/etc/passwd").ok().and_then(|path| machine.read(&path).ok().flatten());
    let users = users.unwrap_or_default();
    let users = String::from_utf8_lossy(&users).into_owned();
    users.lines().filter_map(|line| line.split(':').nth(5)).any(|home| {
        let keys = AbsPath::new(format!("{}/.ssh/authorized_keys", home.trim_end_matches('/')));
        let keys = keys.ok().and_then(|path| machine.read(&path).ok().flatten());
        keys.is_some_and(|text| text.iter().any(|byte| !byte.is_ascii_whitespace()))
    })
}

impl HostRun<'_> {
    /// Before the first change: whether somebody could be locked out, and then what undoes it though this run be killed.
    pub(crate) fn guard(&mut self, confirm: Option<Confirm>) -> Result<Option<WayIn>, Diagnostic> {
        if confirm.is_none() {
            return Ok(None);
        }
        let before = self.machine.logins().map_err(Error::into_diagnostic)?;
        if before.is_empty() && !self.told.comes_from_afar() {
            self.told.note("nobody is logged in over ssh, so nobody is asked to come in anew");
            if !somebody_has_a_key(&*self.machine) {
                self.told.note(
                    "no account of this machine has a key: where ssh takes keys alone, nobody comes in but at its console; \
                     `operators` in the inventory gives people keys",
                );
            }
            return Ok(None);
        }
        recovery::prepare(self.machine).map_err(Error::into_diagnostic)?;
        self.start_timer()?;
        Ok(Some(WayIn { before }))
    }

    fn start_timer(&mut self) -> Result<(), Diagnostic> {
        let refused = |error: Diagnostic| Diagnostic {
            message: "cannot set up what would undo this if nobody came in any more".to_owned(),
            causes: [vec![error.message], error.causes].concat(),
            hints: vec!["nothing of it was changed".to_owned()],
            place: None,
        };
        let Some(program) =
            recovery::installed(self.machine).map_err(|error| refused(error.into_diagnostic()))?
        else {
            let error = Diagnostic::new("there is no `pq-apply` beside this program");
            return Err(refused(error));
        };
        stop_timer(self.machine);
        let (first, again) = TIMER;
        let command = Command::new([
            "systemd-run".to_owned(),
            "--quiet".to_owned(),
            format!("--unit={UNIT}"),
            "--description=Undo what locked everybody out".to_owned(),
            format!("--on-active={first}"),
            format!("--on-unit-inactive={again}"),
            "--timer-property=AccuracySec=1s".to_owned(),
            program.to_owned(),
            "--recover".to_owned(),
        ]);
        let started = self.machine.run(&command).and_then(|output| output.success(&command));
        started.map(drop).map_err(|error| refused(error.into_diagnostic()))
    }

    /// Who came in meanwhile. From afar only the operator's own connection counts: others may come by another way.
    fn newcomer(&self, way: &WayIn) -> Result<Option<String>, Diagnostic> {
        if self.told.comes_from_afar() {
            return Ok(None);
        }
        let now = self.machine.logins().map_err(Error::into_diagnostic)?;
        let new = now.into_iter().find(|it| way.before.iter().all(|old| old.id != it.id));
        Ok(new.map(|it| it.who))
    }

    /// Waits until somebody came in anew.
    ///
    /// # Errors
    /// Where nobody did in time, or the run was asked to stop.
    pub(crate) fn wait_for(&mut self, way: &WayIn, open: &Unfinished) -> Result<(), Diagnostic> {
        let begun = Instant::now();
        self.told.come_in_anew(PATIENCE);
        while begun.elapsed() < PATIENCE {
            if self.stop.asked().is_some() {
                return Err(Diagnostic::new("it was interrupted before anybody came in by a new connection"));
            }
            if self.records.transactions.is_confirmed(&open.id) {
                return Ok(());
            }
            if let Some(who) = self.newcomer(way)? {
                self.told.note(&format!("`{who}` came in by a new connection"));
                return Ok(());
            }
            std::thread::sleep(LOOK);
        }
        let seconds = PATIENCE.as_secs();
        Err(Diagnostic::new(format!("nobody came in by a new ssh connection within {seconds} s"))
            .cause("either it locks people out, or nobody tried"))
    }
}

/// Stops the timer, where it runs.
pub(crate) fn stop_timer(machine: &mut dyn System) {
    // One that is not there is stopped.
    let _ = machine.run(&Command::new(["systemctl", "stop", &format!("{UNIT}.timer")]));
    let _ = machine.run(&Command::new(["systemctl", "reset-failed", &format!("{UNIT}.service")]));
}

/// Somebody came in anew: what waits for that on this machine may go on.
///
/// # Errors
/// Where it cannot be noted.
pub fn came_in() -> Result<(), Diagnostic> {
    let transactions = Transactions::new(STATE_DIR.as_ref());
    let cannot =
        |error: std::io::Error| Diagnostic::new("cannot note that somebody came in").cause(error.to_string());
    for it in transactions.all().map_err(cannot)? {
        transactions.confirm(&it.id).map_err(cannot)?;
    }
    Ok(())
}
