//! Applications, each on a bare machine: installed, its own page and version over https, nothing left to do, also after a boot; removed
//! without a trace, and installed again.
//! `make matrix M=apps` tries each with every web server and database.

mod collabora;
mod mattermost;
mod wsgi;

use pq_testkit::lab::{self, Lab, Machine, Result, Suite};
use pq_tests::Matrix;

use crate::groupware;
use crate::instances::traces;
use crate::world::{HOST, IDENTITY, bare_of, demo_inventory, nothing_left, pipe, serve, shown};

/// How many are tried in each `make test`.
const SAMPLE: usize = 1;

/// How many are tried at a time in a whole matrix: a machine that boots or waits leaves its processor to others.
const LANES: usize = 3;

/// Those that are tried on Debian 13 too.
const TRIXIE: [&str; 4] = [
    "php/mariadb/nginx",
    "radicale/none/apache2",
    "wordpress/mariadb/nginx",
    "wsgi-archive/postgres/apache2",
];

/// An application (its recipe's name, and after `-` what of it is tried), its databases, what must be there first, what its instance has beside `app`, `id`, `domain` and `database`,
/// and what shows that it works.
struct App {
    name: &'static str,
    engines: &'static [&'static str],
    first: fn(&Machine) -> Result<String>,
    works: fn(&Machine) -> Result<()>,
}

const APPS: &[App] = &[
    App {
        name: "dokuwiki",
        engines: &["none"],
        first: |_| Ok("version: \"2022-07-31a\", title: L'atelier, lang: fr".to_owned()),
        works: dokuwiki,
    },
    App { name: "radicale", engines: &["none"], first: |_| Ok("users: [alice]".to_owned()), works: radicale },
    App {
        name: "mediawiki",
        engines: &["mariadb", "postgres"],
        first: |_| Ok("title: L'encyclopédie, lang: fr".to_owned()),
        works: mediawiki,
    },
    App {
        name: "wordpress",
        engines: &["mariadb"],
        first: |_| Ok("version: \"6.1.9\", title: L'atelier".to_owned()),
        works: wordpress,
    },
    App {
        name: "roundcube",
        engines: &["mariadb", "postgres"],
        first: groupware::mailboxes,
        works: groupware::roundcube,
    },
    App {
        name: "nextcloud",
        engines: &["postgres", "mariadb", "sqlite"],
        first: groupware::cloud,
        works: groupware::nextcloud,
    },
    App {
        name: "dolibarr",
        engines: &["mariadb", "postgres"],
        first: groupware::accounts,
        works: groupware::dolibarr,
    },
    App { name: "php", engines: &["none", "mariadb", "postgres"], first: program, works: counted },
    App { name: "static", engines: &["none"], first: archive, works: static_files },
    App { name: "proxy", engines: &["none"], first: listener, works: proxied },
    wsgi::HELLO,
    wsgi::ARCHIVE,
    wsgi::PACKAGES,
    wsgi::WHEEL,
    wsgi::GIT,
    wsgi::DIRECTORY,
    mattermost::MATTERMOST,
    mattermost::MOSTLYMATTER,
    collabora::COLLABORA,
];

/// Those whose sources the machine itself serves.
const OWN_SOURCES: [&str; 4] = ["collabora", "dolibarr", "mattermost", "nextcloud"];

/// What is said to the application, as a browser would.
const BROWSER: &str = "browser() { curl -sS --max-time 60 --resolve '*:443:127.0.0.1' --cacert /etc/paquerette/ca/ca.pem -b /root/jar -c /root/jar \"$@\"; }; url=https://app.demo.test";

/// What a script says, which may use `browser` and `$url`.
pub(crate) fn says(machine: &Machine, script: &str) -> Result<String> {
    let script = format!("{BROWSER}; {script}");
    Ok(machine.run(["bash", "-euc", &script])?.success()?.stdout)
}

/// What is put into a directory for uploads is not run, and some of the application's own is nobody's.
pub(crate) fn not_run(machine: &Machine, uploads: &str, denied: &[&str]) -> Result<()> {
    let answers = says(
        machine,
        &format!(
            "kept=/srv/paquerette/www/app/kept/{uploads}; echo '<?php echo 6*7;' > $kept/x.php; chown app $kept/x.php
             for path in {uploads}/x.php {uploads}/x.php/y {}; do browser -o /root/answer -w '%{{http_code}} ' $url/$path; cat /root/answer; done
             rm $kept/x.php",
            denied.join(" ")
        ),
    )?;
    assert!(!answers.contains("42") && !answers.contains("200 "), "{answers}");
    Ok(())
}

/// Its jobs run as cron runs them.
pub(crate) fn jobs_run(machine: &Machine, jobs: &[&str]) -> Result<()> {
    for job in jobs {
        let script = format!(
            "job=/etc/cron.d/pq-app-{job}; cd /
             runuser -u app -- env $(grep '^[A-Z_]*=' $job) sh -c \"$(grep -v '^[A-Z#]' $job | cut -d' ' -f7-)\" && echo ran"
        );
        let ran = says(machine, &script)?;
        assert!(ran.ends_with("ran\n"), "{ran}");
    }
    Ok(())
}

/// The first user comes in with the password that pq-secret shows, and nobody with another; what people put there is not run.
fn dokuwiki(machine: &Machine) -> Result<()> {
    machine.write("/root/password", shown(machine, "demo/app/admin")?)?;
    let answers = says(
        machine,
        r#"browser "$url/doku.php?id=start" | grep -o "L'atelier\|L&#039;atelier\|lang=\"fr\"" | sort -u
           login() { rm -f /root/jar; browser "$url/doku.php?id=start" -o /dev/null; browser -L "$url/doku.php?id=start" -d do=login -d u=admin --data-urlencode "p=$1" | grep -c do=admin || true; }
           login guessed; login "$(cat /root/password)"; rm -f /root/jar /root/password"#,
    )?;
    assert!(answers.contains("atelier\nlang=\"fr\"\n0\n") && !answers.ends_with("\n0\n"), "{answers}");
    not_run(machine, "data", &["conf/local.php", "conf/users.auth.php", "install.php", "inc/init.php"])
}

/// Who has a password makes a calendar and finds it; who guesses does not.
fn radicale(machine: &Machine) -> Result<()> {
    let alice = shown(machine, "demo/app/user_alice")?;
    machine.write("/root/netrc", format!("user = \"alice:{alice}\"\n"))?;
    let answers = says(
        machine,
        r#"code='%{http_code}\n'; c=c$(date +%N)
           browser -u alice:guessed -X PROPFIND $url/alice/ -o /dev/null -w "$code"
           browser -K /root/netrc -X MKCALENDAR $url/alice/$c/ -o /dev/null -w "$code"
           browser -K /root/netrc -X PROPFIND $url/alice/$c/ -o /dev/null -w "$code"
           rm /root/netrc; ls -d /srv/paquerette/www/app/kept/collections/collection-root/alice | wc -l"#,
    )?;
    assert_eq!(answers, "401\n201\n207\n1\n");
    Ok(())
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
    not_run(machine, "images", &["maintenance/install.php", "LocalSettings.php"])?;
    jobs_run(machine, &["jobs"])
}

/// The first user comes in with the password that pq-secret shows, and nobody with another.
fn wordpress(machine: &Machine) -> Result<()> {
    machine.write("/root/password", shown(machine, "demo/app/admin")?)?;
    let page = says(machine, "browser -L $url/")?;
    assert!(page.contains("L&#039;atelier") && page.contains("content=\"WordPress 6.1.9\""), "{page}");
    let inside = says(
        machine,
        "login() { rm -f /root/jar; browser $url/wp-login.php -o /dev/null; browser -L $url/wp-login.php -d log=admin -d testcookie=1 --data-urlencode \"pwd=$1\" --data-urlencode \"redirect_to=$url/wp-admin/\" | grep -c wp-admin-bar-logout || true; }
         login guessed; login \"$(cat /root/password)\"; rm -f /root/jar /root/password",
    )?;
    assert!(inside.starts_with("0\n") && !inside.ends_with("\n0\n"), "{inside}");
    not_run(machine, "wp-content/uploads", &["wp-config.php", "wp-admin/install.php", "xmlrpc.php"])?;
    jobs_run(machine, &["jobs"])
}

/// An archive with a page, and with what nobody may read.
fn archive(machine: &Machine) -> Result<String> {
    machine.sh(
        "mkdir -p /root/sources/example.org /root/site-7/public/sub && cd /root
         echo 'a page of our own' > site-7/public/index.html; echo below > site-7/public/sub/index.html
         echo '<?php echo 6*7;' > site-7/public/x.php; echo secret > site-7/public/.env; echo above > site-7/above.html",
    )?
    .success()?;
    archived(machine, "")
}

/// Packs and serves /root/site-7, always to the same bytes, and names it as an instance does.
fn archived(machine: &Machine, more: &str) -> Result<String> {
    machine.sh("cd /root && tar c --sort=name --mtime=@1 --owner=0 --group=0 site-7 | gzip -n > sources/example.org/site-7.tar.gz")?.success()?;
    serve(machine, "/root/sources")?;
    let digest = machine.sh("sha256sum < /root/sources/example.org/site-7.tar.gz")?.success()?.stdout;
    Ok(format!(
        "root: public, archive: {{ url: \"https://example.org/site-7.tar.gz\", version: \"7\", sha256: {} }}, {more}",
        digest.split(' ').next().unwrap_or_default()
    ))
}

fn static_files(machine: &Machine) -> Result<()> {
    let answers = says(
        machine,
        "for path in '' sub/ x.php .env above.html; do browser -w '%{http_code}\n' $url/$path; done",
    )?;
    let good = answers.starts_with("a page of our own\n200\nbelow\n200\n");
    assert!(good && answers.matches("200\n").count() == 2 && !answers.contains("6*7"), "{answers}");
    Ok(())
}

/// A program that counts its visitors, in a file or in the database that its environment names.
const COUNTER: &str = r#"<?php
$engine = getenv('DATABASE_ENGINE');
if ($engine === 'none') {
    $file = getenv('DATA_DIR') . '/count';
    file_put_contents($file, 1 + (int) @file_get_contents($file));
    exit('visitor ' . file_get_contents($file) . ' of none');
}
[$name, $user, $socket] = array_map('getenv', ['DATABASE_NAME', 'DATABASE_USER', 'DATABASE_SOCKET']);
$where = $engine === 'mariadb' ? "mysql:unix_socket=$socket;dbname=$name" : "pgsql:host=$socket;dbname=$name";
$base = new PDO($where, $user, '');
$base->exec('CREATE TABLE IF NOT EXISTS visitors (at INTEGER)');
$base->exec('INSERT INTO visitors VALUES (1)');
echo 'visitor ', $base->query('SELECT COUNT(*) FROM visitors')->fetchColumn(), ' of ', $engine;
"#;

/// Packs and serves that program, and names it as an instance does.
pub fn counter(machine: &Machine, more: &str) -> Result<String> {
    machine.sh("mkdir -p /root/sources/example.org /root/site-7/public")?.success()?;
    machine.write("/root/site-7/public/index.php", COUNTER)?;
    archived(machine, more)
}

fn program(machine: &Machine) -> Result<String> {
    counter(machine, "extensions: [pdo_mysql, pdo_pgsql]")
}

/// Visits the program of an instance once; the how manieth visit that was.
pub fn visits(machine: &Machine, id: &str) -> Result<Option<u64>> {
    let page = says(machine, &format!("browser https://{id}.demo.test/"))?;
    Ok(page.strip_prefix("visitor ").and_then(|page| page.split(' ').next()?.parse().ok()))
}

fn counted(machine: &Machine) -> Result<()> {
    let (first, second) = (visits(machine, "app")?, visits(machine, "app")?);
    assert!(first.is_some() && second == first.map(|it| it + 1), "{first:?}, {second:?}");
    Ok(())
}

/// A program of somebody's that listens.
fn listener(machine: &Machine) -> Result<String> {
    machine.sh(
        "mkdir -p /srv/theirs && echo 'somebody else answers' > /srv/theirs/index.html
         printf '[Service]\nExecStart=/usr/bin/python3 -m http.server -d /srv/theirs -b 127.0.0.1 9000\n[Install]\nWantedBy=multi-user.target\n' > /etc/systemd/system/theirs.service
         apt-get update -qq && apt-get install -y -qq python3 >/dev/null; systemctl enable --now theirs.service",
    )?
    .success()?;
    Ok("port: 9000".to_owned())
}

fn proxied(machine: &Machine) -> Result<()> {
    let page = says(machine, "browser $url/")?;
    assert_eq!(page, "somebody else answers\n");
    Ok(())
}

fn try_one(lab: &Lab, app: &App, engine: &str, server: &str, suite: Suite) -> Result<()> {
    let (recipe, what) = app.name.split_once('-').unwrap_or((app.name, ""));
    let os = if suite == Suite::Trixie { "debian-13" } else { "debian-12" };
    let mut machine =
        bare_of(lab, &format!("app{}{what}{}{server}{}", &recipe[..3], &engine[..4], &os[7..]), suite)?;
    demo_inventory(lab, &machine)?;
    let keys = (app.first)(&machine)?;
    let engine = if engine == "none" { String::new() } else { format!("database: {engine}, ") };
    let mirror = if OWN_SOURCES.contains(&recipe) || keys.contains("https://example.org/") {
        "source_mirror: http://127.0.0.1:8087\n"
    } else {
        ""
    };
    machine.write(
        HOST,
        format!(
            "os: {os}\nweb_server: {server}\nmemory_mb: 2048\n{mirror}instances:\n  \
             - {{ app: {}, id: app, domain: app.demo.test, {engine}{keys} }}\n",
            recipe
        ),
    )?;
    let first = pipe(&machine, "pq-apply --text")?;
    assert_eq!(first.code, 0, "{}{}", first.stdout, first.stderr);
    machine.sh("apt-get install -y -qq curl >/dev/null")?.success()?;
    (app.works)(&machine)?;
    nothing_left(&machine)?;
    machine.reboot()?;
    // A program that does not tell systemd when it listens may not do so yet.
    says(
        &machine,
        "for i in $(seq 100); do case $(browser -o /dev/null -w '%{http_code}' $url/) in 502 | 503) sleep 0.1 ;; *) break ;; esac; done",
    )?;
    (app.works)(&machine)?;
    nothing_left(&machine)?;
    // Gone without a trace, and there again.
    let inventory = machine.read(HOST)?;
    let (kept, _) = inventory.split_once("instances:").unwrap_or_default();
    machine.write(HOST, format!("{kept}instances: []\n"))?;
    let removal =
        "cd /root/paquerette && pq-inventory demo | pq-instance remove app --with-data --apply --text";
    machine.command(["bash", "-c", removal]).env("PQ_IDENTITY", IDENTITY).output()?.success()?;
    assert_eq!(traces(&machine, "app")?, "");
    machine.write(HOST, inventory.as_str())?;
    if !mirror.is_empty() {
        // It ended with the boot.
        serve(&machine, "/root/sources")?;
    }
    pipe(&machine, "pq-apply --text")?.success()?;
    (app.works)(&machine)
}

#[test]
fn matrix_apps_each_is_installed_works_and_is_the_same_after_a_boot() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut matrix = Matrix::open("apps");
    let points = APPS.iter().flat_map(|app| {
        let pairs = app.engines.iter().flat_map(|engine| ["nginx", "apache2"].map(|server| (engine, server)));
        pairs.map(|(engine, server)| format!("{}/{engine}/{server}", app.name)).collect::<Vec<_>>()
    });
    let points = points.chain(TRIXIE.iter().map(|point| format!("{point}/trixie")));
    // `PQ_POINT=mediawiki/postgres/nginx` tries that one alone.
    let only = std::env::var("PQ_POINT").ok();
    let points = points.filter(|point| only.as_ref().is_none_or(|only| only == point));
    let drawn = matrix.draw(points, SAMPLE);
    matrix.each(drawn, LANES, |point| {
        eprintln!("apps: {point}");
        let parts: Vec<&str> = point.split('/').collect();
        let suite = if parts.get(3) == Some(&"trixie") { Suite::Trixie } else { Suite::Bookworm };
        let app = APPS.iter().find(|app| app.name == parts[0]);
        let app = app.ok_or_else(|| format!("there is no application `{}`", parts[0]))?;
        try_one(&lab, app, parts[1], parts[2], suite).map_err(|error| error.to_string())
    });
    matrix.finish();
    Ok(())
}
