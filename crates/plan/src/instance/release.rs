//! An instance's user, directories and code, and what of it survives a new release.

use pq_recipes::{Brings, Keep, Mark, Merge, Node, Origin, PACKAGES, Pin, Releases, Source};
use pq_stream::Diagnostic;
use serde_json::{Map, Value, json};

use super::life::Life;
use super::{keys, source};
use crate::draft::Draft;
use crate::values;

/// Its own group and user.
pub(super) fn account(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    let id = life.id();
    draft.step(&life.step("group"), format!("group {id}"), "group", json!({ "name": id }))?;
    let comment = format!("paquerette {}", life.app.name);
    let user = json!({ "name": id, "group": id, "home": life.paths.home, "comment": comment });
    draft.step(&life.step("user"), format!("user {id}"), "user", user)
}

/// What is behind it in the plan is for this version, and not for another one that is installed.
pub(super) fn installed(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    if life.pin.is_none() {
        return Ok(());
    }
    let title = format!("{} is {} {}, or not installed yet", life.id(), life.app.name, life.version);
    let mut fields = json!({ "current": life.paths.current, "version": life.version });
    if let Some(key) = source::key(life) {
        fields["key"] = key.into();
    }
    draft.step(&life.step("installed"), title, "installed", fields)
}

/// Where it lives: others may pass through, not look around.
pub(super) fn directories(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    let paths = &life.paths;
    for (name, path, mode, own) in [
        ("home", &paths.home, "0751", false),
        ("releases", &format!("{}/releases", paths.home), "0755", false),
        ("kept", &paths.kept, "0751", true),
        ("data", &paths.data, "0750", true),
        ("tmp", &paths.tmp, "0700", true),
    ] {
        if name == "releases" && life.pin.is_none() {
            continue;
        }
        let owner = if own { life.id() } else { "root" };
        let fields = json!({ "path": path, "mode": mode, "owner": owner, "group": owner });
        draft.step(&life.step(name), format!("directory {path}"), "directory", fields)?;
    }
    Ok(())
}

/// Its code: a release with what is kept linked in, or a Python environment.
pub(super) fn code(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    let title = format!("{} {}", life.app.name, life.version);
    let Some(pin) = &life.pin else { return Ok(()) };
    match pin.origin() {
        Some(Origin::Archive { url, sha256 }) => {
            let links =
                life.app.keep.iter().map(|keep| (keep.path.clone(), Value::from(kept_path(life, keep))));
            let fields = json!({
                "path": life.paths.release,
                "url": life.mirrored(url),
                "sha256": sha256.to_ascii_lowercase(),
                "strip": pin.strip,
                "links": links.collect::<Map<_, _>>(),
            });
            draft.step(&life.step("release"), title, "release", fields)?;
            source::variant(draft, life)?;
            match life.app.releases {
                Releases::Python => source::environment(draft, life),
                _ => Ok(()),
            }
        }
        Some(Origin::Requirements(file)) => {
            let listed = listed(draft, life, file)?;
            let whose = json!({ "path": life.paths.release, "requirements": listed.text });
            let fields = source::environment_fields(draft, life, whose)?;
            draft.step(&life.step("release"), title, "venv", fields).map_err(|error| within(listed, error))
        }
        Some(Origin::Packages(listed)) => {
            let whose = json!({ "path": life.paths.release, "requirements": source::mirrored(life, listed) });
            let fields = source::environment_fields(draft, life, whose)?;
            draft.step(&life.step("release"), title, "venv", fields).map_err(|error| {
                let error =
                    error.hint("`pip-compile --generate-hashes` writes a list with every version and digest");
                values::at(error, keys::place(life.host, life.instance, PACKAGES))
            })
        }
        Some(Origin::Git(git)) => {
            source::checkout(draft, life, git)?;
            source::environment(draft, life)
        }
        Some(Origin::Directory(directory)) => {
            source::copied(draft, life, directory)?;
            source::environment(draft, life)
        }
        None => Err(Diagnostic::new(format!("the pin of `{title}` names no source"))),
    }
}

/// The file that lists a version's Python packages.
fn listed<'p>(draft: &Draft<'p>, life: &Life<'_>, file: &str) -> Result<&'p Source, Diagnostic> {
    let name = Node { mark: Default::default(), data: pq_recipes::Data::Scalar(file.into()) };
    draft.catalogue.file(&life.directory, &name, &life.app.source).map_err(|error| {
        match life.app.pins.place(&life.version) {
            Some(place) => error.at(place.clone()),
            None => error,
        }
    })
}

/// An error with the line of the list of packages that its cause quotes, or else the first.
fn within(listed: &Source, error: Diagnostic) -> Diagnostic {
    let quoted = error.causes.iter().find_map(|cause| cause.split('`').nth(3)).unwrap_or_default();
    let begins = |line: &str| {
        let line = line.trim_end_matches([' ', '\\']);
        !line.is_empty() && quoted.starts_with(line)
    };
    let at = listed.text.lines().position(begins).unwrap_or_default();
    error.at(listed.place(Mark { line: at + 1, column: 1 }))
}

/// What survives a new release, filled from it before it is switched to.
pub(super) fn kept(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    for keep in &life.app.keep {
        let to = kept_path(life, keep);
        let name = keep.path.replace('/', "-");
        // the directories on the way to it
        for (at, _) in keep.path.match_indices('/') {
            let above = &keep.path[..at];
            let path = format!("{}/{above}", life.paths.kept);
            let fields = json!({ "path": path, "mode": "0751", "owner": life.id(), "group": life.id() });
            let id = life.step(&format!("above-{}", above.replace('/', "-")));
            draft.step(&id, format!("directory kept/{above}"), "directory", fields)?;
        }
        if keep.brings == Brings::NoFile {
            continue;
        }
        // what the web server reads itself stays readable for it, also what is added later
        let (group, mode) = match keep.served {
            true => (draft.os.web.group.clone(), "2750"),
            false => (life.id().to_owned(), "0750"),
        };
        let fields = json!({ "path": to, "mode": mode, "owner": life.id(), "group": group });
        draft.step(
            &life.step(&format!("kept-{name}")),
            format!("kept {}", keep.path),
            "directory",
            fields,
        )?;
        // an environment of Python packages brings nothing to keep
        if let (Some(Origin::Archive { .. }), Brings::Directory) =
            (life.pin.as_ref().and_then(Pin::origin), keep.brings)
        {
            let fresh = match keep.merge {
                Some(Merge::Added) => vec!["**".to_owned()],
                None => keep.fresh.clone(),
            };
            let from = format!("{}/.paquerette/shipped/{}", life.paths.release, keep.path);
            let fields =
                json!({ "from": from, "to": to, "fresh": fresh, "owner": life.id(), "group": group });
            let title = format!("what {} {} brings to {}", life.app.name, life.version, keep.path);
            draft.step(&life.step(&format!("shipped-{name}")), title, "copy", fields)?;
        }
    }
    Ok(())
}

/// The release becomes the one that is served.
pub(super) fn switch(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    if life.pin.is_none() {
        return Ok(());
    }
    let fields = json!({ "path": life.paths.current, "target": format!("releases/{}", life.version) });
    draft.step(
        &life.step("current"),
        format!("{} {} is current", life.app.name, life.version),
        "symlink",
        fields,
    )
}

fn kept_path(life: &Life<'_>, keep: &Keep) -> String {
    format!("{}/{}", life.paths.kept, keep.path)
}
