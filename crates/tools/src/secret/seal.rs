//! `pq-secret seal`: a plain file of variables becomes an encrypted one.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use pq_cli::Failure;
use pq_inventory::{Document, MAX_FILE, is_hosts_file};
use pq_secrets::bounded::{self, Unread};
use pq_secrets::{ExposeSecret, SecretString, is_age, is_ansible_vault, store};
use pq_stream::{Diagnostic, Status};

use super::keeper::{Keeper, Keys, age_name, cannot, unread};
use super::{kinds, place, say, to_look_at};

/// Encrypts a file, and removes the plain one once the encrypted one was opened again.
///
/// # Errors
/// Where it is no file of variables, is encrypted already, or cannot be written.
pub fn run(keys: &Keys, file: &Path) -> Result<Status, Failure> {
    let plain = keys.path(file)?;
    let metadata = fs::symlink_metadata(&plain).map_err(|error| unread(&plain, &Unread::System(error)))?;
    let refused = |cause: &str, hint: String| {
        let error = Diagnostic::new(format!("`{}` cannot be sealed", plain.display()));
        Failure::input(error.cause(cause).hint(hint))
    };
    // What has another name would stay in the clear under that one.
    if metadata.is_symlink() {
        let hint = match fs::canonicalize(&plain) {
            Ok(leads) => format!("put that file in its place: `mv {} {}`", leads.display(), plain.display()),
            Err(_) => "it leads nowhere: remove it".to_owned(),
        };
        return Err(refused("it is a symbolic link: what it leads to would stay as it is", hint));
    }
    if metadata.is_file() && metadata.nlink() > 1 {
        let cause =
            format!("it has {} names (hard links): the others would keep the plain text", metadata.nlink());
        let hint = format!("find them with `find / -xdev -samefile {}`, and leave one", plain.display());
        return Err(refused(&cause, hint));
    }
    let bytes = bounded::file(&plain, MAX_FILE).map_err(|error| unread(&plain, &error))?;
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
    let below = place::below(keys, &plain)?;
    if is_hosts_file(&below) {
        return Err(refused(
            "it says which machines there are, and is read before anything is opened",
            format!(
                "a single value moves with `pq-secret set group_vars/all/secrets.yml.age NAME`, or below `host_vars/`; then remove it from `{}`",
                plain.display()
            ),
        ));
    }
    let keeper = Keeper::at(keys, age_name(&plain))?;
    keeper.demand_read()?;
    let _lock = keeper.lock()?;
    let there = keeper.encrypted()?.is_some();
    // One that was killed before the plain file was removed is gone on with.
    if there && keeper.plain()?.expose_secret() != text.expose_secret() {
        let cause = format!("there is `{}` already, and it holds something else", keeper.path.display());
        return Err(refused(
            &cause,
            format!("put the values there with `pq-secret edit {}`", keeper.path.display()),
        ));
    }
    // Errors name the file that is there, and show nothing of it.
    let document = Document::read(&plain.display().to_string(), text.expose_secret()).map_err(|error| {
        let hint = format!(
            "open `{}` in your editor, at that line; it is not encrypted, so `pq-secret edit` is not for it",
            plain.display()
        );
        Failure::input(to_look_at(*error, &hint))
    })?;
    let templates: Vec<String> = document
        .values()
        .iter()
        .filter(|(_, value)| value.expose_secret().contains("{{"))
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    match there {
        true => say(&format!(
            "`{}` holds the same text already, as when `seal` was ended too early",
            keeper.path.display()
        )),
        false => keeper.publish(keeper.stage(text.expose_secret(), metadata.mode() & 0o7777)?)?,
    }
    let again = keeper.plain()?;
    if again.expose_secret() != text.expose_secret() {
        let error = Diagnostic::new(format!("`{}` does not hold what was written", keeper.path.display()));
        return Err(Failure::failed(error.hint(format!("`{}` is still there", plain.display()))));
    }
    let still = fs::read(&plain).map_err(|error| cannot("read", &plain, &error))?;
    if SecretString::from(String::from_utf8_lossy(&still).into_owned()).expose_secret()
        != text.expose_secret()
    {
        return Err(Failure::busy(
            Diagnostic::new(format!("`{}` was changed by somebody else meanwhile", plain.display()))
                .cause(format!("`{}` holds what it was before; both are still there", keeper.path.display()))
                .hint("put what is new there with `pq-secret edit`, then remove the plain file"),
        ));
    }
    store::remove(&plain).map_err(|error| cannot("remove", &plain, &error))?;
    say(&format!("`{}` is encrypted, and `{}` is gone", keeper.path.display(), plain.display()));
    say("what was plain may still be read: in git's history, in backups, in the files that an editor keeps");
    say(&format!(
        "see with `git log --oneline -- {}` whether git has it; if it has, change these secrets",
        plain.display()
    ));
    kinds(&document, &plain.display().to_string());
    if !templates.is_empty() {
        say(&format!(
            "a secret is never a template: the `{{{{` in {} stands for itself now",
            templates.join(", ")
        ));
    }
    Ok(Status::Done)
}
