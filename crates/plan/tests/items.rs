//! What plans lay out for backup and monitoring: of every component, on every system, read as the types that it is.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::fs;

use pq_items::{BackupItem, BackupStrategy, MonitorItem, MonitorStrategy};
use pq_plan::{Choice, Plan, Planner, Unused};
use pq_recipes::Catalogue;
use pq_stream::Host;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn host(name: &str, os: &str, vars: Value) -> Host {
    let mut all = json!({
        "timezone": "Europe/Paris",
        "locales": ["en_US.UTF-8"],
        "admin_email": "admin@demo.test",
        "master_key": "@secret{master_key}",
        "smtp_host": "relay.demo.test",
        "tls": "selfsigned",
    });
    all.as_object_mut().unwrap().extend(vars.as_object().unwrap().clone());
    serde_json::from_value(json!({
        "host": name,
        "groups": ["all"],
        "connection": { "kind": "local" },
        "os": os,
        "instances": [
            { "app": "dokuwiki", "id": "wiki", "domain": "wiki.demo.test" },
            { "app": "radicale", "id": "dav", "domain": "dav.demo.test" },
        ],
        "vars": all,
        "origins": {},
    }))
    .unwrap()
}

fn planner() -> Planner {
    Planner::new(Catalogue::load(None).unwrap())
}

/// The files of a plan below a directory, each by its name.
fn files<T: DeserializeOwned>(plan: &Plan, directory: &str) -> BTreeMap<String, T> {
    let below = format!("/etc/paquerette/{directory}");
    let steps = plan.steps.iter().filter(|step| step.kind == "file");
    let of = |path: &str| path.strip_prefix(&below)?.strip_suffix(".yml").map(str::to_owned);
    steps
        .filter_map(|step| Some((of(step.body["path"].as_str()?)?, step)))
        .map(|(name, step)| {
            let text = step.body["content"].as_str().unwrap();
            assert!(text.starts_with("# Written by paquerette"), "{text}");
            (name, pq_items::read("a file", "x.yml", text).unwrap_or_else(|error| panic!("{error}\n{text}")))
        })
        .collect()
}

/// A strategy of a plan.
fn strategy<T: DeserializeOwned>(plan: &Plan, name: &str) -> T {
    let id = format!("server/{name}-strategy");
    let step = plan.steps.iter().find(|step| step.id == id).unwrap();
    pq_items::read("a file", "x.yml", step.body["content"].as_str().unwrap()).unwrap()
}

#[test]
fn every_component_is_watched_and_backed_up_on_every_system() {
    let catalogue = Catalogue::load(None).unwrap();
    let planner = planner();
    let mut seen = Vec::new();
    for os in catalogue.systems() {
        for server in ["nginx", "apache2"] {
            let other = if server == "nginx" { "apache2" } else { "nginx" };
            let all: Vec<&str> =
                catalogue.components().map(|it| it.name.as_str()).filter(|it| *it != other).collect();
            let host = host("demo", os, json!({ "platform": all, "web_server": server }));
            let plan = planner.platform(&host, Unused::Stays).unwrap_or_else(|error| panic!("{os}: {error}"));
            let monitor: BTreeMap<_, MonitorItem> = files(&plan, "monitor.d/");
            let backup: BTreeMap<_, BackupItem> = files(&plan, "backup.d/");
            assert!(monitor.keys().eq(backup.keys()), "{os}");
            for (name, item) in &monitor {
                assert_eq!(name, item.owner.as_str());
                // what certbot has can be read by any version of it
                let versions = name == "platform-certbot" || !backup[name].versions.is_empty();
                assert!(!item.checks.is_empty() && versions, "{os}: {name}");
            }
            seen.extend(monitor.into_keys().map(|name| name["platform-".len()..].to_owned()));
        }
    }
    seen.sort();
    seen.dedup();
    let all = catalogue.components().map(|it| it.name.clone()).filter(|name| name != "python");
    assert_eq!(seen, all.collect::<Vec<_>>(), "python runs nothing of its own and has no settings");
}

#[test]
fn an_instance_is_watched_by_its_process_its_certificate_and_its_pages() {
    let plan = planner().instances(&host("demo", "debian-12", json!({})), &Choice::default()).unwrap();
    let monitor: BTreeMap<_, MonitorItem> = files(&plan, "monitor.d/");
    let ids = |name: &str| monitor[name].checks.iter().map(|it| it.id.to_string()).collect::<Vec<_>>();
    assert_eq!(ids("wiki"), ["certificate", "health", "pool"]);
    assert_eq!(ids("dav"), ["certificate", "health", "runs"]);
    for (name, item) in &monitor {
        for other in &item.depends_on {
            assert!(
                monitor.contains_key(other.as_str()),
                "`{name}` stands on `{other}`, which nobody watches"
            );
        }
    }
    let health = monitor["dav"].checks.iter().find(|it| it.id.as_str() == "health").unwrap();
    assert_eq!(health.depends_on.iter().map(|it| it.as_str()).collect::<Vec<_>>(), ["dav/runs"]);
    let backup: BTreeMap<_, BackupItem> = files(&plan, "backup.d/");
    let wiki = &backup["wiki"];
    let paths: Vec<_> = wiki.paths.include.iter().map(|path| path.as_str()).collect();
    let home = "/srv/paquerette/www/wiki";
    assert_eq!(paths, ["/etc/paquerette/tls/wiki", &format!("{home}/data"), &format!("{home}/kept")]);
    assert_eq!(wiki.paths.exclude.len(), 3);
    let instance = wiki.instance.as_ref().unwrap();
    assert_eq!((instance.app.as_str(), instance.secret_scope.as_str()), ("dokuwiki", "demo/wiki"));
}

#[test]
fn nothing_of_the_night_falls_between_two_and_three_whatever_the_machine_is_called() {
    let planner = planner();
    let mut minutes = Vec::new();
    for at in 0..60 {
        let plan =
            planner.server(&host(&format!("prod{at}"), "debian-12", json!({})), Unused::Stays).unwrap();
        let BackupStrategy { schedule, .. } = strategy(&plan, "backup");
        let times = [
            (&schedule.run, "3"),
            (&schedule.copy, "4"),
            (&schedule.verify, "4"),
            (&schedule.forget, "5"),
            (&schedule.rehearse, "5"),
        ];
        for (time, wanted) in times {
            assert_eq!(time.as_str().split(' ').nth(1), Some(wanted), "{time}");
        }
        minutes.push(schedule.run.as_str().split(' ').next().unwrap().to_owned());
    }
    minutes.sort();
    minutes.dedup();
    assert!(minutes.len() > 15, "60 machines begin at {} different minutes", minutes.len());
}

#[test]
fn cron_calls_no_program_that_is_not_there() {
    let jobs = |tools: Value| {
        let release =
            json!({ "url": "https://a.org/a.tar.xz", "version": "9.0.0", "sha256": "a".repeat(64) });
        let mut vars = json!({ "backup_password": "sesame" });
        if !tools.is_null() {
            vars["paquerette_tools"] = release;
            vars["paquerette_tools"]["tools"] = tools;
        }
        let plan = planner().server(&host("demo", "debian-12", vars), Unused::Stays).unwrap();
        let cron = plan.steps.iter().filter(|step| step.kind == "cron");
        cron.map(|step| step.body["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(jobs(Value::Null), Vec::<String>::new());
    assert_eq!(jobs(json!(["pq-apply"])), Vec::<String>::new());
    assert_eq!(jobs(json!(["pq-monitor"])), ["paquerette-monitor-run", "paquerette-monitor-digest"]);
    assert_eq!(jobs(json!(["pq-backup"])).len(), 5);
}

#[test]
fn windows_of_the_inventory_reach_the_strategy() {
    let window = json!({ "weekly": { "days": ["sunday"], "from": "23:30", "until": "01:00" }, "reason": "upgrades", "who": "claire" });
    let planned = |windows: Value| {
        planner().server(&host("demo", "debian-12", json!({ "maintenance": windows })), Unused::Stays)
    };
    let plan = planned(json!([window])).unwrap();
    let strategy: MonitorStrategy = strategy(&plan, "monitor");
    assert_eq!(serde_json::to_value(&strategy.windows[0]).unwrap(), window);
    let mut endless = window.clone();
    endless["weekly"].as_object_mut().unwrap().remove("until");
    let error = planned(json!([window, endless])).unwrap_err();
    assert!(error.message.starts_with("item 2 of `maintenance` of `demo` cannot be"), "{error}");
}

#[test]
fn ways_of_telling_reach_the_strategy_without_a_secret() {
    let planned = |channel: Value| {
        let vars = json!({ "monitor_channels": [channel], "monitor_ping": "https://hc.demo.test/0", "monitor_network": ["192.0.2.1:443"] });
        planner().server(&host("demo", "debian-12", vars), Unused::Stays)
    };
    let channel = json!({ "name": "team", "from": "critical", "mattermost": { "url_file": "/etc/paquerette/team.url" } });
    let plan = planned(channel.clone()).unwrap();
    let strategy: MonitorStrategy = strategy(&plan, "monitor");
    assert_eq!(serde_json::to_value(&strategy.alerts.channels[0]).unwrap(), channel);
    assert_eq!(strategy.alerts.ping.unwrap().url.as_str(), "https://hc.demo.test/0");
    assert_eq!(strategy.network[0].as_str(), "192.0.2.1:443");
    let error =
        planned(json!({ "name": "team", "mattermost": { "url": "https://chat.demo.test/hooks/secret" } }))
            .unwrap_err();
    assert!(error.to_string().contains("it has the key `url`, and may have `url_file`"), "{error}");
}

#[test]
fn a_slip_in_what_a_component_is_watched_by_is_told_with_its_place() {
    let own = tempfile::tempdir().unwrap();
    let platform = own.path().join("platform");
    fs::create_dir_all(&platform).unwrap();
    let planned = |recipe: &str| {
        fs::write(platform.join("queue.yml"), recipe).unwrap();
        let catalogue = Catalogue::load(Some(own.path()))?;
        Planner::new(catalogue)
            .platform(&host("demo", "debian-12", json!({ "platform": ["queue"] })), Unused::Stays)
    };
    let recipe = |check: &str| format!("about: A queue\nsteps: []\nmonitor:\n  checks:\n    - {check}\n");
    planned(&recipe("{ id: port, tcp: { host: localhost, port: \"{{ 2 + 2 }}\" } }")).unwrap();
    let place = |check: &str| {
        let error = planned(&recipe(check)).unwrap_err();
        let place = error.place.clone().unwrap();
        assert!(place.file.ends_with("platform/queue.yml"), "{error}");
        (place.line, place.column, error)
    };
    let (line, column, error) = place("{ id: port, tcp: { host: localhost, prot: 80 } }");
    assert_eq!((line, column, error.hints), (5, 43, vec!["did you mean `port`?".to_owned()]));
    let (line, column, error) = place("{ id: port, disk: { path: \"{{ vars.base_prod_path }}/../x\" } }");
    assert_eq!((line, column), (5, 33));
    assert!(error.message.starts_with("`/srv/paquerette/../x` is not an absolute path"), "{error}");
    let (line, _, error) = place("{ id: port, tcp: { host: localhost, port: 80000 } }");
    assert!(line == 5 && error.message.contains("80000"), "{error}");
    let error = planned("about: A queue\nsteps: []\nbackup_strategy: { max_age: 1h }\n").unwrap_err();
    assert!(error.message.starts_with("a strategy belongs to the whole machine"), "{error}");
}
