//! `pq-secret keygen`: an identity of one's own.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pq_cli::Failure;
use pq_inventory::Inventory;
use pq_secrets::store::Staged;
use pq_secrets::{ExposeSecret, Listed, Recipients, new_identity};
use pq_stream::{Diagnostic, Status, utc};

use super::keeper::{Keys, cannot, publish, secret};
use super::say;

/// Writes a new identity, and prints its recipient; with `add`, lists it in the inventory.
///
/// # Errors
/// Where there is an identity already, or it cannot be written.
pub fn run(
    keys: &Keys,
    output: Option<PathBuf>,
    add: bool,
    comment: Option<&str>,
) -> Result<Status, Failure> {
    let path = match output {
        Some(path) => path,
        None => own().ok_or_else(|| {
            Failure::input(Diagnostic::new("there is no home directory").hint("name a file with `-o FILE`"))
        })?,
    };
    let exists = || {
        let error = Diagnostic::new(format!("there is an identity in `{}` already", path.display()))
            .cause("what is encrypted to it could never be opened again without it")
            .hint("choose another file with `-o FILE`");
        Failure::input(match add {
            true => error.hint(
                "to have this one listed, put the recipient from its line `# public key:` into `.age-recipients`, then `pq-secret rekey`",
            ),
            false => error,
        })
    };
    if path.is_dir() {
        let error = Diagnostic::new(format!("`{}` is a directory", path.display()));
        let hint = format!("name a file in it: `-o {}`", path.join("identity.txt").display());
        return Err(Failure::input(error.hint(hint)));
    }
    if fs::symlink_metadata(&path).is_ok() {
        return Err(exists());
    }
    demand_outside(&path)?;
    // Found before a key is made that nobody would list.
    let list = if add { Some(keys.inventory()?.join(".age-recipients")) } else { None };
    if let Some(list) = &list {
        Listed::load(list).map_err(secret)?;
    }
    if let Some(parent) = path.parent().filter(|parent| *parent != Path::new("")) {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(parent);
        made.map_err(|error| cannot("make directory", parent, &error))?;
    }
    let time = utc(SystemTime::now());
    let (text, recipient) = new_identity(&time);
    let bytes = text.expose_secret().as_bytes();
    let staged = Staged::write(&path, bytes, 0o600).map_err(|error| cannot("write", &path, &error))?;
    staged.publish().map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => exists(),
        _ => cannot("write", &path, &error),
    })?;
    writeln!(io::stdout(), "{recipient}").map_err(|error| Failure::output(&error))?;
    say(&format!("the identity is in `{}`: keep a copy on paper or on another medium", path.display()));
    match list {
        Some(list) => {
            let made = format!("added on {}", &time[..10]);
            listed(&list, &recipient, comment.unwrap_or(&made)).inspect_err(|_| {
                say(&format!("the identity stays; put `{recipient}` into `{}` yourself", list.display()));
            })
        }
        None => {
            say(
                "to open an inventory's secrets, have this recipient put into its `.age-recipients`, then `pq-secret rekey`",
            );
            Ok(Status::Done)
        }
    }
}

/// Puts a recipient at the end of a list.
fn listed(list: &Path, recipient: &str, comment: &str) -> Result<Status, Failure> {
    let before = Listed::load(list).map_err(secret)?;
    let text = Recipients::text(list).map_err(secret)?.unwrap_or_else(|| {
        "# Who can open the secrets of this inventory: one public key a line.\n\n".to_owned()
    });
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let comment: String = comment.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = format!("{text}{gap}# {comment}\n{recipient}\n");
    let staged =
        Staged::write(list, text.as_bytes(), 0o644).map_err(|error| cannot("write", list, &error))?;
    publish(staged, list)?;
    say(&format!("`{}` lists the recipient", list.display()));
    if !before.is_empty() {
        say(
            "who can open the files now has to run `pq-secret rekey`: until then the new identity opens none",
        );
    }
    Ok(Status::Done)
}

/// Refuses to write an identity into an inventory, which is copied, and stored with its history.
fn demand_outside(path: &Path) -> Result<(), Failure> {
    let absolute = std::path::absolute(path).map_err(|error| cannot("find", path, &error))?;
    let above: Vec<&Path> = absolute.ancestors().skip(1).collect();
    // Where links lead, as far as there is something.
    let real = above.iter().find_map(|directory| directory.canonicalize().ok()).unwrap_or_default();
    match above.into_iter().chain(real.ancestors()).find(|directory| Inventory::is_in(directory)) {
        None => Ok(()),
        Some(inventory) => Err(Failure::input(
            Diagnostic::new(format!("will not write an identity to `{}`", path.display()))
                .cause(format!("`{}` is an inventory: whoever gets it would have the key", inventory.display()))
                .hint("without `-o` it goes to `~/.config/paquerette/identity.txt`; it is not needed beside what it opens"),
        )),
    }
}

/// Where one's own identity is looked for.
fn own() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let configuration = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(configuration.join("paquerette/identity.txt"))
}
