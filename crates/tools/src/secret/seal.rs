//! `pq-secret seal`: a plain file of variables becomes an encrypted one.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use pq_cli::Failure;
use pq_secrets::{ExposeSecret, SecretString, is_age, is_ansible_vault, store};
use pq_stream::{Diagnostic, Status};

use super::keeper::{Keeper, Keys, age_name, cannot, publish};
use super::say;

/// Encrypts a file, and removes the plain one once the encrypted one was opened again.
///
/// # Errors
/// Where it is no file of variables, is encrypted already, or cannot be written.
pub fn run(keys: &Keys, file: &Path) -> Result<Status, Failure> {
    let plain = keys.path(file)?;
    let metadata = fs::metadata(&plain).map_err(|error| cannot("read", &plain, &error))?;
    let bytes = fs::read(&plain).map_err(|error| cannot("read", &plain, &error))?;
    let refused = |cause: &str, hint: String| {
        let error = Diagnostic::new(format!("`{}` cannot be sealed", plain.display()));
        Failure::input(error.cause(cause).hint(hint))
    };
    if is_age(&bytes) {
        return Err(refused(
            "it is encrypted already",
            format!("`pq-secret edit {}` opens it", plain.display()),
        ));
    }
    let text = String::from_utf8(bytes).map_err(|_| {
        refused("it is no UTF-8", "save it as UTF-8, as in `iconv -f latin1 -t utf-8`".to_owned())
    })?;
    let text = SecretString::from(text);
    if is_ansible_vault(text.expose_secret()) {
        let hint = format!("`pq-secret import-vault {}` moves it into an age file", plain.display());
        return Err(refused("ansible-vault encrypted it", hint));
    }
    let keeper = Keeper::at(keys, age_name(&plain))?;
    let _lock = keeper.lock()?;
    if keeper.encrypted()?.is_some() {
        let cause = format!("there is `{}` already", keeper.path.display());
        return Err(refused(
            &cause,
            format!("put the values there with `pq-secret edit {}`", keeper.path.display()),
        ));
    }
    // Errors name the file that is there, and show nothing of it.
    let document = pq_inventory::Document::read(&plain.display().to_string(), text.expose_secret())?;
    let templates: Vec<String> = document
        .values()
        .iter()
        .filter(|(_, value)| value.expose_secret().contains("{{"))
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    publish(keeper.stage(text.expose_secret(), metadata.mode() & 0o7777)?, &keeper.path)?;
    let again = keeper.plain()?;
    if again.expose_secret() != text.expose_secret() {
        let error = Diagnostic::new(format!("`{}` does not hold what was written", keeper.path.display()));
        return Err(Failure::failed(error.hint(format!("`{}` is still there", plain.display()))));
    }
    store::remove(&plain).map_err(|error| cannot("remove", &plain, &error))?;
    say(&format!("`{}` is encrypted, and `{}` is gone", keeper.path.display(), plain.display()));
    say("what was plain may still be read: in git's history, in backups, in the files that an editor keeps");
    say(&format!(
        "see with `git log --oneline -- {}` whether git has it; if it has, change these secrets",
        plain.display()
    ));
    if !templates.is_empty() {
        say(&format!(
            "a secret is never a template: the `{{{{` in {} stands for itself now",
            templates.join(", ")
        ));
    }
    Ok(Status::Done)
}
