//! Applications, each on a bare machine: installed, its own page and version over https, nothing left to do, also after a boot.
//! `make matrix M=apps` tries each with every web server and database.

use std::time::Instant;

use pq_testkit::lab::{self, Lab, Machine, Result};
use pq_tests::Matrix;

use crate::world::{bare, demo_inventory, nothing_left, pipe, shown};

/// How many are tried in each `make test`.
const SAMPLE: usize = 1;

/// An application, what its instance has beside `app`, `id`, `domain` and `database`, and what shows that it works.
struct App {
    name: &'static str,
    engines: &'static [&'static str],
    keys: &'static str,
    works: fn(&Machine) -> Result<()>,
}

const APPS: [App; 1] = [App {
    name: "mediawiki",
    engines: &["mariadb", "postgres"],
    keys: "title: L'encyclopédie, lang: fr",
    works: mediawiki,
}];

/// What is said to the application, as a browser would.
const BROWSER: &str = "browser() { curl -sS --max-time 60 --resolve '*:443:127.0.0.1' --cacert /etc/paquerette/ca/ca.pem -b /root/jar -c /root/jar \"$@\"; }; url=https://app.demo.test";

/// What a script says, which may use `browser` and `$url`.
fn says(machine: &Machine, script: &str) -> Result<String> {
    let script = format!("{BROWSER}; {script}");
    Ok(machine.run(["bash", "-euc", &script])?.success()?.stdout)
}

/// A page is written by the first user, with the password that pq-secret shows, and read by everybody; what is uploaded is not run.
fn mediawiki(machine: &Machine) -> Result<()> {
    machine.write("/root/password", shown(machine, "demo/app/admin")?)?;
    let page = says(machine, "browser -L $url/")?;
    assert!(page.contains("<title>") && page.contains("L&#039;encyclopédie"), "{page}");
    let written = says(
        machine,
        r#"api="$url/api.php?format=json"
           token() { browser "$api&action=query&meta=tokens&type=$1" | python3 -c "import json,sys; print(json.load(sys.stdin)['query']['tokens']['$1token'])"; }
           browser "$api&action=login" --data-urlencode lgname=Admin --data-urlencode "lgpassword=$(cat /root/password)" --data-urlencode "lgtoken=$(token login)"
           browser "$api&action=edit" --data-urlencode title=Essai --data-urlencode "text=Écrit par un test" --data-urlencode "token=$(token csrf)"
           rm -f /root/jar /root/password"#,
    )?;
    assert!(written.contains(r#""result":"Success""#), "{written}");
    let read = says(machine, "browser $url/wiki/Essai")?;
    assert!(read.contains("Écrit par un test"), "{read}");
    let uploaded = says(
        machine,
        "echo '<?php echo 6*7;' > /srv/paquerette/www/app/kept/images/x.php; chown app /srv/paquerette/www/app/kept/images/x.php
         for path in images/x.php images/x.php/y maintenance/install.php LocalSettings.php; do browser -o /root/answer -w '%{http_code} ' $url/$path; cat /root/answer; done; rm /srv/paquerette/www/app/kept/images/x.php",
    )?;
    assert!(!uploaded.contains("42") && !uploaded.contains("200 "), "{uploaded}");
    // its jobs run as cron runs them
    let cron = says(
        machine,
        "cat /etc/cron.d/pq-app-jobs; runuser -u app -- env \"$(grep ^MW_ /etc/cron.d/pq-app-jobs)\" sh -c \"$(grep runJobs /etc/cron.d/pq-app-jobs | cut -d' ' -f7-)\" && echo ran",
    )?;
    assert!(cron.ends_with("ran\n"), "{cron}");
    Ok(())
}

fn try_one(lab: &Lab, app: &App, engine: &str, server: &str) -> Result<()> {
    let mut machine = bare(lab, &format!("app{}{}{server}", &app.name[..4], &engine[..4]))?;
    demo_inventory(lab, &machine)?;
    machine.write(
        "/root/paquerette/inventory/host_vars/demo.yml",
        format!(
            "os: debian-12\nweb_server: {server}\nmemory_mb: 2048\ninstances:\n  \
             - {{ app: {}, id: app, domain: app.demo.test, database: {engine}, {} }}\n",
            app.name, app.keys
        ),
    )?;
    let first = pipe(&machine, "pq-apply --text")?;
    assert_eq!(first.code, 0, "{}{}", first.stdout, first.stderr);
    machine.sh("apt-get install -y -qq curl >/dev/null")?.success()?;
    (app.works)(&machine)?;
    nothing_left(&machine)?;
    machine.reboot()?;
    (app.works)(&machine)?;
    nothing_left(&machine)
}

#[test]
fn matrix_apps_each_is_installed_works_and_is_the_same_after_a_boot() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut matrix = Matrix::open("apps");
    let points = APPS.iter().flat_map(|app| {
        let pairs = app.engines.iter().flat_map(|engine| ["nginx", "apache2"].map(|server| (engine, server)));
        pairs.map(|(engine, server)| format!("{}/{engine}/{server}", app.name)).collect::<Vec<_>>()
    });
    // `PQ_POINT=mediawiki/postgres/nginx` tries that one alone.
    let only = std::env::var("PQ_POINT").ok();
    let points = points.filter(|point| only.as_ref().is_none_or(|only| only == point));
    for point in matrix.draw(points, SAMPLE) {
        let begun = Instant::now();
        let parts: Vec<&str> = point.split('/').collect();
        let [name, engine, server] = parts[..] else { continue };
        let Some(app) = APPS.iter().find(|app| app.name == name) else { continue };
        eprintln!("apps: {point}");
        try_one(&lab, app, engine, server)?;
        matrix.note(&point, Ok(()), begun.elapsed());
    }
    matrix.finish();
    Ok(())
}
