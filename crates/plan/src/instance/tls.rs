//! The certificate of an instance: from a public authority, from the machine's own, from the operator, or none.
//!
//! Always true here: servers read `/etc/paquerette/tls/<id>/{chain,key}.pem`, wherever the pair comes from, and there is one before
//! they do.

use pq_recipes::Phase;
use pq_stream::Diagnostic;
use serde_json::{Map, Value, json};

use super::keys;
use super::life::{AUTHORITY, Life};
use crate::draft::{Draft, Draught};
use crate::values;

/// Where challenges of an authority are served from, as the web servers' recipes have it.
const WEBROOT: &str = "/var/www/acme";

/// What is before its site: a pair that can be served.
pub(super) fn certificate(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    let tls = &life.paths.tls;
    if life.tls() == "none" {
        return Ok(());
    }
    draft.step(
        &life.step("tls"),
        format!("directory {tls}"),
        "directory",
        json!({ "path": tls, "mode": "0700" }),
    )?;
    match life.tls() {
        "letsencrypt" => {
            let local = format!("{tls}/local");
            let directory = json!({ "path": local, "mode": "0700" });
            draft.step(&life.step("tls-local"), format!("directory {local}"), "directory", directory)?;
            own(draft, life, &local)?;
            let live = format!("/etc/letsencrypt/live/{}", life.id());
            pair(
                draft,
                life,
                json!({
                    "chain": format!("{live}/fullchain.pem"),
                    "key": format!("{live}/privkey.pem"),
                }),
            )?;
            hsts(draft, life)
        }
        "files" => {
            // which tells whether the key is that of the certificate
            draft.step(
                &life.step("openssl"),
                "package openssl",
                "package",
                json!({ "names": ["openssl"] }),
            )?;
            let given = json!({ "chain": given(draft, life, "tls_chain")?, "key": given(draft, life, "tls_key")?, "required": true });
            pair(draft, life, given)
        }
        _ => own(draft, life, tls),
    }
}

/// A pair from the machine's own authority, in a directory.
fn own(draft: &mut Draft<'_>, life: &Life<'_>, directory: &str) -> Result<(), Diagnostic> {
    let names = life.names()?;
    let title = format!("certificate of {}", names.join(", "));
    let fields = json!({
        "names": names,
        "chain": format!("{directory}/chain.pem"),
        "key": format!("{directory}/key.pem"),
        "authority": AUTHORITY,
    });
    draft.step(&life.step("certificate"), title, "certificate", fields)
}

/// Which pair is served.
fn pair(draft: &mut Draft<'_>, life: &Life<'_>, mut fields: Value) -> Result<(), Diagnostic> {
    fields["path"] = life.paths.tls.clone().into();
    fields["names"] = life.names()?.into();
    draft.step(&life.step("tls-served"), format!("certificate that {} serves", life.id()), "tls", fields)
}

/// One of the operator's files.
fn given(draft: &Draft<'_>, life: &Life<'_>, key: &str) -> Result<String, Diagnostic> {
    let host = draft.host;
    if let Some(path) = life.scope.text(key) {
        let ours =
            ["/etc/paquerette/", "/etc/letsencrypt/"].into_iter().find(|below| path.starts_with(below));
        let Some(below) = ours else { return Ok(path.to_owned()) };
        let error =
            Diagnostic::new(format!("the `{key}` of `{}` on `{}` cannot be served", life.id(), host.host))
                .cause(format!(
                    "what is in `{below}` is changed and taken away by tools: `{path}` would not stay"
                ));
        let error = values::at(error, keys::place(host, life.instance, key));
        return Err(error.hint("have the operator's own files elsewhere, as in `/etc/ssl/private/`"));
    }
    let error = Diagnostic::new(format!("`{}` on `{}` has no `{key}`", life.id(), host.host))
        .cause("its `tls` is `files`: the certificate is one that lies on the machine");
    let error = values::at(error, keys::place(host, life.instance, "tls"));
    Err(error.hint(format!(
        "set `{key}` of the instance: an absolute path, such as `/etc/ssl/private/{}.{}.pem`",
        life.id(),
        key.trim_start_matches("tls_")
    )))
}

/// What has browsers come back by https alone, beside the pair that it may be said with.
fn hsts(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    if life.scope.var("hsts") != Some(&Value::Bool(true)) {
        return Ok(());
    }
    let header = match draft.web_server().0 {
        "apache2" => "Header setifempty Strict-Transport-Security max-age=63072000",
        _ => "add_header Strict-Transport-Security $pq_hsts always;",
    };
    let path = format!("{}/given/hsts.conf", life.paths.tls);
    let content = format!("# Written by paquerette: said along with a public certificate only\n{header}\n");
    let title = format!("what {} says with a public certificate", life.id());
    draft.step(&life.step("hsts"), title, "file", json!({ "path": path, "content": content }))
}

/// What a site includes for that: a pattern, since there is nothing while the machine's own pair is served.
pub(super) fn hsts_file(life: &Life<'_>) -> String {
    format!("{}/served/hsts.con[f]", life.paths.tls)
}

/// The authority that a site's certificate is trusted by, beside the system's: its own chain where it may be anybody's.
pub(super) fn trusted(life: &Life<'_>) -> Option<String> {
    match life.tls() {
        "none" => None,
        "selfsigned" => Some(format!("{AUTHORITY}/ca.pem")),
        _ => Some(format!("{}/chain.pem", life.paths.tls)),
    }
}

/// Where a renewal notes that it could not have the web server reload.
pub(super) fn failed(life: &Life<'_>) -> String {
    format!("/var/lib/paquerette/acme/{}.failed", life.id())
}

/// Where it is noted what its authority said when it was last asked.
pub(super) fn asked(life: &Life<'_>) -> String {
    format!("/var/lib/paquerette/acme/{}.json", life.id())
}

/// Once its site is served: the public certificate, and whether what is served is what is on the disk.
pub(super) fn served(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    if life.tls() == "none" {
        unused(draft, life)?;
        return read(draft, life, "runs without a certificate");
    }
    let reload =
        draft.body(&format!("platform/{}/reload", draft.web_server().0)).cloned().unwrap_or_default();
    let names = life.names()?;
    let all = names.join(", ");
    let (tls, public) = (&life.paths.tls, life.tls() == "letsencrypt");
    if public {
        let mut fields = Map::from_iter([
            ("name".to_owned(), life.id().into()),
            ("names".to_owned(), names.clone().into()),
            ("path".to_owned(), tls.clone().into()),
            ("webroot".to_owned(), WEBROOT.into()),
        ]);
        let var = |name: &str| life.scope.var(name).filter(|value| !value.is_null()).cloned();
        let email = var("acme_email").or_else(|| var("admin_email"));
        for (field, value) in [
            ("directory", var("acme_directory")),
            ("email", email),
            ("ca", var("acme_ca_file")),
            ("reach", var("acme_reach").filter(|it| *it == Value::Bool(false))),
        ] {
            fields.extend(value.map(|value| (field.to_owned(), value)));
        }
        later(draft, life, "acme", format!("public certificate of {all}"), "acme", fields)?;
        read(draft, life, "has read the certificate")?;
    }
    let mut fields = Map::from_iter([
        ("names".to_owned(), names.into()),
        ("chain".to_owned(), format!("{tls}/chain.pem").into()),
    ]);
    for field in ["unit", "test"] {
        fields.extend(reload.get(field).map(|value| (field.to_owned(), value.clone())));
    }
    fields.extend(public.then(|| ("failed".to_owned(), failed(life).into())));
    later(
        draft,
        life,
        "served",
        format!("{all} is served with its certificate"),
        "served_certificate",
        fields,
    )?;
    unused(draft, life)
}

/// The web server's reload once more: what it reads of an instance may be another than at the first.
fn read(draft: &mut Draft<'_>, life: &Life<'_>, what: &str) -> Result<(), Diagnostic> {
    let reload =
        draft.body(&format!("platform/{}/reload", draft.web_server().0)).cloned().unwrap_or_default();
    let unit = reload.get("unit").and_then(Value::as_str).unwrap_or_default();
    let title = format!("{unit} {what} of {}", life.id());
    later(draft, life, "serve", title, "reload", reload)
}

/// What another `tls` of before left: pairs and links that the web server reads no longer, and what would be renewed for nobody.
fn unused(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    let (id, tls) = (life.id(), &life.paths.tls);
    let below = |names: &[&str]| names.iter().map(|name| format!("{tls}/{name}")).collect::<Vec<_>>();
    let mut only = match life.tls() {
        "letsencrypt" => return Ok(()),
        "files" => below(&["local", "local/*", "before", "before/*", "given/hsts.conf"]),
        "none" => [vec![tls.clone()], below(&["**"])].concat(),
        _ => below(&["served", "given", "given/*", "local", "local/*", "before", "before/*"]),
    };
    only.extend([
        format!("/etc/letsencrypt/*/{id}"),
        format!("/etc/letsencrypt/renewal/{id}.conf"),
        asked(life),
    ]);
    let fields = Map::from_iter([("owner".to_owned(), id.into()), ("only".to_owned(), only.into())]);
    later(draft, life, "tls-unused", format!("nothing is left of another `tls` of {id}"), "remove", fields)
}

/// A step behind the files of all.
fn later(
    draft: &mut Draft<'_>,
    life: &Life<'_>,
    name: &str,
    title: String,
    kind: &str,
    fields: Map<String, Value>,
) -> Result<(), Diagnostic> {
    let (id, kind) = (life.step(name), kind.to_owned());
    draft.push(Draught { id, title, kind, phase: Phase::AfterFiles, hardening: false, fields }, None)
}
