//! Real applications come to a newer version, with data that was put in before and is read back after: those of Debian 12 to those of
//! Debian 13, Radicale of PyPI to the newest; beside them stand-ins of those that Debian does not carry. What fails on the way goes back by itself.
//!
//! `make matrix M=upgrade` has each come to its newer version, and some fail in each phase.

mod failing;
mod standins;

use std::fs;

use pq_testkit::lab::{self, Image, Lab, Machine, Output, Result, Suite};
use pq_tests::{Matrix, TOOLS, tools};
use sha2::{Digest, Sha256};

use crate::apps::says;
use crate::groupware::mailboxes;
use crate::world::{HOST, PIPE, demo_inventory, done, install, nothing_left, pipe, sha256, shown};

/// Where recipes of the inventory are.
const RECIPES: &str = "/root/paquerette/inventory/recipes/apps";

/// An application that is upgraded, and how its data is put in and read.
struct App {
    name: &'static str,
    /// Its database, where it has one.
    database: &'static str,
    /// The web server in front of it.
    server: &'static str,
    /// Where the releases lie, the older first; none where they are packages of PyPI.
    archives: Option<[&'static str; 2]>,
    id: &'static str,
    /// What its instance has beside `app`, `id` and `domain`.
    keys: &'static str,
    /// Puts data in.
    put: fn(&Machine) -> Result<()>,
    /// What a script says of that data, which it reads past the application: rows and files.
    canary: &'static str,
    /// What a script says of that data through the application's own pages, and of its version.
    seen: fn(&Machine) -> Result<String>,
    /// What stands against the new version at first, is told, and is then mended.
    against: fn(&Machine) -> Result<()>,
}

/// Nothing stands against it.
const NOTHING: fn(&Machine) -> Result<()> = |_| Ok(());

const WORDPRESS: App = App {
    name: "wordpress",
    database: "mariadb",
    server: "nginx",
    archives: Some(["wordpress.org/wordpress.tar.gz", "wordpress.org/wordpress-13.tar.gz"]),
    id: "blog",
    keys: "database: mariadb, title: L'atelier",
    put: post,
    canary: "mariadb blog -BNe \"SELECT COUNT(*), SUM(CRC32(post_content)) FROM wp_posts WHERE post_title LIKE 'Billet %'; SELECT user_login, user_pass FROM wp_users\"
             cd /srv/paquerette/www/blog/kept/wp-content; sha256sum uploads/2026/photo plugins/own/own.php",
    seen: read_post,
    against: NOTHING,
};

const RADICALE: App = App {
    name: "radicale",
    database: "",
    server: "nginx",
    archives: None,
    id: "dav",
    keys: "users: [alice]",
    put: calendar,
    canary: "cd /srv/paquerette/www/dav/kept; find collections -name '*.ics' -exec sha256sum {} + | sort; sha256sum conf/users",
    seen: read_calendar,
    against: NOTHING,
};

const MEDIAWIKI: App = App {
    name: "mediawiki",
    database: "postgres",
    server: "nginx",
    archives: Some(OF_WIKIMEDIA),
    id: "docs",
    keys: "database: postgres, title: L'encyclopédie",
    put: page,
    canary: "cd /; runuser -u postgres -- psql -AtX -d docs -c 'SELECT page_title, page_latest FROM mediawiki.page ORDER BY 1' -c 'SELECT md5(old_text::text) FROM mediawiki.text ORDER BY 1' -c 'SELECT user_name, user_password FROM mediawiki.\"user\" ORDER BY 1'
             sha256sum /srv/paquerette/www/docs/kept/images/photo",
    seen: read_page,
    against: NOTHING,
};

const OF_WIKIMEDIA: [&str; 2] = [
    "releases.wikimedia.org/mediawiki/mediawiki.tar.gz",
    "releases.wikimedia.org/mediawiki/mediawiki-13.tar.gz",
];

const MEDIAWIKI_ON_MARIADB: App = App {
    database: "mariadb",
    server: "apache2",
    keys: "database: mariadb, title: L'encyclopédie",
    canary: "mariadb docs -BNe 'SELECT page_title, page_latest FROM page ORDER BY 1; SELECT MD5(old_text) FROM text ORDER BY 1; SELECT user_name, user_password FROM user ORDER BY 1'
             sha256sum /srv/paquerette/www/docs/kept/images/photo",
    ..MEDIAWIKI
};

const DOKUWIKI: App = App {
    name: "dokuwiki",
    database: "",
    server: "apache2",
    archives: Some([
        "github.com/dokuwiki/dokuwiki/archive/refs/tags/release-2022-07-31a.tar.gz",
        "github.com/dokuwiki/dokuwiki/archive/refs/tags/release-13.tar.gz",
    ]),
    id: "wiki",
    keys: "title: Le carnet",
    put: note,
    canary: "cd /srv/paquerette/www/wiki/kept; sha256sum data/pages/essai.txt data/media/photo.png lib/plugins/own/plugin.info.txt conf/users.auth.php",
    seen: read_note,
    against: NOTHING,
};

const ROUNDCUBE: App = App {
    name: "roundcube",
    database: "mariadb",
    server: "nginx",
    archives: Some([
        "github.com/roundcube/roundcubemail.tar.gz",
        "github.com/roundcube/roundcubemail-13.tar.gz",
    ]),
    id: "post",
    keys: "database: mariadb, title: Le courrier, lang: fr_FR",
    put: contacts,
    canary: "mariadb post -BNe 'SELECT username, mail_host FROM users; SELECT name, email FROM contacts ORDER BY 2'",
    seen: read_mailbox,
    against: NOTHING,
};

/// A page, an image, and a plugin that somebody installed.
fn note(machine: &Machine) -> Result<()> {
    let script = r#"
        cd /srv/paquerette/www/wiki/kept; echo "====== Essai ======
Écrit avant, l'été" > data/pages/essai.txt; head -c 30000 /dev/urandom > data/media/photo.png
        mkdir -p lib/plugins/own; printf 'base own\nname Own\ndate 2022-01-01\n' > lib/plugins/own/plugin.info.txt
        chown -R wiki: data/pages/essai.txt data/media/photo.png lib/plugins/own"#;
    machine.run(["bash", "-euc", script])?.success()?;
    Ok(())
}

fn read_note(machine: &Machine) -> Result<String> {
    says(
        machine,
        "browser 'https://wiki.demo.test/doku.php?id=essai' | grep -o \"avant, l.*été\" | head -1; cut -d' ' -f1 /srv/paquerette/www/wiki/current/VERSION",
    )
}

/// Somebody who was there, and the addresses that they keep.
fn contacts(machine: &Machine) -> Result<()> {
    mailboxes(machine)?;
    let seen = read_mailbox(machine)?;
    assert!(seen.contains("\"task\":\"mail\""), "{seen}");
    let rows = "INSERT INTO contacts (user_id, changed, name, email, vcard) SELECT user_id, NOW(), 'Zoé', CONCAT('zoe', seq, '@example.org'), '' FROM users, seq_1_to_50";
    machine.run(["mariadb", "post", "-e", rows])?.success()?;
    Ok(())
}

fn read_mailbox(machine: &Machine) -> Result<String> {
    says(
        machine,
        r#"url=https://post.demo.test; rm -f /root/jar; token=$(browser $url/ | grep -o 'name="_token" value="[^"]*"' | cut -d'"' -f4)
           browser -L "$url/?_task=login" -d _task=login -d _action=login -d _user=alice -d _pass=sesame --data-urlencode "_token=$token" | grep -o '"task":"[a-z]*"' | sort -u
           grep -o "'RCMAIL_VERSION', '[0-9.]*" /srv/paquerette/www/post/current/program/include/iniset.php"#,
    )
}

/// Pages of a wiki, and a file among its images.
fn page(machine: &Machine) -> Result<()> {
    let script = r#"
        cd /srv/paquerette/www/docs/current; export MW_CONFIG_FILE=/srv/paquerette/www/docs/data/LocalSettings.php
        for n in $(seq 20); do echo "Écrit avant, l'été $n" | runuser -u docs -- php maintenance/edit.php -u Admin "Essai $n" >/dev/null; done
        cd /srv/paquerette/www/docs/kept/images; head -c 300000 /dev/urandom > photo; chown docs: photo"#;
    machine.run(["bash", "-euc", script])?.success()?;
    Ok(())
}

fn read_page(machine: &Machine) -> Result<String> {
    says(
        machine,
        "browser https://docs.demo.test/wiki/Essai_17 | grep -o 'été 17' | head -1; browser 'https://docs.demo.test/api.php?action=query&meta=siteinfo&format=json' | grep -o 'MediaWiki [0-9.]*'",
    )
}

/// A post with an image, and a plugin that somebody installed.
fn post(machine: &Machine) -> Result<()> {
    machine.write(
        "/srv/paquerette/tmp/blog/post.php",
        r#"<?php require '/srv/paquerette/www/blog/current/wp-load.php';
           foreach (range(1, 200) as $n) { wp_insert_post(['post_title' => "Billet $n", 'post_content' => "Écrit avant, l'été $n", 'post_status' => 'publish']); }"#,
    )?;
    let script = r#"
        cd /srv/paquerette/www/blog/current; runuser -u blog -- php /srv/paquerette/tmp/blog/post.php
        cd ../kept/wp-content; mkdir -p uploads/2026 plugins/own; head -c 300000 /dev/urandom > uploads/2026/photo
        echo '<?php /* Plugin Name: Own */' > plugins/own/own.php; chown -R blog: uploads plugins/own"#;
    machine.run(["bash", "-euc", script])?.success()?;
    Ok(())
}

fn read_post(machine: &Machine) -> Result<String> {
    says(
        machine,
        "browser https://blog.demo.test/?s=Billet+117 | grep -o 'Billet 117' | head -1; browser https://blog.demo.test/ | grep -o 'WordPress [0-9.]*' | head -1",
    )
}

/// A calendar with an event.
fn calendar(machine: &Machine) -> Result<()> {
    netrc(machine)?;
    let made = says(
        machine,
        r#"url=https://dav.demo.test; printf 'BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:fete\r\nDTSTAMP:20260601T100000Z\r\nDTSTART:20260621T180000Z\r\nSUMMARY:Fête\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n' > /root/fete.ics
           browser -K /root/netrc -X MKCALENDAR $url/alice/cal/ -o /dev/null -w '%{http_code} '
           browser -K /root/netrc -T /root/fete.ics -H 'Content-Type: text/calendar' $url/alice/cal/fete.ics -o /dev/null -w '%{http_code}'"#,
    )?;
    assert_eq!(made, "201 201");
    Ok(())
}

fn netrc(machine: &Machine) -> Result<()> {
    let alice = shown(machine, "demo/dav/user_alice")?;
    machine.write("/root/netrc", format!("user = \"alice:{alice}\"\n"))
}

fn read_calendar(machine: &Machine) -> Result<String> {
    says(
        machine,
        "browser -K /root/netrc https://dav.demo.test/alice/cal/fete.ics | grep -c 'SUMMARY:Fête'; /srv/paquerette/www/dav/current/bin/python -m radicale --version",
    )
}

/// The versions of an application, the older first: those that Debian's packages made, or of PyPI.
fn versions(lab: &Lab, app: &App) -> [String; 2] {
    let said = |address: &str| {
        let file = lab.sources().join(format!("{address}.version"));
        fs::read_to_string(file).unwrap_or_default().trim().to_owned()
    };
    app.archives.map_or_else(|| ["3.7.1", "3.9.0"].map(str::to_owned), |archives| archives.map(said))
}

/// Pins both versions in the inventory's own recipes.
fn pins(lab: &Lab, machine: &Machine, app: &App) -> Result<()> {
    let [old, new] = versions(lab, app);
    let at = format!("{RECIPES}/{}", app.name);
    machine.run(["mkdir", "-p", &at])?.success()?;
    let Some(archives) = app.archives else {
        let list = include_str!("upgrade/requirements-3.7.1.txt");
        machine.write(&format!("{at}/requirements-{old}.txt"), list)?;
        return machine.write(
            &format!("{at}/pins.yml"),
            format!("\"{old}\": {{ requirements: requirements-{old}.txt }}\n"),
        );
    };
    let mut pins = String::new();
    for (version, address) in [&old, &new].into_iter().zip(archives) {
        let digest = sha256(&fs::read(lab.sources().join(address)).unwrap_or_default());
        pins += &format!("\"{version}\": {{ url: \"https://{address}\", sha256: {digest} }}\n");
    }
    machine.write(&format!("{at}/pins.yml"), pins)
}

/// The inventory's machine wants an application at a version.
fn wants(machine: &Machine, app: &App, version: &str) -> Result<()> {
    machine.write(
        HOST,
        format!(
            "os: debian-12\nweb_server: {}\nmemory_mb: 2048\ninstances:\n  - {{ app: {}, id: {}, domain: {2}.demo.test, version: \"{version}\", {} }}\n",
            app.server, app.name, app.id, app.keys
        ),
    )
}

/// `pq-upgrade` with these words, at the end of a pipe.
fn upgrade(machine: &Machine, words: &str) -> Result<Output> {
    let begin = PIPE.split_once(" | ").map_or(PIPE, |(begin, _)| begin);
    machine.run(["bash", "-c", &format!("{begin} | pq-upgrade {words} --text")])
}

/// A machine with the older version of an application, and data in it.
fn installed(lab: &Lab, app: &App, name: &str) -> Result<Machine> {
    standins::packed(lab)?;
    let mut digest = Sha256::new();
    for archive in app.archives.iter().flatten() {
        digest.update(fs::read(lab.sources().join(archive)).unwrap_or_default());
    }
    TOOLS.iter().for_each(|tool| digest.update(fs::read(tools().join(tool)).unwrap_or_default()));
    let key: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let image = lab.snapshot_or(
        &format!("upg{}{}{}", app.id, app.database, app.server),
        &Image::Base(Suite::Bookworm),
        &key,
        |machine| {
            install(machine)?;
            demo_inventory(lab, machine)?;
            pins(lab, machine, app)?;
            wants(machine, app, &versions(lab, app)[0])?;
            done(pipe(machine, "pq-apply --text")?);
            machine.sh("apt-get install -y -qq curl procps >/dev/null")?.success()?;
            (app.put)(machine)
        },
    )?;
    let machine = lab.boot(name, &image)?;
    // A program that does not tell systemd when it listens may not do so yet.
    answers(&machine, app)?;
    Ok(machine)
}

/// Waits until an application answers.
fn answers(machine: &Machine, app: &App) -> Result<()> {
    let script = format!(
        "for i in $(seq 300); do case $(browser -o /dev/null -w '%{{http_code}}' https://{}.demo.test/ || true) in 2* | 3*) exit ;; esac; sleep 0.2; done; exit 1",
        app.id
    );
    says(machine, &script).map(drop)
}

/// The version that is served, and what of an unfinished upgrade is left.
fn state(machine: &Machine, app: &App) -> Result<String> {
    let id = app.id;
    says(
        machine,
        &format!(
            "readlink /srv/paquerette/www/{id}/current | sed 's,.*/,,'; ls /var/lib/paquerette/transactions 2>/dev/null || true
             ls /srv/paquerette/backups/upgrade/{id} 2>/dev/null | grep -v '^last$\\|^20' || true; ls /etc/cron.d | grep pq-{id} || true"
        ),
    )
}

/// The inventory's machine is reached over ssh from now on, by itself.
const BY_SSH: &str = "
    systemctl start ssh
    mkdir -p -m 0700 /root/.ssh; ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519; cat /root/.ssh/id_ed25519.pub >> /root/.ssh/authorized_keys
    echo \"127.0.0.1 $(cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub)\" > /root/.ssh/known_hosts
    sed -i 's/^demo ansible_connection=local$/demo ansible_host=127.0.0.1 ansible_user=root/' /root/paquerette/inventory/hosts; grep -q 'demo ansible_host' /root/paquerette/inventory/hosts
";

fn real(lab: &Lab, app: &App) -> Result<()> {
    let machine = installed(lab, app, &format!("new{}{}", app.id, app.database))?;
    let [old, new] = versions(lab, app);
    let (before, rows) = (state(&machine, app)?, says(&machine, app.canary)?);
    assert!((app.seen)(&machine)?.contains(&old));
    // At its version, there is nothing to do.
    let there = done(upgrade(&machine, "--apply")?);
    assert!(there.stderr.contains(&format!("{} {old} already", app.name)), "{}", there.stderr);

    wants(&machine, app, &new)?;
    (app.against)(&machine)?;
    let check = upgrade(&machine, "--check")?;
    assert_eq!(check.code, 3, "{}{}", check.stdout, check.stderr);
    assert!(check.stderr.contains(&format!("{old} → {new}")), "{}", check.stderr);
    assert_eq!(state(&machine, app)?, before);

    if app.server == "apache2" {
        machine.run(["bash", "-euc", BY_SSH])?.success()?;
    }
    let run = done(upgrade(&machine, &format!("{} --apply", app.id))?);
    eprintln!("{}{}", run.stdout, run.stderr);
    assert_eq!(state(&machine, app)?, before.replace(&old, &new));
    assert_eq!(says(&machine, app.canary)?, rows);
    let seen = (app.seen)(&machine)?;
    assert!(seen.contains(&new), "{seen}");
    nothing_left(&machine)?;
    let again = done(upgrade(&machine, "--apply")?);
    assert!(
        again.stdout.contains(" 0 changed") && again.stderr.contains("already"),
        "{}{}",
        again.stdout,
        again.stderr
    );

    // It does not go back.
    wants(&machine, app, &old)?;
    let back = upgrade(&machine, "--apply")?;
    assert_eq!(back.code, 2, "{}{}", back.stdout, back.stderr);
    assert!(
        back.stderr.contains(&format!("pq-backup restore {} --at TIME --in-place", app.id)),
        "{}",
        back.stderr
    );
    assert_eq!(state(&machine, app)?, before.replace(&old, &new));

    // And goes without a trace, what was saved with it.
    machine.write(
        HOST,
        format!("os: debian-12\nweb_server: {}\nmemory_mb: 2048\ninstances: []\n", app.server),
    )?;
    done(crate::instances::pq_instance(&machine, &format!("remove {} --with-data --apply", app.id))?);
    assert_eq!(crate::instances::traces(&machine, app.id)?, "");
    Ok(())
}

/// How many are tried at a time in a whole matrix.
const LANES: usize = 2;

const APPS: [&App; 9] = [
    &WORDPRESS,
    &MEDIAWIKI,
    &MEDIAWIKI_ON_MARIADB,
    &ROUNDCUBE,
    &RADICALE,
    &DOKUWIKI,
    &standins::NEXTCLOUD,
    &standins::DOLIBARR,
    &standins::MATTERMOST,
];

#[test]
fn matrix_upgrades_each_application_comes_to_a_newer_version_with_its_data() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut matrix = Matrix::open("upgrades");
    let named = |app: &App| [app.name, app.database, app.server].join(" ").replace("  ", " ");
    // `PQ_POINT='radicale nginx'` tries that one alone.
    let only = std::env::var("PQ_POINT").ok();
    let points =
        APPS.iter().map(|app| named(app)).filter(|point| only.as_ref().is_none_or(|only| only == point));
    let drawn = matrix.draw(points, 1);
    matrix.each(drawn, LANES, |point| {
        eprintln!("upgrades: {point}");
        let app = APPS.iter().find(|app| named(app) == point).ok_or("there is no such application")?;
        real(&lab, app).map_err(|error| error.to_string())
    });
    matrix.finish();
    Ok(())
}
