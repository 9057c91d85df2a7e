//! What shows that applications of groups work: mail (Roundcube, Debian's files), files (Nextcloud, a stand-in), accounts (Dolibarr, a
//! stand-in). A stand-in is a small release of our own that has the installer's interface and fails where the real one does; what was
//! tried with the real ones stands in their recipes.

use std::process::Command;

use pq_testkit::lab::{self, Machine, Result};

use crate::apps::{jobs_run, not_run, says};
use crate::instances::pq_instance;
use crate::world::{HOST, serve, shown};

/// An IMAP server with mailboxes of everybody's, who come in with one password.
pub fn mailboxes(machine: &Machine) -> Result<String> {
    machine.sh("apt-get update -qq && apt-get install -y -qq dovecot-imapd >/dev/null")?.success()?;
    machine.write(
        "/etc/dovecot/local.conf",
        "ssl = no\nlisten = 127.0.0.1\ndisable_plaintext_auth = no\nmail_location = maildir:/var/mail/%u\n\
         passdb {\n driver = static\n args = password=sesame\n}\n\
         userdb {\n driver = static\n args = uid=mail gid=mail home=/var/mail/%u\n}\n",
    )?;
    machine
        .sh("sed -i 's/^!include auth/#&/' /etc/dovecot/conf.d/10-auth.conf; chown mail: /var/mail; systemctl restart dovecot")?
        .success()?;
    Ok("version: \"1.6.5\", title: Le courrier, lang: fr_FR".to_owned())
}

/// Who has a mailbox sees it, and who guesses does not and is noted; nobody reaches its installer.
pub fn roundcube(machine: &Machine) -> Result<()> {
    let answers = says(
        machine,
        r#"rm -f /root/jar; browser $url/ | grep -o '<html lang="[a-z]*"\|<title>[^<]*\|"rcversion":[0-9]*'
           login() {
             rm -f /root/jar; token=$(browser $url/ | grep -o 'name="_token" value="[^"]*"' | cut -d'"' -f4)
             browser -L "$url/?_task=login" -d _task=login -d _action=login -d _user=alice -d "_pass=$1" --data-urlencode "_token=$token" | grep -o '"task":"[a-z]*"' | sort -u
           }
           login guessed; login sesame; rm -f /root/jar
           for path in plugins/archive/archive.js skins/elastic/styles/styles.min.css; do browser -o /dev/null -w '%{http_code}\n' $url/$path; done
           fail2ban-regex /srv/paquerette/www/app/data/logs/userlogins.log /etc/fail2ban/filter.d/paquerette-app.conf | grep -o '[1-9][0-9]* matched'"#,
    )?;
    for said in [
        "lang=\"fr\"",
        "<title>Le courrier",
        "\"rcversion\":10605",
        "\"task\":\"login\"\n\"task\":\"mail\"\n200\n200\n",
    ] {
        assert!(answers.contains(said), "{said}: {answers}");
    }
    assert!(answers.contains(" matched"), "{answers}");
    not_run(
        machine,
        "plugins",
        &[
            "installer/",
            "installer/index.php",
            "config/config.inc.php",
            "vendor/autoload.php",
            "SQL/mysql.initial.sql",
        ],
    )?;
    jobs_run(machine, &["clean", "forget"])
}

/// Packs a stand-in as its application's makers pack a release, serves it, and pins it in the inventory.
fn stand_in(machine: &Machine, app: &str, version: &str, address: &str, top: &str) -> Result<()> {
    let packed = Command::new("tar")
        .args(["c", "-C", concat!(env!("CARGO_MANIFEST_DIR"), "/standins"), app])
        .output()
        .map_err(|error| lab::Error::new("cannot run `tar`").because(error))?;
    machine.sh("mkdir -p /root/standins")?.success()?;
    machine.command(["tar", "x", "-C", "/root/standins"]).stdin(packed.stdout).output()?.success()?;
    let (sources, pins) = ("/root/sources", format!("/root/paquerette/inventory/recipes/apps/{app}"));
    machine
        .sh(&format!(
            "mkdir -p {pins} $(dirname {sources}/{address}); cd /root/standins
             tar c --owner=0 --group=0 --transform 's,^{app},{top},' {app} | gzip > {sources}/{address}
             echo \"\\\"{version}\\\": {{ url: https://{address}, sha256: $(sha256sum < {sources}/{address} | cut -d' ' -f1) }}\" > {pins}/pins.yml"
        ))?
        .success()?;
    serve(machine, sources)
}

/// Nextcloud's stand-in.
pub fn cloud(machine: &Machine) -> Result<String> {
    stand_in(
        machine,
        "nextcloud",
        "32.0.1",
        "download.nextcloud.com/server/releases/nextcloud-32.0.1.tar.gz",
        "nextcloud",
    )?;
    Ok("version: \"32.0.1\", title: L'atelier".to_owned())
}

/// A file of the first user's is put and got; who guesses is noted; what is not for the net is not served; jobs run.
pub fn nextcloud(machine: &Machine) -> Result<()> {
    machine.write("/root/netrc", format!("user = \"admin:{}\"\n", shown(machine, "demo/app/admin")?))?;
    let answers = says(
        machine,
        r#"dav=$url/remote.php/dav/files/admin/essai.txt; echo bonjour > /root/essai
           browser -K /root/netrc -T /root/essai -o /dev/null -w '%{http_code}\n' $dav; browser -K /root/netrc $dav; rm /root/netrc
           browser -u admin:guessed -o /dev/null -w 'guessed %{http_code}\n' $dav
           browser $url/login; browser $url/status.php; echo
           browser -o /dev/null -w '%{redirect_url}\n' $url/.well-known/carddav
           fail2ban-regex /srv/paquerette/www/app/data/nextcloud.log /etc/fail2ban/filter.d/paquerette-app.conf | grep -o '[1-9][0-9]* matched'
           runuser -u app -- redis-cli -s /run/pq-app-redis/redis.sock ping
           runuser -u nobody -- redis-cli -s /run/pq-app-redis/redis.sock ping 2>&1 | grep -c PONG || true"#,
    )?;
    for said in [
        "201\nbonjour\n",
        "guessed 401",
        "L&#039;atelier",
        "\"versionstring\":\"32.0.1\"",
        "/remote.php/dav/\n",
        " matched\nPONG\n0\n",
    ] {
        assert!(answers.contains(said), "{said}: {answers}");
    }
    let served = says(
        machine,
        "for path in occ lib/base.php config/config.php config/paquerette.config.php data/nextcloud.log themes/example/x.php .htaccess; do browser -o /dev/null -w '%{http_code}\\n' $url/$path; done",
    )?;
    assert!(!served.contains("200") && !served.contains("30"), "{served}");
    parted(machine, "themes", "themes")?;
    office(machine)?;
    jobs_run(machine, &["jobs"])
}

/// A Collabora of the same machine opens its documents, once the app for that is there; not before.
fn office(machine: &Machine) -> Result<()> {
    let inventory = machine.read(HOST)?;
    let with = "  - { app: collabora, id: office, domain: office.demo.test, nextclouds: [app] }\n";
    machine.write(HOST, format!("{inventory}{with}"))?;
    let told = |outcome: &str| -> Result<()> {
        let run = pq_instance(machine, "app --apply")?;
        let said = run.stdout.lines().any(|line| line.contains(outcome) && line.contains("app/office-set"));
        assert!(run.code == 0 && said != outcome.is_empty(), "{outcome}: {}{}", run.stdout, run.stderr);
        Ok(())
    };
    let occ = "occ() { runuser -u app -- env NC_config_is_read_only=true php -dapc.enable_cli=1 /srv/paquerette/www/app/current/occ \"$@\"; }; app=/srv/paquerette/www/app/kept/custom_apps/richdocuments";
    machine.sh(&format!("{occ}; rm -rf $app; occ config:app:set richdocuments enabled --value=no; occ config:app:set richdocuments wopi_url --value=; occ config:app:set richdocuments wopi_allowlist --value=192.0.2.7"))?.success()?;
    told("")?;
    machine.sh(&format!("{occ}; mkdir $app; occ app:enable richdocuments"))?.success()?;
    told("changed")?;
    let set = machine.sh(&format!("{occ}; for key in wopi_url public_wopi_url wopi_allowlist; do occ config:app:get richdocuments $key; done"))?;
    // Whom an administrator lets ask is theirs, where the inventory names nobody.
    assert_eq!(set.success()?.stdout, "https://office.demo.test\nhttps://office.demo.test\n192.0.2.7\n");
    told("")?;
    machine.write(HOST, inventory)
}

/// Dolibarr's stand-in.
pub fn accounts(machine: &Machine) -> Result<String> {
    stand_in(
        machine,
        "dolibarr",
        "22.0.4",
        "github.com/Dolibarr/dolibarr/archive/refs/tags/22.0.4.tar.gz",
        "dolibarr-22.0.4",
    )?;
    Ok("version: \"22.0.4\", lang: fr_FR".to_owned())
}

/// The first user comes in with the password that pq-secret shows, and nobody with another; its installer is closed.
pub fn dolibarr(machine: &Machine) -> Result<()> {
    machine.write("/root/password", shown(machine, "demo/app/admin")?)?;
    let answers = says(
        machine,
        r#"login() {
             rm -f /root/jar; token=$(browser $url/ | grep -o 'name="token" value="[^"]*"' | cut -d'"' -f4)
             browser -L $url/index.php -d actionlogin=login -d username=admin --data-urlencode "password=$1" -d "token=$token" | grep -c user/logout.php || true
           }
           login guessed; login "$(cat /root/password)"; rm -f /root/password /root/jar; browser $url/ | grep -o '<html lang="[a-z]*"><title>[^<]*'
           ls /tmp /srv/paquerette/tmp/app"#,
    )?;
    assert!(answers.starts_with("0\n1\n<html lang=\"fr\"><title>Login @ 22.0.4"), "{answers}");
    assert!(
        !answers.contains("conf.php") && !answers.contains(".log") && !answers.contains(".html"),
        "{answers}"
    );
    let closed = says(
        machine,
        "for path in install/ install/step5.php conf/conf.php conf/conf.php.example; do browser -o /dev/null -w '%{http_code}\\n' $url/$path; done",
    )?;
    assert_eq!(closed, "403\n".repeat(4));
    // What follows a program's name reaches it, and nothing but a program is run for that.
    let api = says(machine, "browser $url/api/index.php/thirdparties/7; browser $url/api/index.php")?;
    assert_eq!(
        api,
        "{\"path\":\"/thirdparties/7\",\"script\":\"/api/index.php\",\"self\":\"/api/index.php/thirdparties/7\"}\n\
         {\"path\":null,\"script\":\"/api/index.php\",\"self\":\"/api/index.php\"}\n"
    );
    parted(machine, "htdocs/custom", "custom")?;
    jobs_run(machine, &["jobs"])?;
    // Who lists processes sees no key.
    let keys = says(
        machine,
        "for i in $(seq 40); do ps axww -o args; done > /root/seen & runuser -u app -- sh /srv/paquerette/www/app/jobs.sh; wait
         key=$(grep -o \"key = '[^']*\" /srv/paquerette/www/app/jobs.php | cut -d\"'\" -f2); test ${#key} -gt 10; grep -c cron_run_jobs /root/seen; grep -c -- \"$key\" /root/seen || true",
    )?;
    assert!(keys.ends_with("\n0\n"), "{keys}");
    Ok(())
}

/// A picture that holds a program is not run by what somebody writes behind its name.
fn parted(machine: &Machine, kept: &str, at: &str) -> Result<()> {
    let answers = says(
        machine,
        &format!(
            "kept=/srv/paquerette/www/app/kept/{kept}; echo '<?php echo 6*7;' > $kept/x.jpg; chown app $kept/x.jpg; mkdir $kept/x.php.d; cp $kept/x.jpg $kept/x.php.d/y.jpg
             for path in x.jpg/y.php x.jpg/y.php/z x.jpg%00.php x.jpg%0a.php x.jpg/.php x.php.d/y.jpg/z.php; do browser -o /root/answer -w '%{{http_code}} ' $url/{at}/$path; cat /root/answer; done
             rm -r $kept/x.jpg $kept/x.php.d"
        ),
    )?;
    assert!(!answers.contains("42") && !answers.contains("200 "), "{answers}");
    Ok(())
}
