//! Where an instance says itself where its code comes from: an archive, a tag of a git repository, packages of Python, a directory.
//!
//! What comes from an archive, a repository or a directory has its Python environment below its release, and goes with it.

use pq_recipes::{ARCHIVE, DIRECTORY, GIT, Git, Node, Origin, PACKAGES, Pin, Releases};
use pq_stream::Diagnostic;
use serde_json::{Map, Value, json};

use super::keys;
use super::life::Life;
use crate::draft::Draft;
use crate::values;

/// Where the environment of a release is, below it.
const ENVIRONMENT: &str = ".paquerette/venv";

/// What an instance says of its code; nothing where it says nothing, the two keys where it says two things.
pub(super) fn of(values: &Map<String, Value>) -> Result<Option<(String, Pin)>, (&'static str, &'static str)> {
    let given: Vec<&str> =
        [ARCHIVE, GIT, PACKAGES, DIRECTORY].into_iter().filter(|key| values.contains_key(*key)).collect();
    if let [one, other, ..] = given[..] {
        return Err((one, other));
    }
    let Some(key) = given.first() else { return Ok(None) };
    let value = &values[*key];
    let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
    Ok(match *key {
        ARCHIVE => archive(value),
        GIT => serde_json::from_value(value.clone()).ok().map(|git: Git| {
            (git.version.clone().unwrap_or_else(|| git.tag.clone()), Pin { git: Some(git), ..nothing() })
        }),
        DIRECTORY => text("version").map(|version| (version, Pin { directory: text("path"), ..nothing() })),
        _ => text("version").map(|version| (version, Pin { packages: text("requirements"), ..nothing() })),
    })
}

/// The key in which an instance says where its code comes from; nothing where that is pinned.
pub(super) fn key(life: &Life<'_>) -> Option<&'static str> {
    let is_set = |key: &&str| life.scope.var(key).is_some_and(|value| !value.is_null());
    match life.app.releases {
        Releases::Own => Some(ARCHIVE),
        Releases::Python => [ARCHIVE, GIT, PACKAGES, DIRECTORY].into_iter().find(is_set),
        Releases::Pinned | Releases::None => None,
    }
}

/// What an archive says of itself.
pub(super) fn archive(value: &Value) -> Option<(String, Pin)> {
    let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
    let strip = value.get("strip").and_then(Value::as_u64).unwrap_or(1) as usize;
    Some((text("version")?, Pin { url: text("url"), sha256: text("sha256"), strip, ..nothing() }))
}

fn nothing() -> Pin {
    Pin {
        url: None,
        sha256: None,
        strip: 1,
        requirements: None,
        amd64: None,
        arm64: None,
        parts: Default::default(),
        php: None,
        packages: None,
        git: None,
        directory: None,
    }
}

/// What templates see as `instance.source`.
pub(super) fn name(pin: Option<&Pin>) -> &'static str {
    match pin.and_then(Pin::origin) {
        Some(Origin::Archive { .. }) => ARCHIVE,
        Some(Origin::Git(_)) => GIT,
        Some(Origin::Packages(_)) => PACKAGES,
        Some(Origin::Directory(_)) => DIRECTORY,
        Some(Origin::Requirements(_)) => "pinned",
        None => "none",
    }
}

/// Where the programs of a release's environment are.
pub(super) fn programs(release: &str, pin: Option<&Pin>) -> String {
    match name(pin) {
        ARCHIVE | GIT | DIRECTORY => format!("{release}/{ENVIRONMENT}/bin"),
        _ => format!("{release}/bin"),
    }
}

/// The release that a tag of a git repository is.
pub(super) fn checkout(draft: &mut Draft<'_>, life: &Life<'_>, git: &Git) -> Result<(), Diagnostic> {
    let home = &life.paths.home;
    draft.step(&life.step("git"), "package git", "package", json!({ "names": ["git"] }))?;
    let mut ssh = "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes".to_owned();
    for (name, variable, mode, option) in [
        ("deploy_key", "deploy_key", "0600", "-o IdentitiesOnly=yes -i"),
        ("known_hosts", "host_keys", "0644", "-o GlobalKnownHostsFile=/dev/null -o UserKnownHostsFile="),
    ] {
        let content = match life.scope.var(variable) {
            Some(Value::String(text)) => format!("{text}\n"),
            Some(Value::Array(lines)) if !lines.is_empty() => {
                lines.iter().filter_map(Value::as_str).map(|line| format!("{line}\n")).collect()
            }
            _ => continue,
        };
        let path = format!("{home}/{name}");
        let blank = if option.ends_with('=') { "" } else { " " };
        ssh.push_str(&format!(" {option}{blank}{path}"));
        let id = life.step(&name.replace('_', "-"));
        let title = format!("{} of its repository", name.replace('_', " "));
        draft.step(&id, title, "file", json!({ "path": path, "content": content, "mode": mode }))?;
    }
    let release = &life.paths.release;
    let program = format!("{home}/checkout");
    let script = &draft.catalogue.path("instance/checkout.sh")?.text;
    let fields = json!({ "path": program, "content": script, "mode": "0755" });
    draft.step(&life.step("checkout"), "what makes a release of a tag", "file", fields)?;
    let argv = [&program, release, &git.url, &git.tag, &git.commit];
    let fields = json!({
        "argv": argv,
        "unless": ["grep", "-qx", git.commit, format!("{release}/.paquerette/commit")],
        "env": {
            "GIT_SSH_COMMAND": ssh, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": "/nonexistent",
        },
        "timeout": 900,
        "makes": release,
    });
    draft.step(
        &life.step("release"),
        format!("{} {}, the tag {}", life.app.name, life.version, git.tag),
        "command",
        fields,
    )
}

/// The release that a copy of a directory of the machine is; made again where what is in the directory is no longer the same.
pub(super) fn copied(draft: &mut Draft<'_>, life: &Life<'_>, directory: &str) -> Result<(), Diagnostic> {
    let release = &life.paths.release;
    let (own, given) = (format!("{}/", life.paths.home), format!("{directory}/"));
    if own.starts_with(&given) || given.starts_with(&own) {
        let error = Diagnostic::new(format!(
            "the `directory` of `{}` on `{}` cannot be copied",
            life.id(),
            draft.host.host
        ))
        .cause(format!("a copy of `{directory}` would be in `{}`, and in the next copy", life.paths.home));
        let error = values::at(error, keys::place(draft.host, life.instance, "directory"));
        return Err(error.hint("keep it elsewhere, as in `/srv/shop`"));
    }
    let program = format!("{}/copied", life.paths.home);
    let script = &draft.catalogue.path("instance/copied.sh")?.text;
    let fields = json!({ "path": program, "content": script, "mode": "0755" });
    draft.step(&life.step("copied"), "what makes a release of a directory", "file", fields)?;
    let fields = json!({
        "argv": [program, "make", release, directory, life.id()],
        "unless": [program, "same", release, directory],
        "timeout": 900,
        "makes": release,
    });
    let title = format!("{} {}, from {directory}", life.app.name, life.version);
    draft.step(&life.step("release"), title, "command", fields)
}

/// The Python environment of a release whose files list what it needs.
pub(super) fn environment(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    let listed = life.scope.text("requirements").unwrap_or("requirements.txt");
    let release = &life.paths.release;
    let whose = json!({ "path": format!("{release}/{ENVIRONMENT}"), "file": format!("{release}/{listed}") });
    let fields = environment_fields(draft, life, whose)?;
    draft.step(&life.step("environment"), format!("what {listed} of {} lists", life.id()), "venv", fields)
}

/// What every environment of a recipe has beside these fields: its interpreter, where packages come from, and what is in it beside.
pub(super) fn environment_fields(
    draft: &Draft<'_>,
    life: &Life<'_>,
    mut fields: Value,
) -> Result<Value, Diagnostic> {
    fields["python"] = draft.os.python.program.clone().into();
    if let Some(mirror) = life.mirror() {
        fields["find_links"] = format!("{mirror}/pypi/").into();
    }
    let with = life.app.needs.python.as_ref().and_then(|python| python.with.as_ref());
    let pinned = name(life.pin.as_ref()) == "pinned";
    if let Some(file) = with.filter(|_| !pinned) {
        fields["also"] = draft.catalogue.file(&life.directory, file, &life.app.source)?.text.clone().into();
    }
    Ok(fields)
}

/// A list of packages whose wheels come from the site's own mirror, where there is one.
pub(super) fn mirrored(life: &Life<'_>, requirements: &str) -> String {
    let one = |line: &str| match line.split_once(" @ ") {
        Some((name, url)) => format!("{name} @ {}", life.mirrored(url)),
        None => line.to_owned(),
    };
    requirements.lines().map(one).collect::<Vec<_>>().join("\n")
}

/// The program that a variant has in place of the archive's.
pub(super) fn variant(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    let (Some(pin), Some(name)) = (&life.pin, life.scope.text("variant")) else { return Ok(()) };
    let Some(part) = pin.parts.get(name) else { return Ok(()) };
    let architecture = draft.scope.text("architecture").unwrap_or("amd64");
    let Some(built) = part.on(architecture) else {
        let text = format!("`{name}` {} is not pinned for {architecture}, for `{}`", life.version, life.id());
        let hint = format!("add it to recipes/apps/{}/pins.yml of the inventory", life.app.name);
        return Err(Diagnostic::new(text).hint(hint));
    };
    let fields = json!({
        "path": format!("{}/{}", life.paths.release, part.into),
        "url": life.mirrored(&built.url),
        "sha256": built.sha256.to_ascii_lowercase(),
        "mode": "0755",
    });
    draft.step(&life.step(name), format!("{name} {}", life.version), "download", fields)
}

/// Its packages, from the repository of its makers.
pub(super) fn packages(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    let Some(apt) = &life.app.apt else { return Ok(()) };
    let source = &life.app.source;
    let text = |node: &Node| draft.renderer.text(source, node, &life.scope);
    let texts = |nodes: &[Node]| nodes.iter().map(text).collect::<Result<Vec<_>, _>>();
    let mirrored = |urls: Vec<String>| urls.iter().map(|url| life.mirrored(url)).collect::<Vec<_>>();
    let mut fields = json!({
        "name": life.app.name, "uris": mirrored(texts(&apt.uris)?), "suites": texts(&apt.suites)?,
        "fingerprints": draft.renderer.node(source, &apt.fingerprints, &life.scope)?,
    });
    if !apt.components.is_empty() {
        fields["components"] = texts(&apt.components)?.into();
    }
    if let Some(file) = &apt.key {
        fields["key"] = draft.catalogue.file(&life.directory, file, source)?.text.clone().into();
    }
    if let Some(url) = &apt.key_url {
        fields["key_url"] = life.mirrored(&text(url)?).into();
    }
    let names = draft.renderer.node(source, &apt.packages, &life.scope)?;
    draft.step(&life.step("repository"), format!("packages of {}", life.app.name), "apt_source", fields)?;
    draft.step(&life.step("packages"), life.app.name.clone(), "package", json!({ "names": names }))
}
