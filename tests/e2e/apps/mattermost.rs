//! Mattermost and Mostlymatter, with a stand-in: `tests/standins/mattermost`, which is neither.

use pq_testkit::lab::{Machine, Result};

use super::{App, says};
use crate::world::{serve, shown};

pub(super) const MATTERMOST: App =
    App { name: "mattermost", engines: &["postgres"], first: |machine| first(machine, "mattermost"), works };

pub(super) const MOSTLYMATTER: App = App {
    name: "mattermost-mostly",
    engines: &["postgres"],
    first: |machine| first(machine, "mostlymatter"),
    works: |machine| {
        works(machine)?;
        let said = says(machine, "browser \"$url/api/v4/config/client?format=old\"")?;
        assert!(said.contains(r#""BuildHash":"mostlymatter""#), "{said}");
        Ok(())
    },
};

const STANDIN: &str = include_str!("../../standins/mattermost");

/// The version that the stand-in says it is.
const VERSION: &str = "11.7.0";

/// Archives as their makers name them, with pins of their digests.
fn first(machine: &Machine, variant: &str) -> Result<String> {
    machine
        .sh("mkdir -p /root/mm/mattermost/bin /root/paquerette/inventory/recipes/apps/mattermost")?
        .success()?;
    machine.write("/root/mm/mattermost/bin/mattermost", STANDIN.replace("@VERSION@", VERSION))?;
    let pins = machine.sh(&format!(
        "cd /root/mm && mkdir -p mattermost/client mattermost/i18n mattermost/templates mattermost/config && chmod 755 mattermost/bin/mattermost
         cp mattermost/bin/mattermost mattermost/bin/mmctl
         team=releases.mattermost.com/{VERSION}/mattermost-team-{VERSION}-linux-amd64.tar.gz mostly=packages.framasoft.org/projects/mostlymatter/mostlymatter-amd64-v{VERSION}
         mkdir -p /root/sources/${{team%/*}} /root/sources/${{mostly%/*}}
         tar czf /root/sources/$team mattermost && cp mattermost/bin/mattermost /root/sources/$mostly
         digest() {{ sha256sum /root/sources/$1 | cut -d' ' -f1; }}
         echo '\"{VERSION}\":'
         echo \"  amd64: {{ url: https://$team, sha256: $(digest $team) }}\"
         echo '  parts: {{ mostlymatter: {{ into: bin/mostlymatter,'
         echo \"    amd64: {{ url: https://$mostly, sha256: $(digest $mostly) }} }} }}\""
    ))?;
    machine.write("/root/paquerette/inventory/recipes/apps/mattermost/pins.yml", pins.success()?.stdout)?;
    serve(machine, "/root/sources")?;
    Ok(format!(
        "variant: {variant}, title: \"L'équipe à 5 $\", env: {{ MM_TEAMSETTINGS_MAXUSERSPERTEAM: 500 }}"
    ))
}

/// It is healthy, the first user comes in with the password that pq-secret shows, nobody else makes himself one, messages come as
/// they are sent, and nobody but its user reaches its local socket.
fn works(machine: &Machine) -> Result<()> {
    machine.write("/root/password", shown(machine, "demo/app/admin")?)?;
    let said = says(
        machine,
        r#"browser "$url/api/v4/system/ping?get_server_status=true"; echo
           browser "$url/api/v4/config/client?format=old"; echo
           login() { printf '{"login_id": "admin", "password": "%s"}' "$1" | browser -o /root/answer -w '%{http_code} ' --data-binary @- $url/api/v4/users/login; cat /root/answer; echo; }
           login "$(cat /root/password)"; login guessed; rm /root/password
           echo '{"username": "visitor", "email": "v@example.org", "password": "a long one"}' | browser -o /dev/null -w '%{http_code}\n' --data-binary @- $url/api/v4/users
           browser --http1.1 -m 5 -o /dev/null -w '%{http_code}\n' -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' $url/api/v4/websocket || true
           psql() { runuser -u app -- psql -AtX -d app -c "$1"; }; cd /
           psql "SELECT username, roles, emailverified FROM users"
           runuser -u nobody -- curl -sS --unix-socket /run/pq-app/local.socket http://local/api/v4/users 2>&1 | grep -c onnect
           stat -c '%a %U' /srv/paquerette/www/app/environment
           systemctl show -p Type,NRestarts,User pq-app.service"#,
    )?;
    let lines: Vec<&str> = said.lines().collect();
    let wanted = [
        r#"{"status":"OK","database_status":"OK","filestore_status":"OK"}"#,
        r#"{"Version":"11.7.0","SiteName":"L'\u00e9quipe \u00e0 5 $","SiteURL":"https://app.demo.test","#,
        r#"200 {"roles":"system_admin system_user"}"#,
        r#"401 {"status_code":401}"#,
        "501",
        "101",
        "admin|system_admin system_user|t",
        "1",
        "600 root",
        "Type=notify",
        "NRestarts=0",
        "User=app",
    ];
    for (line, wanted) in lines.iter().zip(wanted) {
        assert!(line.starts_with(wanted), "{wanted}: {said}");
    }
    assert_eq!(lines.len(), wanted.len(), "{said}");
    Ok(())
}
