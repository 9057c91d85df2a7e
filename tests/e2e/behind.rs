//! An instance stays at the version that is installed, whatever is pinned meanwhile: nothing of a newer or an older one is mixed with it,
//! every run says so, and a first install takes what is pinned.

use pq_testkit::lab::{self, Machine, Output, Result};

use crate::apps::says;
use crate::instances::{pq_instance, traces};
use crate::world::{HOST, bare, demo_inventory, nothing_left, pipe, serve};

const RECIPE: &str = r#"app: page
about: A page that says its version
web: { kind: static }
keep:
  - { path: texts }
configure:
  - { id: settings, title: settings, do: file, path: "{{ kept.texts }}/settings", content: "of {{ instance.version }}\n" }
version_probe: { file: VERSION, match: '^(\S+)' }
health:
  - { http: /, body: "version {{ instance.version }}" }
"#;

/// Serves the application's versions, and pins these of them.
fn pins(machine: &Machine, versions: &[&str]) -> Result<()> {
    let at = "/root/paquerette/inventory/recipes/apps/page";
    machine.sh(&format!("mkdir -p {at} /root/sources/example.org"))?.success()?;
    machine.write(&format!("{at}/recipe.yml"), RECIPE)?;
    let mut pins = String::new();
    for version in versions {
        let digest = machine.sh(&format!(
            "mkdir -p /root/page-{version}/texts && cd /root && echo {version} > page-{version}/VERSION && echo 'version {version}' > page-{version}/index.html
             tar cf sources/example.org/page-{version}.tar page-{version} --mtime=@0 && sha256sum < sources/example.org/page-{version}.tar | cut -d' ' -f1"
        ))?;
        pins += &format!(
            "\"{version}\": {{ url: https://example.org/page-{version}.tar, sha256: {} }}\n",
            digest.success()?.text()
        );
    }
    machine.write(&format!("{at}/pins.yml"), pins)
}

/// The inventory's machine, with these instances.
fn instances(machine: &Machine, instances: &[(&str, &str)]) -> Result<()> {
    let mut text =
        "os: debian-12\nmemory_mb: 2048\nsource_mirror: http://127.0.0.1:8087\ninstances:\n".to_owned();
    for (id, more) in instances {
        text += &format!("  - {{ app: page, id: {id}, domain: {id}.demo.test, {more} }}\n");
    }
    machine.write(HOST, text)
}

/// What is served, set and installed of an instance.
fn state(machine: &Machine, id: &str) -> Result<String> {
    says(
        machine,
        &format!(
            "browser https://{id}.demo.test/; cd /srv/paquerette/www/{id}; cat kept/texts/settings; ls releases; readlink current; grep version: /etc/paquerette/backup.d/{id}.yml | tr -d '\"'"
        ),
    )
}

fn of(version: &str) -> String {
    format!("version {version}\nof {version}\n{version}\nreleases/{version}\n  version: {version}\n")
}

fn told(run: &Output, code: i32, words: &[&str]) {
    let all = format!("{}{}", run.stdout, run.stderr);
    assert_eq!(run.code, code, "{all}");
    words.iter().for_each(|word| assert!(all.contains(word), "`{word}`: {all}"));
}

#[test]
fn an_installed_version_stays_and_a_first_install_takes_what_is_pinned() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "behind")?;
    demo_inventory(&lab, &machine)?;
    machine.sh("apt-get update -qq && apt-get install -y -qq curl python3 >/dev/null")?.success()?;
    pins(&machine, &["1.2.3"])?;
    serve(&machine, "/root/sources")?;
    instances(&machine, &[("blog", "")])?;
    pipe(&machine, "pq-apply --text")?.success()?;
    assert_eq!(state(&machine, "blog")?, of("1.2.3"));

    // A newer one is pinned: the one that is there stays whole, the one that is not takes it.
    pins(&machine, &["1.2.3", "1.3.0"])?;
    let behind = [
        "blog: 1.2.3 is installed, and stays; the plan has 1.3.0",
        "with `version: \"1.2.3\"` in the inventory",
    ];
    told(&pipe(&machine, "pq-apply --check --text")?, 3, &behind);
    let run = pipe(&machine, "pq-apply --text")?;
    told(&run, 0, &behind);
    told(&run, 0, &[" 0 changed", "1 kept"]);
    assert_eq!(state(&machine, "blog")?, of("1.2.3"));
    instances(&machine, &[("blog", ""), ("shop", "")])?;
    told(&pipe(&machine, "pq-apply --text")?, 0, &behind);
    assert_eq!(state(&machine, "blog")?, of("1.2.3"));
    assert_eq!(state(&machine, "shop")?, of("1.3.0"));
    // What is chosen of a plan is no way around it.
    let only = pipe(&machine, "pq-apply --only 'blog/settings' --text")?;
    told(&only, 0, &behind);
    assert_eq!(state(&machine, "blog")?, of("1.2.3"));

    // Planned as it is installed, nothing is left to do.
    instances(&machine, &[("blog", "version: \"1.2\""), ("shop", "")])?;
    nothing_left(&machine)?;

    // An older one is not gone back to.
    instances(&machine, &[("blog", "version: \"1.2\""), ("shop", "version: \"1.2.3\"")])?;
    let ahead = "shop: 1.3.0 is installed, which is newer than 1.2.3, and stays";
    told(&pipe(&machine, "pq-apply --check --text")?, 3, &[ahead]);
    told(&pipe(&machine, "pq-apply --text")?, 0, &[ahead, " 0 changed"]);
    assert_eq!(state(&machine, "shop")?, of("1.3.0"));

    // It is closed, and goes, at whatever version it is.
    instances(&machine, &[("blog", "state: closed"), ("shop", "")])?;
    told(&pipe(&machine, "pq-apply --text")?, 0, &behind);
    let closed = "sleep 1; browser -o /dev/null -w '%{http_code} ' https://blog.demo.test/; grep version: /etc/paquerette/backup.d/blog.yml | tr -d '\"'";
    assert_eq!(says(&machine, closed)?, "503   version: 1.2.3\n");
    assert!(!says(&machine, "cat /etc/paquerette/monitor.d/blog.yml")?.contains("id: health"));
    instances(&machine, &[("shop", "")])?;
    pq_instance(&machine, "remove blog --with-data --apply")?.success()?;
    assert_eq!(traces(&machine, "blog")?, "");
    nothing_left(&machine)
}
