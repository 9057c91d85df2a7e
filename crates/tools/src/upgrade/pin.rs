//! `pq-upgrade pin`.

use std::fs;
use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pq_cli::{Failure, size, tell, tool_name};
use pq_recipes::{App, Catalogue, Pin, Pins, Source};
use pq_run::{Vouched, published};
use pq_store::replace_for;
use pq_stream::{Diagnostic, Status, system_cause, utc};

use crate::inventory;

/// Pin a version of an application in the inventory, with the digest of what upstream has
///
/// Fetches the release, from where its newest pinned version was with the version in the address changed, or from --url. Says who vouches for it: a
/// signature of a key in --keyring, a digest that the same server has beside it, or nobody. Writes it into `recipes/apps/APP/pins.yml` of the
/// inventory, where a security release needs no newer tools; instances go to it by `pq-upgrade`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The application, as `pq-instance catalogue` lists it
    app: String,
    /// The version, as upstream spells it
    version: String,
    /// Write into this inventory (default: $PQ_INVENTORY, else ./inventory, else the current directory, where there is an
    /// inventory)
    #[arg(short, long, value_name = "DIR")]
    inventory: Option<PathBuf>,
    /// Fetch it from here
    #[arg(long)]
    url: Option<String>,
    /// Take it only if it is signed by a key in this file, as `gpg --export KEY` writes it
    #[arg(long, value_name = "FILE")]
    keyring: Option<PathBuf>,
    /// Only say what would be written
    #[arg(long)]
    check: bool,
}

/// Does it.
pub(super) fn tell_of(args: &Args) -> Result<Status, Failure> {
    let directory = inventory::directory(args.inventory.clone())?;
    let recipes = directory.join("recipes");
    let catalogue = Catalogue::load(Some(&recipes)).map_err(Failure::input)?;
    let app = catalogue.app(&args.app).ok_or_else(|| {
        Failure::input(
            Diagnostic::new(format!("there is no recipe of `{}`", args.app))
                .hint("`pq-instance catalogue` lists the applications that there are"),
        )
    })?;
    if app.pins.get(&args.version).is_some() {
        tell(&format!("{}: `{}` {} is pinned already\n", tool_name(), app.name, args.version));
        return Ok(Status::Done);
    }
    let like = like(app)?;
    let file = recipes.join("apps").join(&app.name).join("pins.yml");
    let before = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Failure::input(cannot("read", &file, &error))),
    };
    let line = fetched(args, app, &like)?;
    let text = match before.is_empty() || before.ends_with('\n') {
        true => format!("{before}{line}"),
        false => format!("{before}\n{line}"),
    };
    // What would not be read again is not written.
    let source = Source { shown: file.display().to_string(), text: text.clone() };
    Pins::default().add(&source).map_err(Failure::input)?;
    stdout().write_all(line.as_bytes()).map_err(|error| Failure::output(&error))?;
    if args.check {
        return Ok(Status::Differs);
    }
    let above = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(above)
        .and_then(|()| replace_for(&file, text.as_bytes(), 0o644))
        .map_err(|error| Failure::failed(cannot("write", &file, &error)))?;
    tell(&format!("{}: written to `{}`\n", tool_name(), file.display()));
    Ok(Status::Done)
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic::new(format!("cannot {what} `{}`", path.display())).cause(system_cause(error))
}

/// The newest pinned version, which the new one is like: its own version in its address.
fn like(app: &App) -> Result<(String, Pin), Failure> {
    let refuse = |cause: &str| {
        Err(Failure::input(
            Diagnostic::new(format!("a version of `{}` cannot be pinned so", app.name))
                .cause(cause.to_owned())
                .hint(format!(
                    "docs/recipes.md says how `recipes/apps/{}/pins.yml` is written by hand",
                    app.name
                )),
        ))
    };
    match app.pins.newest(None) {
        None => Ok((String::new(), Pin::default())),
        Some((_, pin)) if !pin.parts.is_empty() => {
            refuse("its variants have parts of their own, each with a digest")
        }
        Some((_, pin)) if pin.requirements.is_some() => {
            refuse("it is a list of packages of Python, each with its digests")
        }
        Some((version, pin)) => Ok((version.to_owned(), pin.clone())),
    }
}

/// Fetches what is to be pinned, and writes the pin.
fn fetched(args: &Args, app: &App, (old, pin): &(String, Pin)) -> Result<String, Failure> {
    let built = [("amd64", &pin.amd64), ("arm64", &pin.arm64)];
    let built: Vec<_> =
        built.into_iter().filter_map(|(name, it)| Some((Some(name), it.as_ref()?.url.clone()))).collect();
    let addresses = match (&args.url, &pin.url) {
        (Some(url), _) => vec![(None, url.clone())],
        (None, Some(url)) => vec![(None, url.clone())],
        (None, None) => built,
    };
    let mut fields = Vec::new();
    let mut vouched = Vouched::Nobody;
    for (name, address) in &addresses {
        let url = match &args.url {
            Some(url) => url.clone(),
            None => renamed(address, old, &args.version, app)?,
        };
        tell(&format!("{}: fetching `{url}`\n", tool_name()));
        let it = published(&url, args.keyring.as_deref()).map_err(Failure::failed)?;
        tell(&format!("{}: {}, {}\n", tool_name(), size(it.length), words(&it.vouched)));
        let both = format!("url: {}, sha256: {}", quoted(&url), it.sha256);
        fields.push(name.map_or_else(|| both.clone(), |name| format!("{name}: {{ {both} }}")));
        vouched = it.vouched;
    }
    if fields.is_empty() {
        let error = Diagnostic::new(format!("nothing says where `{}` {} is", app.name, args.version));
        return Err(Failure::input(error.hint("name its archive with `--url`")));
    }
    if pin.url.is_some() && pin.strip != 1 {
        fields.push(format!("strip: {}", pin.strip));
    }
    if let Some(php) = &pin.php {
        let max = php.max.as_ref().map_or_else(String::new, |max| format!(", max: {}", quoted(max)));
        fields.push(format!("php: {{ min: {}{max} }}", quoted(&php.min)));
    }
    let today = utc(SystemTime::now());
    let today = today.split('T').next().unwrap_or_default();
    Ok(format!("# {today}: {}\n{}: {{ {} }}\n", words(&vouched), quoted(&args.version), fields.join(", ")))
}

/// The address of another version.
fn renamed(address: &str, old: &str, new: &str, app: &App) -> Result<String, Failure> {
    if !old.is_empty() && address.contains(old) {
        return Ok(address.replace(old, new));
    }
    let error = Diagnostic::new(format!("nothing says where `{}` {new} is", app.name))
        .cause(format!("the address of {old} does not name its version: `{address}`"));
    Err(Failure::input(error.hint("name its archive with `--url`")))
}

fn words(vouched: &Vouched) -> String {
    match vouched {
        Vouched::Signed { at } => format!("signed, by a key that was given: {at}"),
        Vouched::Same { at } => format!("its digest is that of the same server: {at}"),
        Vouched::Nobody => "nobody vouches for it: the digest is that of what came first".to_owned(),
    }
}

/// A text of YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
