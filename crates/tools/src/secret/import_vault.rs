//! `pq-secret import-vault`: what ansible-vault encrypted goes into age files.
//!
//! Always true here: nothing is changed before a copy of the inventory was, and has the same values for every host:
//! all that it had, and nothing more but the names under which values moved.
//! Killed between two files, the inventory has the same values too: an age file is there before what it replaces goes.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pq_cli::Failure;
use pq_inventory::{Document, Inventory, MAX_FILE, Vaulted};
use pq_secrets::bounded;
use pq_secrets::store::{self, Staged};
use pq_secrets::{ExposeSecret, SecretString, VaultPasswords, is_ansible_vault, private_directory};
use pq_stream::{Diagnostic, MASTER_KEY, Piece, Record, Status, pieces};
use serde_json::Value;

use super::keeper::{Held, Keeper, Keys, age_name, cannot, publish, secret, unread};
use super::{kinds, place, say, to_look_at, tree};

/// Every host's variables.
type Meaning = BTreeMap<String, BTreeMap<String, Value>>;

/// What is locked: files, and the directories of those that are not there yet.
type Locks = BTreeMap<PathBuf, Held>;

/// One file's change.
struct Change {
    /// What is plain, or as ansible-vault wrote it.
    old: PathBuf,
    /// Its path below the inventory directory.
    below: PathBuf,
    /// What stands in `old` afterwards; nothing where it goes.
    text: Option<String>,
    keeper: Keeper,
    /// What the age file holds.
    plain: String,
    /// Whether it holds that already, since an earlier import was ended too early.
    there: bool,
    /// How many values moved; nothing for a whole file.
    moved: Option<usize>,
}

/// Moves whole files and values inside plain ones.
///
/// # Errors
/// Where one of them cannot be opened, or the inventory would change its meaning; nothing was changed then.
pub fn run(keys: &Keys, files: &[PathBuf]) -> Result<Status, Failure> {
    let directory = keys.inventory()?;
    let mut chosen = Vec::new();
    match files.is_empty() {
        false => {
            chosen = files.iter().map(|file| keys.path(file)).collect::<Result<_, _>>()?;
            chosen.iter().try_for_each(|file: &PathBuf| place::below(keys, file).map(drop))?;
        }
        true => {
            for kind in ["group_vars", "host_vars"] {
                let plain = |name: &str| !name.ends_with('~') && !name.ends_with(".age");
                chosen.extend(tree::files(&directory.join(kind), plain)?);
            }
        }
    }
    let passwords = VaultPasswords::load(&keys.files().vault_passwords).map_err(secret)?;
    let (mut changes, mut names, mut locks) = (Vec::new(), BTreeSet::new(), Locks::new());
    for file in &chosen {
        changes.extend(change(keys, file, !files.is_empty(), &passwords, &mut names, &mut locks)?);
    }
    if changes.is_empty() {
        say("ansible-vault encrypted nothing here: nothing was changed");
        return Ok(Status::Done);
    }
    same_meaning(keys, &directory, &changes, &names)?;
    let mut staged = Vec::new();
    for change in &changes {
        let mode = fs::metadata(&change.old).map_err(|error| cannot("read", &change.old, &error))?;
        let mode = mode.mode() & 0o7777;
        let plain = change.text.as_ref().map(|text| Staged::write(&change.old, text.as_bytes(), mode));
        let plain = plain.transpose().map_err(|error| cannot("write beside", &change.old, &error))?;
        let sealed = if change.there { None } else { Some(change.keeper.stage(&change.plain, mode)?) };
        staged.push((sealed, plain));
    }
    for (change, (sealed, plain)) in changes.iter().zip(staged) {
        match sealed {
            Some(sealed) => change.keeper.publish(sealed)?,
            None => say(&format!(
                "`{}` holds them already, as when `import-vault` was ended too early",
                change.keeper.path.display()
            )),
        }
        let (old, new) = (change.old.display(), change.keeper.path.display());
        match (plain, change.moved) {
            (Some(plain), moved) => {
                publish(plain, &change.old)?;
                say(&format!("`{old}`: {} moved into `{new}`", values(moved.unwrap_or(0))));
            }
            (None, _) => {
                store::remove(&change.old).map_err(|error| cannot("remove", &change.old, &error))?;
                say(&format!("`{old}` is `{new}` now"));
            }
        }
    }
    say(
        "these tools read the same values as before for every host; what ansible-vault wrote may still be in git or in a backup, and its password opens that",
    );
    say("when nobody needs that password any more, destroy it, and change what it ever protected");
    Ok(Status::Done)
}

fn values(count: usize) -> String {
    format!("{count} value{}", if count == 1 { "" } else { "s" })
}

/// What becomes of a file; nothing where ansible-vault encrypted nothing in it. One that nobody `named` is passed over
/// where no host reads it.
fn change(
    keys: &Keys,
    file: &Path,
    named: bool,
    passwords: &VaultPasswords,
    names: &mut BTreeSet<String>,
    locks: &mut Locks,
) -> Result<Option<Change>, Failure> {
    let shown = file.display().to_string();
    let bytes = bounded::file(file, MAX_FILE).map_err(|error| unread(file, &error))?;
    // What is no text is none of ansible-vault's.
    let Ok(text) = String::from_utf8(bytes) else { return Ok(None) };
    let whole = is_ansible_vault(&text);
    let found = if whole || !text.contains("!vault") { Vec::new() } else { Vaulted::find(&shown, &text)? };
    if !whole && found.is_empty() {
        return Ok(None);
    }
    let below = place::below(keys, file)?;
    let keeper = Keeper::at(keys, age_name(file))?;
    match keeper.demand_read() {
        Err(_) if !named => {
            say(&format!("`{shown}` has not the name of a file of variables: it stays as it is"));
            return Ok(None);
        }
        read => read?,
    }
    // Files that are not there yet share the lock of their directory.
    let place = if keeper.path.exists() { Some(keeper.path.as_path()) } else { keeper.path.parent() };
    if let Entry::Vacant(free) = locks.entry(place.map(Path::to_owned).unwrap_or_default()) {
        free.insert(keeper.lock()?);
    }
    let there = keeper.open()?;
    let old = file.to_owned();
    if whole {
        let plain = passwords.decrypt(&text, &format!("`{shown}`")).map_err(secret)?;
        let same = there.as_ref().map(|there| there.expose_secret() == plain.expose_secret());
        if same == Some(false) {
            let error = Diagnostic::new(format!("there is `{}` already", keeper.path.display()));
            let cause = format!("`{shown}`, which ansible-vault encrypted, would become that file");
            return Err(Failure::input(error.cause(cause).hint("rename one of them")));
        }
        let document = Document::read(&shown, plain.expose_secret()).map_err(|error| {
            let hint = format!("look at that line with `ansible-vault edit {shown}`");
            Failure::input(to_look_at(*error, &hint))
        })?;
        kinds(&document, &shown);
        document.values().iter().for_each(|(name, value)| template(name, &shown, value));
        let plain = plain.expose_secret().to_owned();
        return Ok(Some(Change {
            old,
            below,
            text: None,
            keeper,
            plain,
            there: same.is_some(),
            moved: None,
        }));
    }
    let before = there.unwrap_or_default();
    let mut document = keeper.document(&before)?;
    let mut written = Vec::new();
    for value in &found {
        let path = value.path.join(".");
        if path == MASTER_KEY {
            let error = Diagnostic::new(format!("`{MASTER_KEY}` of `{shown}` cannot be moved"));
            let cause = "it must stand under its own name in an age file";
            return Err(Failure::input(
                error.cause(cause).hint("move it there by hand, with `pq-secret edit`"),
            ));
        }
        let plain =
            passwords.decrypt(&value.ciphertext, &format!("`{path}` of `{shown}`")).map_err(secret)?;
        let letters = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
        let parts: Vec<String> = value.path.iter().map(|part| part.chars().map(letters).collect()).collect();
        let name = format!("vault_{}", parts.join("__"));
        // The same value is there when an earlier import was ended before the plain file was replaced.
        let known = document.values().get(&name).map(|known| known.expose_secret() == plain.expose_secret());
        if known != Some(true) && document.names().contains(&name) {
            let error =
                Diagnostic::new(format!("there is a `{name}` in `{}` already", keeper.path.display()));
            return Err(Failure::input(error.hint("rename one of them")));
        }
        if known.is_none() {
            // It would be told of a file that is not there, at a line that nobody wrote.
            document = document.with(&name, &plain, None).map_err(|mut error| {
                error.causes.insert(0, std::mem::take(&mut error.message));
                error.message = format!("`{path}` of `{shown}` cannot be moved; nothing was changed");
                error.place = None;
                error
            })?;
        }
        written.push((value.range.clone(), format!("\"{{{{ {name} }}}}\"")));
        names.insert(name);
    }
    let mut text = text;
    for (range, template) in written.into_iter().rev() {
        text.replace_range(range, &template);
    }
    let (plain, moved) = (document.text().to_owned(), Some(found.len()));
    let there = plain == before.expose_secret();
    Ok(Some(Change { old, below, text: Some(text), keeper, plain, there, moved }))
}

/// Changes a copy of the inventory, and compares what every host has there.
fn same_meaning(
    keys: &Keys,
    directory: &Path,
    changes: &[Change],
    names: &BTreeSet<String>,
) -> Result<(), Failure> {
    let copied = private_directory().map_err(|error| cannot("make a copy of", directory, &error))?;
    let Some(copied) = copied else {
        return Err(Failure::failed(
            Diagnostic::new("there is no place in memory for a copy of the inventory")
                .cause("neither `$XDG_RUNTIME_DIR` nor `/dev/shm` is a tmpfs")
                .hint("`mount -t tmpfs tmpfs /dev/shm`"),
        ));
    };
    let failed = |error: std::io::Error| cannot("make a copy of", directory, &error);
    let files = keys.files();
    let opening: BTreeSet<PathBuf> = files.all().filter_map(|key| fs::canonicalize(key).ok()).collect();
    copy(directory, copied.path(), 0, &opening).map_err(failed)?;
    for change in changes {
        let there = copied.path().join(&change.below);
        fs::write(age_name(&there), change.keeper.sealed(&change.plain)?).map_err(failed)?;
        match &change.text {
            Some(text) => fs::write(&there, text).map_err(failed)?,
            None => fs::remove_file(&there).map_err(failed)?,
        }
    }
    let before = meaning(keys, directory, directory)?;
    let after = meaning(keys, copied.path(), directory)?;
    for (host, values) in &before {
        let none = BTreeMap::new();
        let now = after.get(host).unwrap_or(&none);
        let moved = values.iter().find(|(name, value)| now.get(*name) != Some(value));
        let more = || now.keys().find(|name| !values.contains_key(*name) && !names.contains(*name));
        if let Some(name) = moved.map(|(name, _)| name).or_else(more) {
            return Err(differs(keys, directory, name, host, names));
        }
    }
    Ok(())
}

/// The error where a host would have another value, with its cause: the name that a value would get is in use, or
/// the order of the files.
fn differs(keys: &Keys, directory: &Path, name: &str, host: &str, names: &BTreeSet<String>) -> Failure {
    let error = Diagnostic::new(format!("variable `{name}` of host `{host}` would have another value"));
    let survey = Inventory::open(directory, keys.files()).ok().and_then(|inventory| inventory.survey().ok());
    let (set, read) = survey.map(|survey| (survey.set, survey.read)).unwrap_or_default();
    let taken = names.iter().find(|taken| taken.as_str() == name || set.contains_key(*taken));
    Failure::input(match (taken, names.iter().find(|taken| read.contains(*taken))) {
        (Some(taken), _) => error
            .cause(format!(
                "a value would move under the name `{taken}`, which is set already; nothing was changed"
            ))
            .hint(format!(
                "rename the `{taken}` that is there, or move the value by hand with `pq-secret edit`"
            )),
        (None, Some(taken)) => error
            .cause(format!(
                "a value would move under the name `{taken}`, which a template reads; nothing was changed"
            ))
            .hint(format!("let that template read another name than `{taken}`")),
        (None, None) => error
            .cause("the age file stands elsewhere in the order of the files; nothing was changed")
            .hint("`pq-inventory --explain` shows which files set it; import the files one by one"),
    })
}

/// Says that what looks like a template is none any more: Ansible fills in what stands in a file that was encrypted
/// whole, and no single values.
fn template(path: &str, shown: &str, plain: &SecretString) {
    if plain.expose_secret().contains("{{") || plain.expose_secret().contains("{%") {
        say(&format!(
            "`{path}` of `{shown}` holds a template, which Ansible fills in; a secret is never a template: its text stands for itself"
        ));
    }
}

/// Every host's variables, with the secrets' values where their tokens are.
fn meaning(keys: &Keys, directory: &Path, of: &Path) -> Result<Meaning, Failure> {
    let inventory = Inventory::open(directory, keys.files())?.in_place_of(of);
    let identities = keys.identities()?;
    let (mut hosts, mut secrets) = (BTreeMap::new(), BTreeMap::new());
    for record in inventory.records(&[], SystemTime::now())? {
        match record {
            Record::Host(host) => drop(hosts.insert(host.host, host.vars)),
            Record::Secret(sealed) => {
                let what = format!("the secrets of host `{}`", sealed.host);
                let opened = pq_secrets::open(&sealed.sealed, &identities, &what).map_err(secret)?;
                secrets.insert(sealed.host, opened);
            }
            _ => {}
        }
    }
    let none = pq_secrets::Values::new();
    let filled = hosts.into_iter().map(|(host, vars)| {
        let values = secrets.get(&host).unwrap_or(&none);
        let own = vars.into_iter().map(|(name, value)| (name, with_values(value, values)));
        (host, own.collect())
    });
    Ok(filled.collect())
}

/// A value with each token as its sinks and the secret's text.
fn with_values(value: Value, values: &pq_secrets::Values) -> Value {
    match value {
        Value::String(text) => match pieces(&text) {
            Ok(found) => found
                .into_iter()
                .map(|piece| match piece {
                    Piece::Text(text) => text.to_owned(),
                    Piece::Token(token) => {
                        let secret = match &token.source {
                            pq_stream::Source::Named(name) => values.get(name),
                            pq_stream::Source::Derived { .. } => None,
                        };
                        let secret = secret.map_or("", |secret| secret.expose_secret());
                        format!("{:?}{secret}", token.sinks)
                    }
                })
                .collect::<String>()
                .into(),
            Err(_) => text.into(),
        },
        Value::Array(items) => items.into_iter().map(|item| with_values(item, values)).collect(),
        Value::Object(map) => map.into_iter().map(|(key, item)| (key, with_values(item, values))).collect(),
        other => other,
    }
}

/// Copies what hosts and variables are read from; what values look up is read where it is.
fn copy(from: &Path, to: &Path, depth: usize, keys: &BTreeSet<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let Some(name) = path.file_name() else { continue };
        let shown = name.to_string_lossy();
        let hidden = shown.starts_with('.') && name != ".age-recipients";
        // Beside the hosts file there may lie anything, identities too.
        let read = match path.is_dir() {
            true => depth > 0 || name == "group_vars" || name == "host_vars",
            false => {
                depth > 0
                    || name == ".age-recipients"
                    || Path::new(name).file_stem() == Some("hosts".as_ref())
            }
        };
        let opens = fs::canonicalize(&path).is_ok_and(|path| keys.contains(&path));
        if hidden || !read || opens {
            continue;
        }
        if path.is_dir() && depth < 16 {
            fs::create_dir(to.join(name))?;
            copy(&path, &to.join(name), depth + 1, keys)?;
        } else if path.is_file() {
            // Not with its mode: a copy is nobody else's to read.
            fs::write(to.join(name), fs::read(&path)?)?;
        }
    }
    Ok(())
}
