//! What must hold between the keys of a recipe, and its type does not say.

use super::{App, Brings, Keep, Releases, WebKind};

impl App {
    /// What does not fit together.
    pub(super) fn misfit(&self) -> Option<String> {
        let plain =
            |path: &str| !path.is_empty() && path.split('/').all(|part| !["", ".", ".."].contains(&part));
        let takes = |keep: &&Keep| keep.merge.is_some() || !keep.fresh.is_empty();
        if let Some(keep) = self.keep.iter().find(|keep| keep.brings != Brings::Directory && takes(keep)) {
            return Some(format!(
                "`keep` has `{}`, of which the release brings nothing, with `fresh` or `merge`",
                keep.path
            ));
        }
        if let Some(keep) = self.keep.iter().find(|keep| !plain(&keep.path)) {
            return Some(format!("`keep` has `{}`, which is no path below the release", keep.path));
        }
        if self.needs.database.as_ref().is_some_and(|it| it.engines.is_empty()) {
            return Some("`database` of `needs` names no engine: `engines: [mariadb, postgres]`".to_owned());
        }
        let plain_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_uppercase())
                && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        };
        if let Some(name) = self.env.keys().find(|name| !plain_name(name)) {
            return Some(format!(
                "`env` has the name `{name}`: it is made of capital letters, digits and `_`"
            ));
        }
        let plain = |id: &str| {
            !id.is_empty() && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        if let Some(job) = self.cron.iter().find(|job| !plain(&job.id)) {
            return Some(format!(
                "`cron` has the id `{}`: it is made of lower case letters, digits and `-`",
                job.id
            ));
        }
        if let Some(guarded) = &self.fail2ban {
            if !self.logs.iter().any(|log| log.text() == guarded.log.text()) {
                return Some("`log` of `fail2ban` is none of `logs`".to_owned());
            }
            let lines = guarded.failregex.iter().chain(&guarded.datepattern);
            if guarded.failregex.is_empty() || lines.clone().any(|line| line.contains('\n')) {
                return Some("`fail2ban` needs patterns of one line each: `failregex: ['^login of \\S+ from <HOST> failed']`".to_owned());
            }
        }
        if let Some(probe) = &self.version_probe {
            if probe.file.is_some() != probe.argv.is_empty() {
                return Some("`version_probe` reads either a `file` or what `argv` says".to_owned());
            }
            if !probe.r#match.contains('(') {
                return Some(
                    "`match` of `version_probe` has no group around the version: `'^(\\S+)'`".to_owned(),
                );
            }
        }
        if self.releases == Releases::None && (self.web.kind != WebKind::Proxy || !self.keep.is_empty()) {
            return Some("without releases there are no files to serve or to keep: `web` is of kind `proxy` then, and `keep` is empty".to_owned());
        }
        if self.releases == Releases::Python && (self.needs.python.is_none() || !self.keep.is_empty()) {
            return Some("with `releases: python`, `needs` has `python`, and `keep` is empty: what survives is in `paths.data`".to_owned());
        }
        let more = self.needs.php.as_ref().and_then(|php| php.more.as_ref());
        if let Some(name) = more.filter(|name| !self.variables.get(*name).is_some_and(|it| it.many)) {
            return Some(format!("`more` of `php` is `{name}`, which `variables` does not have as a list"));
        }
        match self.web.kind {
            WebKind::Static if self.needs.php.is_some() => {
                Some("`web` is of kind `static`, and `needs` has `php`".to_owned())
            }
            WebKind::Static if self.web.upstream.is_some() => {
                Some("`upstream` belongs to `web` of kind `proxy`".to_owned())
            }
            WebKind::Php if self.needs.php.is_none() => {
                Some("`web` is of kind `php`, and `needs` has no `php`".to_owned())
            }
            WebKind::Php if self.web.upstream.is_some() => {
                Some("`upstream` belongs to `web` of kind `proxy`".to_owned())
            }
            WebKind::Proxy if self.web.upstream.is_none() => {
                Some("`web` of kind `proxy` has no `upstream`".to_owned())
            }
            WebKind::Proxy if self.web.root.is_some() || self.web.index.is_some() => {
                Some("`root` and `index` belong to `web` of kind `static` or `php`".to_owned())
            }
            _ => None,
        }
    }
}
