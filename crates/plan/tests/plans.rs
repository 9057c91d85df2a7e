//! Plans of whole hosts: what is planned, and what is refused with its place and its cure.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;

use pq_plan::{Choice, Data, Plan, Planner, Unused, Upgradable};
use pq_recipes::Catalogue;
use pq_steps::AnyStep;
use pq_stream::{Diagnostic, Host, Step};
use serde_json::{Value, json};

fn demo() -> Value {
    json!({
        "host": "demo",
        "groups": ["all", "demo"],
        "connection": { "kind": "local" },
        "os": "debian-12",
        "instances": [
            { "app": "dokuwiki", "id": "wiki", "domain": "wiki.demo.test", "title": "L'été" },
            { "app": "radicale", "id": "dav", "domain": "dav.demo.test", "users": ["alice", "bob"] }
        ],
        "vars": {
            "timezone": "Europe/Paris",
            "locales": ["fr_FR.UTF-8", "en_US.UTF-8"],
            "admin_email": "admin@demo.test",
            "master_key": "@secret{master_key}",
            "tls": "selfsigned"
        },
        "origins": {
            "timezone": "group_vars/all.yml:3:1",
            "instances": "host_vars/demo.yml:1:1"
        }
    })
}

/// The demo's host after a change of its record.
fn host(change: impl Fn(&mut Value)) -> Host {
    let mut host = demo();
    change(&mut host);
    serde_json::from_value(host).unwrap()
}

fn planner() -> Planner {
    Planner::new(Catalogue::load(None).unwrap())
}

fn instances(change: impl Fn(&mut Value)) -> Result<Plan, Diagnostic> {
    planner().instances(&host(change), &Choice::default())
}

fn refusal(change: impl Fn(&mut Value)) -> Diagnostic {
    instances(change).unwrap_err()
}

fn ids(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.id.as_str()).collect()
}

fn content<'a>(plan: &'a Plan, id: &str) -> &'a str {
    let step = plan.steps.iter().find(|step| step.id == id).unwrap();
    step.body["content"].as_str().unwrap()
}

#[test]
fn every_step_of_the_demo_is_one_that_the_executor_understands() {
    let (planner, host) = (planner(), host(|_| {}));
    let plans = [
        planner.server(&host, Unused::Stays),
        planner.platform(&host, Unused::Stays),
        planner.instances(&host, &Choice::default()),
    ]
    .map(Result::unwrap);
    for step in plans.iter().flat_map(|plan| &plan.steps) {
        AnyStep::read(&step.kind, &step.body).unwrap();
        assert_eq!(step.host, "demo");
    }
    assert!(plans.iter().map(|plan| plan.steps.len()).sum::<usize>() > 60);
}

#[test]
fn an_instance_lives_in_the_order_of_its_life() {
    let plan = instances(|_| {}).unwrap();
    let ids = ids(&plan);
    let order = [
        "platform/os",
        "platform/php/packages",
        "platform/nginx/packages",
        "wiki/user",
        "wiki/home",
        "wiki/release",
        "wiki/kept-lib-plugins",
        "wiki/shipped-lib-plugins",
        "wiki/settings",
        "wiki/current",
        "wiki/pool",
        "wiki/certificate",
        "wiki/site",
        "wiki/site-enabled",
        "wiki/health",
        "dav/release",
        "dav/current",
        "dav/unit",
        "dav/service",
        "dav/restart",
        "dav/health",
    ];
    let at =
        |id: &&str| ids.iter().position(|it| it == id).unwrap_or_else(|| panic!("no step {id} in {ids:?}"));
    assert!(order.iter().map(at).is_sorted(), "{ids:?}");
}

#[test]
fn services_that_instances_share_come_behind_the_files_of_all() {
    let plan = instances(|_| {}).unwrap();
    let last = plan.steps.iter().filter(|step| step.after.as_deref() == Some("files"));
    let ids: Vec<_> = last.map(|step| step.id.as_str()).collect();
    let of = |component: &str| {
        ["service", "reload", "sandbox-restart"].map(|step| format!("platform/{component}/{step}"))
    };
    assert_eq!(ids[..6], [of("php"), of("nginx")].concat());
    assert_eq!(
        ids[6..],
        ["wiki/served", "wiki/tls-unused", "wiki/health", "dav/served", "dav/tls-unused", "dav/health"]
    );
}

#[test]
fn the_platform_is_the_same_whoever_plans_it() {
    let (planner, host) = (planner(), host(|_| {}));
    let platform = planner.platform(&host, Unused::Stays).unwrap();
    for choice in [Choice::default(), Choice::new(["wiki".to_owned()]), Choice::new(["radicale".to_owned()])]
    {
        let plan = planner.instances(&host, &choice).unwrap();
        let of_platform = |step: &&Step| step.id.starts_with("platform/") && step.kind != "instances";
        for step in plan.steps.iter().filter(of_platform) {
            assert!(platform.steps.contains(step), "{}", step.id);
        }
    }
    let server = planner.server(&host, Unused::Stays).unwrap();
    assert_eq!(server.steps[0], platform.steps[0]);
}

#[test]
fn one_instance_is_planned_with_what_it_needs_only() {
    let plan = planner().instances(&host(|_| {}), &Choice::new(["dav".to_owned()])).unwrap();
    let owners: Vec<_> = plan.parts.iter().map(|part| part.owner.as_str()).collect();
    assert_eq!(owners, ["platform/python", "platform/nginx", "dav"]);
    assert!(planner().instances(&host(|_| {}), &Choice::new(["blog".to_owned()])).unwrap().steps.is_empty());
}

#[test]
fn a_derived_password_is_a_token_and_its_step_says_what_it_needs() {
    let plan = instances(|_| {}).unwrap();
    // DokuWiki 2022-07-31a knows bcrypt only as `$2a$` and `$2y$` (inc/PassHash.php), and `htpasswd` writes `$2y$`
    assert!(
        content(&plan, "wiki/users")
            .contains("\nadmin:@secret{derive:demo/wiki/admin#1|htpasswd}:admin:admin@demo.test:")
    );
    assert!(
        content(&plan, "dav/users").starts_with("alice:@secret{derive:demo/dav/user_alice#1|htpasswd}\nbob:")
    );
    let secret: Vec<_> = plan.steps.iter().filter(|step| !step.secrets.is_empty()).collect();
    assert_eq!(secret.iter().map(|step| step.id.as_str()).collect::<Vec<_>>(), ["wiki/users", "dav/users"]);
    assert!(secret.iter().all(|step| step.secrets == ["master_key"]));
}

#[test]
fn a_password_cannot_be_derived_from_a_key_that_nobody_set() {
    let error = refusal(|host| drop(host["vars"].as_object_mut().unwrap().remove("master_key")));
    assert_eq!(error.message, "step `wiki/users` of `demo` cannot be planned");
    assert!(error.hints[0].contains("age file"), "{error:?}");
}

#[test]
fn text_of_the_inventory_is_escaped_where_it_goes() {
    let plan = instances(|_| {}).unwrap();
    assert!(content(&plan, "wiki/settings").contains(r"$conf['title'] = 'L\'été';"));
}

#[test]
fn sources_come_from_the_mirror_where_there_is_one() {
    let plan = instances(|host| host["vars"]["source_mirror"] = json!("http://10.0.0.1:8088/")).unwrap();
    let body = |id: &str| &plan.steps.iter().find(|step| step.id == id).unwrap().body;
    let url = "http://10.0.0.1:8088/github.com/dokuwiki/dokuwiki/archive/refs/tags/release-2025-05-14.tar.gz";
    assert_eq!(body("wiki/release")["url"], url);
    assert_eq!(body("dav/release")["find_links"], "http://10.0.0.1:8088/pypi/");
}

#[test]
fn a_users_own_pin_stands_beside_those_built_in() {
    let own = tempfile::tempdir().unwrap();
    let app = own.path().join("apps/dokuwiki");
    fs::create_dir_all(&app).unwrap();
    let pin = format!("\"2022-07-31a\": {{ url: https://a.org/a.tar.gz, sha256: \"{}\" }}\n", "1".repeat(64));
    fs::write(app.join("pins.yml"), pin).unwrap();
    let planner = Planner::new(Catalogue::load(Some(own.path())).unwrap());
    let release = |version: Value| {
        let host = host(|host| host["instances"][0]["version"] = version.clone());
        let plan = planner.instances(&host, &Choice::default()).unwrap();
        plan.steps.iter().find(|step| step.id == "wiki/release").unwrap().body["path"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(release(json!("2022")), "/srv/paquerette/www/wiki/releases/2022-07-31a");
    assert_eq!(release(Value::Null), "/srv/paquerette/www/wiki/releases/2025-05-14");
}

#[test]
fn a_variable_that_a_recipe_reads_and_nobody_set_is_told_with_its_place_and_cure() {
    let host = host(|host| drop(host["vars"].as_object_mut().unwrap().remove("timezone")));
    let error = planner().server(&host, Unused::Stays).unwrap_err();
    let place = error.place.clone().unwrap();
    assert_eq!((place.file.as_str(), place.line > 0), ("<built-in>/server/base.yml", true));
    assert_eq!(&place.text[place.column - 1..][..8], "vars.tim");
    assert_eq!(error.causes, ["`vars.timezone` is undefined"]);
    assert!(error.hints[0].starts_with("set `timezone` for `demo` or one of its groups"), "{error:?}");

    let error = refusal(|host| drop(host["vars"].as_object_mut().unwrap().remove("admin_email")));
    assert_eq!(error.place.unwrap().file, "<built-in>/apps/dokuwiki/users.auth.php");
    assert!(error.hints[0].starts_with("set `admin_email`"), "{:?}", error.hints);
}

#[test]
fn a_variable_that_could_not_be_resolved_is_an_error_only_where_it_is_read() {
    let unresolved = json!({ "unresolved": "`ansible_eth0` is undefined" });
    assert!(instances(|host| host["vars"]["nobody_reads_it"] = unresolved.clone()).is_ok());
    let error = refusal(|host| host["vars"]["admin_email"] = unresolved.clone());
    assert_eq!(error.causes, ["`ansible_eth0` is undefined"]);
}

#[test]
fn a_value_of_the_wrong_type_is_told_with_the_file_that_set_it() {
    let host = host(|host| host["vars"]["timezone"] = json!("Europe/Paris; rm"));
    let error = planner().server(&host, Unused::Stays).unwrap_err();
    assert_eq!(
        error.to_string(),
        "group_vars/all.yml:3:1: `timezone` of `demo` cannot be `Europe/Paris; rm`: it must be a time zone that Debian has, such as `Europe/Paris`"
    );
    let error = refusal(|host| host["instances"][0]["domain"] = json!("wiki..org"));
    assert!(
        error
            .to_string()
            .starts_with("host_vars/demo.yml:1:1: `domain` of `wiki` on `demo` cannot be `wiki..org`"),
        "{error}"
    );
    let error = refusal(|host| host["vars"]["base_prod_path"] = json!("@secret{path}"));
    assert!(error.to_string().contains("cannot be a secret"), "{error}");
}

#[test]
fn a_slip_in_an_instance_is_refused_with_the_word_that_was_meant() {
    let hint = |change: &dyn Fn(&mut Value)| refusal(change).hints.concat();
    assert_eq!(hint(&|host| host["instances"][0]["titel"] = json!("x")), "did you mean `title`?");
    assert_eq!(hint(&|host| host["instances"][0]["app"] = json!("dokuwik")), "did you mean `dokuwiki`?");
    assert_eq!(hint(&|host| host["os"] = json!("debian-21")), "did you mean `debian-11`?");
    assert!(
        hint(&|host| host["instances"][0]["version"] = json!("2031")).starts_with("pinned are 2025-05-14;")
    );
    assert!(
        hint(&|host| drop(host["instances"][0].as_object_mut().unwrap().remove("domain"))).contains("domain")
    );
    assert!(hint(&|host| host["instances"][0]["id"] = json!("backup")).contains("another id"));
}

#[test]
fn two_rules_that_would_replace_each_other_at_every_run_are_refused() {
    let planned = |rules: Value| {
        let host = host(|host| {
            host["vars"]["firewall_rules"] = rules.clone();
            host["origins"]["firewall_rules"] = json!("group_vars/all.yml:7:1");
        });
        planner().server(&host, Unused::Stays)
    };
    let error = planned(json!(["allow 80/tcp", "allow 22/tcp"])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "group_vars/all.yml:7:1: `firewall_rules` of `demo` has `allow 22/tcp`, and there is `limit 22/tcp`: \
         the firewall keeps one rule for a port, a protocol and a network"
    );
    let error = planned(json!(["allow 80/tcp from 10.0.0.0/8", "deny 80/tcp from 10.0.0.0/8"])).unwrap_err();
    assert!(error.message.ends_with("there is `allow 80/tcp from 10.0.0.0/8`"), "{error}");
    planned(json!(["allow 80/tcp", "deny 80/tcp from 10.0.0.0/8", "allow 80/udp", "limit 22/tcp"])).unwrap();
}

#[test]
fn a_user_twice_and_a_number_out_of_bounds_are_refused() {
    let error = refusal(|host| host["instances"][1]["users"] = json!(["alice", "bob", "alice"]));
    assert_eq!(error.to_string(), "host_vars/demo.yml:1:1: `users` of `dav` on `demo` has `alice` twice");
    for (instance, key, value) in
        [(0, "php_workers", 0), (0, "php_workers", 10_001), (1, "max_connections", 0), (1, "port", 80)]
    {
        let error = refusal(|host| host["instances"][instance][key] = json!(value));
        assert!(error.message.ends_with(&format!("cannot be `{value}`")), "{error}");
    }
    let error = refusal(|host| host["vars"]["base_prod_path"] = json!("/etc/paquerette"));
    assert_eq!(error.message, "`base_prod_path` of `demo` cannot be `/etc/paquerette`");
}

#[test]
fn an_id_that_names_a_file_or_a_section_of_ours_is_refused() {
    // pool.d/www.conf, sites-available/default, and what php-fpm.conf sets for all pools under `[global]`
    for id in ["www", "default", "paquerette", "global"] {
        let error = refusal(|host| host["instances"][0]["id"] = json!(id));
        assert_eq!(error.message, format!("`{id}` on `demo` cannot be the id of an instance"));
    }
}

#[test]
fn nginx_follows_no_link_that_an_instance_can_make() {
    let plan = instances(|_| {}).unwrap();
    let site = content(&plan, "wiki/site");
    let home = "/srv/paquerette/www/wiki";
    assert!(site.contains(&format!("disable_symlinks if_not_owner from={home}/current;")), "{site}");
    for served in ["lib/plugins", "lib/tpl"] {
        let location = format!(
            "location /{served}/ {{\n        alias {home}/kept/{served}/;\n        disable_symlinks on from={home}/kept/{served};"
        );
        assert!(site.contains(&location), "{site}");
    }
    assert!(!site.contains("alias /srv/paquerette/www/wiki/kept/data"), "{site}");
}

#[test]
fn the_logs_of_a_site_are_there_before_nginx_makes_them_readable_by_all() {
    let plan = instances(|_| {}).unwrap();
    let ids = ids(&plan);
    let at = |id: &str| ids.iter().position(|it| *it == id).unwrap();
    for (log, path) in [("access", "wiki/access.log"), ("error", "wiki/error.log")] {
        let step = at(&format!("wiki/{log}-log"));
        let body = &plan.steps[step].body;
        assert_eq!(body["path"], format!("/var/log/nginx/{path}"));
        assert_eq!([&body["owner"], &body["group"], &body["mode"]], ["www-data", "adm", "0640"]);
        assert!(body["seed"] == true && step < at("wiki/site"));
    }
}

#[test]
fn what_two_instances_cannot_share_is_refused_naming_both() {
    let error = refusal(|host| host["instances"][1]["domain"] = json!("WIKI.demo.test"));
    assert_eq!(error.message, "`wiki` and `dav` on `demo` have the same `domain`");
    let error = refusal(|host| {
        let another = json!({ "app": "radicale", "id": "dav2", "domain": "dav2.demo.test" });
        host["instances"].as_array_mut().unwrap().push(another);
    });
    assert_eq!(error.message, "`dav` and `dav2` on `demo` have the same `port`");
    assert_eq!(error.causes, ["both have `5232`"]);
}

#[test]
fn one_that_is_closed_runs_nothing_and_one_that_is_absent_is_removed_without_its_data() {
    let state = |state: &str| instances(|host| host["instances"][0]["state"] = json!(state)).unwrap();
    let body = |plan: &Plan, id: &str| plan.steps.iter().find(|step| step.id == id).unwrap().body.clone();
    let closed = state("closed");
    let of_wiki: Vec<&str> = ids(&closed).into_iter().filter(|id| id.starts_with("wiki/")).collect();
    for id in ["wiki/release", "wiki/current", "wiki/pool"] {
        assert!(!of_wiki.contains(&id), "{id}");
    }
    assert!(body(&closed, "wiki/site")["content"].as_str().unwrap().contains("return 503"));
    let only = body(&closed, "wiki/stopped")["only"].to_string();
    assert!(only.contains("/fpm/pool.d/wiki.conf") && !only.contains("sites-"), "{only}");
    // Whatever version is installed, what is watched is what one that is closed has; what is backed up names the version.
    let at = |id: &str| of_wiki.iter().position(|it| *it == id).unwrap();
    assert!(at("wiki/monitor-item") < at("wiki/installed") && at("wiki/installed") < at("wiki/backup-item"));
    let bare = instances(|host| {
        host["instances"][0]["state"] = json!("closed");
        host["instances"][0]["tls"] = json!("none");
    });
    let unwatched = body(&bare.unwrap(), "wiki/monitor-item");
    assert_eq!(unwatched["only"], json!(["/etc/paquerette/monitor.d/wiki.yml"]));

    let absent = state("absent");
    let of_wiki: Vec<&str> = ids(&absent).into_iter().filter(|id| id.starts_with("wiki/")).collect();
    let ends = ["wiki/nginx", "wiki/apache2", "wiki/php", "wiki/removed", "wiki/left"];
    assert_eq!(of_wiki, [&["wiki/stopped", "wiki/fail2ban"][..], &ends].concat());
    assert_eq!(body(&absent, "wiki/removed")["with_data"], false);
    // Nothing of the platform is there for its sake.
    let platform = |id: &&str| id.starts_with("platform/php/");
    assert_eq!(ids(&absent).into_iter().filter(platform).count(), 0);
}

#[test]
fn one_whose_version_is_not_pinned_holds_up_no_other() {
    let mut host = host(|host| {
        let wiki = json!({ "app": "dokuwiki", "id": "old", "domain": "old.demo.test", "version": "1999" });
        host["instances"].as_array_mut().unwrap().push(wiki);
    });
    let versions = json!({ "dav": { "version": "3.7.1" }, "old": { "version": "1999" } });
    host.facts.insert("instances".to_owned(), versions);
    let (planner, dav) = (planner(), Choice::new(vec!["dav".to_owned()]));
    assert!(!planner.instances(&host, &dav).unwrap().steps.is_empty());
    let refused = planner.instances(&host, &Choice::default()).unwrap_err();
    assert!(refused.message.contains("`1999`"), "{refused}");
    let (plan, said) = planner.upgrades(&host, &Choice::default(), None);
    let state = |id: &str| &said.iter().find(|it| it.id == id).unwrap().state;
    assert!(matches!(state("dav"), Upgradable::Through { .. }), "{:?}", state("dav"));
    assert!(matches!(state("old"), Upgradable::Blocked(_)));
    assert!(plan.steps.iter().any(|step| step.kind == "transaction"));
}

#[test]
fn what_is_listed_is_not_removed_and_what_is_not_is_whatever_its_application() {
    let error = planner().removal(&host(|_| {}), "wiki", Data::Goes).unwrap_err();
    assert!(error.message.contains("the inventory lists it"), "{error}");
    let plan = planner().removal(&host(|_| {}), "old", Data::Goes).unwrap();
    let last = plan.steps.iter().rev().find(|step| step.kind == "remove").unwrap();
    assert_eq!([&last.body["owner"], &last.body["with_data"]], [&json!("old"), &json!(true)]);
    assert!(plan.steps.iter().all(|step| !step.id.starts_with("wiki/")));
}

#[test]
fn a_plan_says_which_instances_are_listed_even_where_none_is() {
    let listed = |plan: Plan| {
        let step = plan.steps.into_iter().find(|step| step.kind == "instances").unwrap();
        assert_eq!(step.audit.as_deref(), Some("always"));
        step.body["listed"].clone()
    };
    assert_eq!(listed(instances(|_| {}).unwrap()), json!(["wiki", "dav"]));
    assert_eq!(listed(instances(|host| host["instances"] = json!([])).unwrap()), json!([]));
}

#[test]
fn a_file_system_that_must_be_mounted_is_asserted_first() {
    let plan = instances(|host| host["vars"]["base_prod_mount"] = json!("yes")).unwrap();
    assert_eq!(ids(&plan)[..2], ["platform/os", "platform/mount"]);
    assert_eq!(plan.steps[1].body["mount"], "/srv/paquerette");
}

#[test]
fn a_slip_in_a_recipe_of_the_users_own_is_told_with_its_place() {
    let own = tempfile::tempdir().unwrap();
    let app = own.path().join("apps/blog");
    fs::create_dir_all(&app).unwrap();
    let load = |recipe: &str| {
        fs::write(app.join("recipe.yml"), recipe).unwrap();
        let error = Catalogue::load(Some(own.path())).unwrap_err();
        let place = error.place.clone().unwrap();
        assert!(place.file.ends_with("apps/blog/recipe.yml"));
        (place.line, place.column, error)
    };
    let (line, column, error) = load("app: blog\nabout: A blog\nwebb: { kind: proxy, upstream: a }\n");
    assert_eq!((line, column, error.hints), (3, 1, vec!["did you mean `web`?".to_owned()]));
    let (line, _, error) = load("app: blog\nabout: A blog\nweb: { kind: php }\n");
    assert_eq!((line, error.message.contains("`needs` has no `php`")), (1, true));
    let (line, _, error) = load(
        "app: blog\nabout: A blog\nweb: { kind: proxy, upstream: a }\nconfigure:\n  - { id: x, titel: X, do: file }\n",
    );
    assert_eq!((line, error.message), (5, "a step has no `title`".to_owned()));
}
