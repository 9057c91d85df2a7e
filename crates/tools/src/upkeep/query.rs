//! `pq-server query`.

use std::fmt::Write as _;
use std::time::SystemTime;

use pq_cli::{Failure, Table, age, printable, size};
use pq_recipes::Catalogue;
use pq_stream::{Host, HostInstalled, InstalledInstance, Instance, Record, Status, from_utc};
use serde_json::Value;

use super::{AskArgs, Asking, counted};
use crate::filter::catalogue;

/// Asks hosts what is installed on them.
pub(super) fn tell(args: &AskArgs) -> Result<Status, Failure> {
    let asking = Asking::read(args, true)?;
    let listed = asking.hosts.iter().any(|it| !it.host.instances.is_empty());
    let catalogue = if listed { Some(catalogue(&asking.run).map_err(Failure::input)?) } else { None };
    let mut answers = pq_fleet::installed(&asking.run, &asking.hosts, &asking.keys, &asking.crew)?;
    // Without an inventory, nothing is wanted and nothing unwanted.
    if !asking.run.inventory.is_empty() {
        for (asked, answer) in asking.hosts.iter().zip(&mut answers) {
            if let Ok(answer) = answer {
                compare(answer, &asked.host, catalogue.as_ref());
            }
        }
    }
    asking.write(answers, |it| shown(it, SystemTime::now()), Record::Installed, |_| Status::Done)
}

/// Sets what the inventory says of a host's instances beside what is there.
fn compare(is: &mut HostInstalled, host: &Host, catalogue: Option<&Catalogue>) {
    for instance in &mut is.instances {
        instance.listed = Some(false);
    }
    for listed in &host.instances {
        let at = match is.instances.iter().position(|it| it.id == listed.id) {
            Some(at) => at,
            None => {
                is.instances.push(absent(listed));
                is.instances.len() - 1
            }
        };
        let instance = &mut is.instances[at];
        instance.listed = Some(true);
        instance.wanted = wanted(listed, catalogue);
        instance.app.get_or_insert_with(|| listed.app.clone());
    }
    is.instances.sort_by(|one, other| one.id.cmp(&other.id));
}

/// An instance that the inventory has and the machine has not.
fn absent(listed: &Instance) -> InstalledInstance {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let aliases = listed.keys.get("aliases").and_then(Value::as_array).into_iter().flatten();
    let domain = listed.keys.get("domain").into_iter();
    InstalledInstance {
        id: listed.id.clone(),
        state: "absent".to_owned(),
        domains: domain.chain(aliases).filter_map(text).collect(),
        ..InstalledInstance::default()
    }
}

/// The version that the inventory means: the newest pinned one that fits.
fn wanted(listed: &Instance, catalogue: Option<&Catalogue>) -> Option<String> {
    let version = listed.keys.get("version").and_then(Value::as_str);
    let app = catalogue.and_then(|catalogue| catalogue.app(&listed.app));
    let pinned = app.and_then(|app| app.pins.newest(version));
    pinned.map(|(version, _)| version.to_owned()).or_else(|| version.map(str::to_owned))
}

/// One machine, for people.
fn shown(is: &HostInstalled, now: SystemTime) -> String {
    let mut text = format!("{}\n", printable(&is.host));
    let columns = ["id", "app", "state", "version", "data", "backup", "proven", "certificate", "domains"];
    let mut table = Table::of(&columns);
    for it in &is.instances {
        table.row([
            it.id.clone(),
            it.app.clone().unwrap_or_default(),
            match it.listed {
                Some(false) => format!("{}, not in the inventory", it.state),
                _ => it.state.clone(),
            },
            version(it),
            it.size.map(size).unwrap_or_default(),
            since(it.backup.as_deref(), now),
            since(it.proven.as_deref(), now),
            it.certificate.as_deref().and_then(|end| days_left(end, now)).unwrap_or_default(),
            it.domains.join(" "),
        ]);
    }
    if !table.is_empty() {
        text.push_str(&table.text());
    }
    let components = is.components.iter().map(|(name, version)| format!("{name} {version}"));
    let components = components.collect::<Vec<_>>().join(", ");
    let instances = counted(is.instances.len(), "instance", "instances");
    let on = if components.is_empty() { String::new() } else { format!(" on {}", printable(&components)) };
    let _ = writeln!(text, "{}: {instances}{on}", printable(&is.host));
    text
}

/// The version that is installed, and the wanted one where that is another.
fn version(it: &InstalledInstance) -> String {
    match (&it.version, &it.wanted) {
        (Some(is), Some(wanted)) if is != wanted => format!("{is}, wanted {wanted}"),
        (Some(is), _) => is.clone(),
        (None, Some(wanted)) => format!("none, wanted {wanted}"),
        (None, None) => String::new(),
    }
}

/// How long ago something was.
fn since(when: Option<&str>, now: SystemTime) -> String {
    when.and_then(from_utc).map(|time| age(time, now)).unwrap_or_default()
}

/// How long a certificate still counts.
fn days_left(end: &str, now: SystemTime) -> Option<String> {
    let end = from_utc(end)?;
    Some(match end.duration_since(now) {
        Ok(left) => counted((left.as_secs() / 86_400) as usize, "day", "days"),
        Err(_) => "expired".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    #[test]
    fn what_is_there_and_what_is_wanted_stand_beside_each_other() {
        let record = json!({"type": "host", "host": "web", "groups": [], "connection": {"kind": "ssh"}, "vars": {},
            "instances": [{"app": "dokuwiki", "id": "wiki", "domain": "wiki.test"}, {"app": "none", "id": "dav", "version": "3", "domain": "dav.test"}]});
        let Record::Host(host) = serde_json::from_value(record).unwrap() else { panic!() };
        let present = |id: &str| InstalledInstance {
            id: id.to_owned(),
            app: Some("dokuwiki".to_owned()),
            state: "present".to_owned(),
            version: Some("1".to_owned()),
            domains: vec!["wiki.test".to_owned()],
            size: Some(4096),
            backup: Some("2026-11-23T02:12:00Z".to_owned()),
            proven: Some("2026-11-03T04:30:00Z".to_owned()),
            certificate: Some("2026-12-23T06:42:00Z".to_owned()),
            ..InstalledInstance::default()
        };
        let mut is = HostInstalled {
            host: "web".to_owned(),
            instances: vec![present("old"), present("wiki")],
            components: BTreeMap::from([("nginx".to_owned(), "1.22.1".to_owned())]),
        };
        let catalogue = Catalogue::load(None).unwrap();
        compare(&mut is, &host, Some(&catalogue));
        let text = shown(&is, from_utc("2026-11-23T06:42:00Z").unwrap());
        let newest = catalogue.app("dokuwiki").unwrap().pins.newest(None).unwrap().0;
        let rows: Vec<String> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            rows,
            [
                "web".to_owned(),
                "id app state version data backup proven certificate domains".to_owned(),
                "dav none absent none, wanted 3 - - - - dav.test".to_owned(),
                "old dokuwiki present, not in the inventory 1 4.0 KiB 4 h 20 d 30 days wiki.test".to_owned(),
                format!("wiki dokuwiki present 1, wanted {newest} 4.0 KiB 4 h 20 d 30 days wiki.test"),
                "web: 3 instances on nginx 1.22.1".to_owned(),
            ]
        );
    }
}
