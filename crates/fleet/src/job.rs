//! What is to be done on one machine, with its secrets opened.

use pq_run::{Opener, WorkHost};
use pq_secrets::{SecretString, Vault};
use pq_stream::{Diagnostic, Redactor, Status};

use crate::login::Password;
use crate::member::{Member, Place, There};
use crate::password;
use crate::secrets::{Filled, filled};

/// What is to be done on one machine.
pub struct Job {
    /// Its name.
    pub host: String,
    /// How many steps it has.
    pub steps: usize,
    /// The verdict of an execution further up in the pipe, which forbids to go on.
    pub before: Option<Status>,
    /// Nothing where that is so.
    pub work: Option<Work>,
}

/// Where it is to be done.
pub enum Work {
    /// On this machine.
    Here(Box<WorkHost>, Redactor),
    /// On another; the password is that of its sudo.
    There(Box<There>, Option<Vault>, Option<Password>),
}

impl Job {
    /// A member's job; `asked` is the password that was typed.
    ///
    /// # Errors
    /// Where its secrets cannot be opened or filled in; nothing was touched.
    pub fn of(
        member: Member,
        opener: &mut Opener<'_>,
        asked: Option<&SecretString>,
    ) -> Result<Self, Diagnostic> {
        let before = member.ended_before();
        let work = match (before, member.place) {
            (Some(_), _) => None,
            (None, Place::Here(mut host)) => {
                let redactor = pq_run::open(&mut host, opener)?;
                Some(Work::Here(host, redactor))
            }
            (None, Place::There(there)) => {
                let (vault, password) = opened(&there, opener, asked)?;
                Some(Work::There(there, vault, password))
            }
        };
        Ok(Job { host: member.host, steps: member.steps, before, work })
    }

    /// Whether something may be changed by it.
    pub fn acts(&self) -> bool {
        self.work.is_some() && self.steps > 0
    }
}

/// The secrets of another machine, where it needs some, and the password of its sudo. They are filled in when it is its
/// turn: hashes take their time.
fn opened(
    there: &There,
    opener: &mut Opener<'_>,
    asked: Option<&SecretString>,
) -> Result<(Option<Vault>, Option<Password>), Diagnostic> {
    let host = &there.login.host;
    let needed = !there.tokens.is_empty() || password::is_secret(&there.login);
    let vault = if needed { password::vault(host, there.sealed.as_ref(), opener)? } else { None };
    let password = password::of(&there.login, vault.as_ref(), asked)?;
    let has = |name: &String| vault.as_ref().is_some_and(|vault| vault.names().any(|it| it == name));
    match there.names.iter().find(|name| needed && !has(name)) {
        None => Ok((vault, password)),
        Some(name) => Err(Diagnostic::new(format!("cannot fill in the secrets of host `{host}`"))
            .cause(format!("what is sealed for it holds no `{name}`"))
            .hint("nothing was touched")),
    }
}

/// What the host gets.
///
/// # Errors
/// Where a value cannot be written as its sink demands.
pub fn fill(there: &There, vault: Option<&Vault>) -> Result<Filled, Diagnostic> {
    let Some(vault) = vault else { return Ok(Filled::default()) };
    filled(&there.tokens, vault).map_err(|error| Diagnostic {
        message: format!("cannot fill in the secrets of host `{}`", there.login.host),
        place: None,
        causes: [vec![error.message], error.causes].concat(),
        hints: [error.hints, vec!["nothing was touched there".to_owned()]].concat(),
    })
}
