//! `pq-secret get` and `set`: one value of an encrypted file.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use pq_cli::Failure;
use pq_inventory::Document;
use pq_secrets::{ExposeSecret, SecretString, new_password, terminal};
use pq_stream::{Diagnostic, MASTER_KEY, Status, nearest};

use super::keeper::{Keeper, Keys};
use super::{print, say};

/// A longer value is no value.
const MAX_VALUE: u64 = 1 << 20;

/// Prints one value.
///
/// # Errors
/// Where the file cannot be opened, or has no such value.
pub fn get(keys: &Keys, file: &Path, name: &str) -> Result<Status, Failure> {
    let keeper = Keeper::new(keys, file)?;
    let document = keeper.document(&keeper.plain()?)?;
    match document.values().get(name) {
        Some(value) => print(value),
        None => Err(Failure::input(missing(&document, name, &keeper.path))),
    }
}

fn missing(document: &Document, name: &str, path: &Path) -> Diagnostic {
    let error = Diagnostic::new(format!("`{}` has no value `{name}`", path.display()));
    match nearest(name, document.values().keys()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("`pq-secret edit {}` shows what it has", path.display())),
    }
}

/// Refuses a value that was given as an argument; it is not shown once more.
///
/// # Errors
/// Where there is one, also as in `name=value`.
pub fn no_argument(name: &str, value: &[OsString]) -> Result<(), Failure> {
    let name = match name.split_once(['=', ':']) {
        Some((name, _)) => name,
        None if value.is_empty() => return Ok(()),
        None => name,
    };
    Err(Failure::input(
        Diagnostic::new(format!("the value of `{}` was given as an argument", name.escape_debug()))
            .cause("everybody on this machine can see arguments, and shells keep them")
            .hint("choose another value; write it to standard input, or have one drawn with `--generate`"),
    ))
}

/// How many letters and digits are drawn; what is no such number is not shown, since it may be a value.
///
/// # Errors
/// Where it is none from 16 to 1024.
pub fn length(given: &OsStr) -> Result<u16, Failure> {
    let number = given.to_str().and_then(|text| text.parse().ok());
    number.filter(|number| (16..=1024).contains(number)).ok_or_else(|| {
        Failure::input(
            Diagnostic::new("what follows `--generate` is no length from 16 to 1024")
                .cause(
                    "it is not shown: it could be a secret, and then everybody on this machine could see it",
                )
                .hint(
                    "write `--generate` alone for 32 letters and digits; choose another value if it was one",
                ),
        )
    })
}

/// Sets one value: drawn by chance, read from standard input, or asked for on the terminal.
///
/// # Errors
/// Where the file cannot be opened or written, or the value is none that a secret may have.
pub fn set(keys: &Keys, file: &Path, name: &str, generate: Option<u16>) -> Result<Status, Failure> {
    let keeper = Keeper::new(keys, file)?;
    keeper.demand_read()?;
    let _lock = keeper.lock()?;
    let plain = keeper.open()?.unwrap_or_default();
    let document = keeper.document(&plain)?;
    let value = match generate {
        Some(length) => new_password(length.into()).map_err(|error| {
            Failure::failed(Diagnostic::new("cannot draw a password").cause(error.to_string()))
        })?,
        None => given(name)?,
    };
    let old = document.values().get(name);
    if old.is_some_and(|old| old.expose_secret() == value.expose_secret()) {
        say(&format!("`{name}` has that value already: nothing was changed"));
        return Ok(Status::Done);
    }
    if old.is_some() && name == MASTER_KEY {
        return Err(Failure::input(
            Diagnostic::new(format!("`{MASTER_KEY}` is not replaced by `set`"))
                .cause("every password that was derived from it would be lost")
                .hint("`pq-secret rotate` draws a new one and keeps the old one as long as it is needed"),
        ));
    }
    keeper.write(document.with(name, &value, None)?.text())?;
    let what = if old.is_none() { "is new in" } else { "was changed in" };
    say(&format!("`{name}` {what} `{}`", keeper.path.display()));
    Ok(Status::Done)
}

/// A value from a pipe, without the line end that ends its only line, or from the person at the terminal.
fn given(name: &str) -> Result<SecretString, Failure> {
    let wrong = |cause: &str| {
        Failure::input(
            Diagnostic::new(format!("no value for `{name}` was given"))
                .cause(cause)
                .hint("write it to standard input, or have one drawn with `--generate`"),
        )
    };
    if io::stdin().is_terminal() {
        let ask = |what: String| match terminal::hidden(&what) {
            Ok(Some(line)) => Ok(line),
            Ok(None) => Err(wrong("the input ended before a line did")),
            Err(error) => Err(wrong(error.to_string().split(" (os error").next().unwrap_or(""))),
        };
        let first = ask(format!("{name}: "))?;
        let again = ask(format!("{name}, again: "))?;
        return match same(&first, &again) {
            true => Ok(first),
            false => Err(wrong("the two are not the same")),
        };
    }
    let mut text = String::new();
    let read = io::stdin().lock().take(MAX_VALUE + 1).read_to_string(&mut text);
    let mut text = SecretString::from(text);
    match read {
        Ok(length) if length as u64 > MAX_VALUE => return Err(wrong("it is longer than 1 MiB")),
        Ok(_) => {}
        Err(_) => return Err(wrong("it is no text in UTF-8")),
    }
    if let Some(line) = only_line(&text) {
        text = line;
    }
    Ok(text)
}

fn same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

/// The only line of a text, without its end; nothing where it has several.
fn only_line(text: &SecretString) -> Option<SecretString> {
    let line = text.expose_secret().strip_suffix('\n')?;
    (!line.contains('\n')).then(|| SecretString::from(line.to_owned()))
}
