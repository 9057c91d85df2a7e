//! Upgrades of what Debian does not carry, with the stand-ins of `tests/standins`: the steps of the recipes, not the applications.

use std::process::Command;

use pq_testkit::lab::{self, Lab, Machine, Result};

use super::{App, NOTHING, upgrade};
use crate::apps::says;
use crate::world::shown;

pub(super) const NEXTCLOUD: App = App {
    name: "nextcloud",
    database: "postgres",
    server: "nginx",
    archives: Some(["standins.test/nextcloud-98.0.1.tar.gz", "standins.test/nextcloud-99.0.2.tar.gz"]),
    id: "cloud",
    keys: "database: postgres, title: L'atelier",
    put: file,
    canary: "cd /; runuser -u postgres -- psql -AtX -d cloud -c 'SELECT uid, password FROM oc_users'; sha256sum /srv/paquerette/www/cloud/kept/custom_apps/contacts/appinfo/info.xml",
    seen: |machine| {
        says(
            machine,
            "browser -K /root/netrc https://cloud.demo.test/remote.php/dav/files/admin/essai.txt; browser https://cloud.demo.test/status.php | grep -o '\"versionstring\":\"[0-9.]*'",
        )
    },
    against: an_app,
};

pub(super) const DOLIBARR: App = App {
    name: "dolibarr",
    database: "mariadb",
    server: "nginx",
    archives: Some(["standins.test/dolibarr-19.0.2.tar.gz", "standins.test/dolibarr-22.0.4.tar.gz"]),
    id: "books",
    keys: "database: mariadb, lang: fr_FR",
    put: |machine| {
        machine
            .sh("mariadb books -e \"CREATE TABLE llx_societe (nom VARCHAR(64)); INSERT INTO llx_societe SELECT CONCAT('Société ', seq) FROM seq_1_to_50\"; echo facture > /srv/paquerette/www/books/data/documents/facture.pdf")?
            .success()
            .map(drop)
    },
    canary: "mariadb books -BNe 'SELECT nom FROM llx_societe ORDER BY 1; SELECT login, pass_crypted FROM llx_user'; sha256sum /srv/paquerette/www/books/data/documents/facture.pdf",
    seen: |machine| says(machine, "browser https://books.demo.test/ | grep -o 'Login @ [0-9.]*'"),
    against: NOTHING,
};

pub(super) const MATTERMOST: App = App {
    name: "mattermost",
    database: "postgres",
    server: "nginx",
    archives: Some(["standins.test/mattermost-11.7.0.tar.gz", "standins.test/mattermost-12.1.0.tar.gz"]),
    id: "talk",
    keys: "title: L'équipe",
    put: |machine| {
        machine.sh("echo notes > /srv/paquerette/www/talk/data/files/notes; chown talk: /srv/paquerette/www/talk/data/files/notes")?.success().map(drop)
    },
    canary: "cd /; runuser -u postgres -- psql -AtX -d talk -c 'SELECT username, password, roles FROM users'; sha256sum /srv/paquerette/www/talk/data/files/notes",
    seen: |machine| {
        says(
            machine,
            "browser 'https://talk.demo.test/api/v4/config/client?format=old' | grep -o '\"Version\":\"[0-9.]*'; ls /srv/paquerette/www/talk/data/files",
        )
    },
    against: NOTHING,
};

/// A file of the first user's, and an app that says that it is for the older version.
fn file(machine: &Machine) -> Result<()> {
    machine.write("/root/netrc", format!("user = \"admin:{}\"\n", shown(machine, "demo/cloud/admin")?))?;
    let made = says(
        machine,
        r#"dav=https://cloud.demo.test/remote.php/dav/files/admin/essai.txt; echo "avant, l'été" > /root/essai
           browser -K /root/netrc -T /root/essai -o /dev/null -w '%{http_code}' $dav
           app=/srv/paquerette/www/cloud/kept/custom_apps/contacts; mkdir -p $app/appinfo
           echo '<?xml version="1.0"?><info><id>contacts</id><version>7.1.0</version><dependencies><nextcloud min-version="97" max-version="98"/></dependencies></info>' > $app/appinfo/info.xml
           chown -R cloud: $app; cd /srv/paquerette/www/cloud/current; runuser -u cloud -- php -dapc.enable_cli=1 occ app:enable contacts"#,
    )?;
    assert_eq!(made, "201");
    Ok(())
}

/// Where the app store cannot be asked, or has no release of that app, nothing is touched; with one it goes on.
fn an_app(machine: &Machine) -> Result<()> {
    let told = |word: &str| -> Result<()> {
        let run = upgrade(machine, "--apply")?;
        let all = format!("{}{}", run.stdout, run.stderr);
        assert!(
            run.code == 1
                && all.contains("BLOCKED")
                && all.contains("app `contacts` 7.1.0 is for Nextcloud 97 to 98"),
            "{all}"
        );
        assert!(all.contains(word), "{word}: {all}");
        Ok(())
    };
    machine.write(
        "/srv/paquerette/www/cloud/kept/config/store.config.php",
        "<?php\n$CONFIG = ['appstoreurl' => 'http://127.0.0.1:8099'];\n",
    )?;
    told("the app store does not say whether it has one for 99.0.2")?;
    let store = |spec: &str| {
        machine.write(
            "/srv/store/apps.json",
            format!("[{{\"id\": \"contacts\", \"releases\": [{{\"version\": \"8.0.0\", \"isNightly\": false, \"rawPlatformVersionSpec\": \"{spec}\"}}]}}]"),
        )
    };
    machine.sh("mkdir -p /srv/store && chmod 755 /srv/store && systemd-run -q --unit store python3 -m http.server 8099 --bind 127.0.0.1 -d /srv/store; sleep 1")?.success()?;
    store(">=97 <=98")?;
    told("and the app store has none for 99.0.2")?;
    store(">=98 <=99")
}

/// Packs them as their makers pack releases, each in two versions.
pub(super) fn packed(lab: &Lab) -> Result<()> {
    let script = r#"
        set -eu; to=$1; from=$2; mkdir -p "$to"; work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
        packs() { # ARCHIVE TOP VERSION
            (cd "$work" && tar c --sort=name --owner=0 --group=0 --mtime=@0 "$2" | gzip -n > "$to/.$1-$$"); mv "$to/.$1-$$" "$to/$1"; echo "$3" > "$to/$1.version"; rm -rf "$work/$2"
        }
        for version in 98.0.1 99.0.2; do
            cp -r "$from/nextcloud" "$work/nextcloud"; sed -i "s/32\.0\.1/$version/; s/\[32, 0, 1/[$(echo $version | sed 's/\./, /g')/" "$work/nextcloud/version.php"
            packs nextcloud-$version.tar.gz nextcloud $version
        done
        for version in 19.0.2 22.0.4; do
            cp -r "$from/dolibarr" "$work/dolibarr-$version"; sed -i "s/22\.0\.4/$version/" "$work/dolibarr-$version/htdocs/filefunc.inc.php"
            packs dolibarr-$version.tar.gz dolibarr-$version $version
        done
        for version in 11.7.0 12.1.0; do
            mkdir -p "$work/mattermost/bin"; cd "$work/mattermost"; mkdir client i18n templates config
            sed "s/@VERSION@/$version/" "$from/mattermost" > bin/mattermost; chmod 755 bin/mattermost; cp bin/mattermost bin/mmctl; cd /
            packs mattermost-$version.tar.gz mattermost $version
        done"#;
    let output = Command::new("bash")
        .args(["-c", script, "pack"])
        .arg(lab.sources().join("standins.test"))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/standins"))
        .output()
        .map_err(|error| lab::Error::new("cannot run `bash`").because(error))?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
