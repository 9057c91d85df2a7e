//! What a plan makes of a machine that is not bare: what it carried, what it said of itself, what it does not need any more.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use pq_plan::{Plan, Planner, Unused};
use pq_recipes::Catalogue;
use pq_stream::Host;
use serde_json::{Value, json};

fn host(vars: Value, facts: Value) -> Host {
    let mut all =
        json!({ "timezone": "Europe/Paris", "locales": ["en_US.UTF-8"], "admin_email": "admin@demo.test" });
    all.as_object_mut().unwrap().extend(vars.as_object().unwrap().clone());
    let host = json!({ "host": "demo", "groups": ["all"], "connection": { "kind": "local" }, "vars": all });
    let mut host: Host = serde_json::from_value(host).unwrap();
    host.facts = facts.as_object().cloned().unwrap_or_default();
    host
}

fn planner() -> Planner {
    Planner::new(Catalogue::load(None).unwrap())
}

fn body<'p>(plan: &'p Plan, id: &str) -> Option<&'p serde_json::Map<String, Value>> {
    plan.steps.iter().find(|step| step.id == id).map(|step| &step.body)
}

#[test]
fn hardening_is_marked_as_the_inventory_wishes_it() {
    let audits = |wish: &str| {
        let host = host(json!({ "hardening": wish, "platform": ["nginx"] }), json!({ "os": "debian-12" }));
        let (server, platform) = (
            planner().server(&host, Unused::Stays).unwrap(),
            planner().platform(&host, Unused::Stays).unwrap(),
        );
        let of = |plan: &Plan, id: &str| plan.steps.iter().find(|it| it.id == id).unwrap().audit.clone();
        // A transaction and all that it does are one.
        let firewall = [
            "firewall-ssh",
            "firewall",
            "ssh-settings",
            "ssh-reload",
            "way-in",
            "login-umask",
            "fail2ban-conf",
            "monitor-hardening-item",
        ];
        let marks: Vec<_> = firewall.iter().map(|name| of(&server, &format!("server/{name}"))).collect();
        assert!(marks.iter().all(|mark| *mark == marks[0]), "{marks:?}");
        assert_eq!(of(&platform, "platform/nginx/sandbox"), marks[0]);
        assert_eq!(
            (of(&server, "server/updates-policy"), of(&platform, "platform/nginx/service")),
            (None, None)
        );
        marks[0].clone()
    };
    assert_eq!(audits("auto").as_deref(), Some("carried"));
    assert_eq!(audits("audit").as_deref(), Some("always"));
    assert_eq!(audits("enforce"), None);
}

#[test]
fn a_plan_from_facts_asserts_those_that_it_was_made_from() {
    let with = |facts: Value| {
        let host = host(json!({ "platform": ["mariadb"] }), facts);
        planner().platform(&host, Unused::Stays)
    };
    let error = with(json!({})).unwrap_err();
    assert!(error.hints.concat().contains("`pq-inventory --facts`"), "{error}");
    let settings = |plan: &Plan| {
        let content = body(plan, "platform/mariadb/conf")?["content"].as_str().unwrap().to_owned();
        content.lines().find(|line| line.starts_with("innodb-buffer-pool-size")).map(str::to_owned)
    };
    let bare = with(json!({ "os": "debian-12" })).unwrap();
    assert_eq!(settings(&bare).as_deref(), Some("innodb-buffer-pool-size = 256M"));
    assert_eq!(body(&bare, "platform/memory"), None);

    let large =
        with(json!({ "os": "debian-12", "memory": 8003, "databases": { "mariadb": "10.11.6" } })).unwrap();
    assert_eq!(settings(&large).as_deref(), Some("innodb-buffer-pool-size = 2000M"));
    assert_eq!(body(&large, "platform/memory").unwrap()["memory"], 8003);
    assert_eq!(body(&large, "platform/databases"), None);
    let ids: Vec<&str> = large.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids[..2], ["platform/os", "platform/memory"]);

    // A MySQL that is there is used as it is found: nothing is installed, and nothing of it set.
    let mysql =
        with(json!({ "os": "ubuntu-22.04", "memory": 2048, "databases": { "mysql": "8.0.39" } })).unwrap();
    let kinds: Vec<_> = mysql
        .steps
        .iter()
        .filter(|it| it.id.starts_with("platform/mariadb/"))
        .map(|it| it.kind.as_str())
        .collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "service").count(), 1);
    assert!(kinds.iter().all(|kind| ["service", "file", "directory"].contains(kind)), "{kinds:?}");
    assert_eq!(body(&mysql, "platform/mariadb/mysql").unwrap()["unit"], "mysql.service");
    assert_eq!(body(&mysql, "platform/mariadb/conf"), None);
    assert_eq!(body(&mysql, "platform/databases").unwrap()["mysql"], true);
}

#[test]
fn what_is_not_needed_goes_first_and_what_is_needed_keeps_all_that_its_steps_make() {
    let host = host(json!({ "platform": ["apache2", "php"] }), json!({ "os": "debian-12" }));
    let plan = planner().platform(&host, Unused::Goes).unwrap();
    let ids: Vec<&str> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    let at = |id: &str| ids.iter().position(|it| *it == id).unwrap_or_else(|| panic!("{id}: {ids:?}"));
    for component in ["docker", "mariadb", "nginx", "postgres", "python", "redis"] {
        let gone = at(&format!("platform/{component}/unused"));
        assert!(gone < at("platform/apache2/packages"), "{component}");
        assert_eq!(plan.steps[gone].body["keep"], json!([]));
    }
    let kept = at("platform/php/unused");
    assert!(kept > at("platform/php/service"));
    let keep = plan.steps[kept].body["keep"].as_array().unwrap();
    for (kind, name) in [("package", "php8.2-fpm"), ("file", "/etc/php/8.2/fpm/pool.d/www.conf")] {
        assert!(keep.contains(&json!({ "kind": kind, "name": name })), "{name}: {keep:?}");
    }
    assert!(plan.parts.iter().all(|part| !part.about.is_empty()), "{:?}", plan.parts);
    let plan = planner().platform(&host, Unused::Stays).unwrap();
    assert!(plan.steps.iter().all(|step| step.kind != "remove"));
}
