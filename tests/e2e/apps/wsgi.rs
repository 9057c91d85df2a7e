//! Python applications: the one that says hello, and one of somebody's own from an archive, from PyPI, as a wheel, as a tag of
//! a git repository, and from a directory.

use pq_testkit::lab::{Machine, Result};

use super::{App, archived, says};
use crate::world::pipe;

pub(super) const HELLO: App =
    App { name: "wsgi", engines: &["none"], first: |_| Ok(String::new()), works: hello };

pub(super) const ARCHIVE: App =
    App { name: "wsgi-archive", engines: &["none", "mariadb", "postgres"], first: archive, works: shop };

pub(super) const PACKAGES: App =
    App { name: "wsgi-packages", engines: &["none"], first: packages, works: calendar };

pub(super) const WHEEL: App = App { name: "wsgi-wheel", engines: &["none"], first: wheel, works: shop };

pub(super) const GIT: App = App { name: "wsgi-git", engines: &["none"], first: git, works: tagged };

pub(super) const DIRECTORY: App =
    App { name: "wsgi-directory", engines: &["none"], first: directory, works: copied };

const SHOP: &str = include_str!("shop/app.py");
const REQUIREMENTS: &str = include_str!("shop/requirements.txt");
const RADICALE: &str = include_str!("../../../crates/recipes/catalogue/apps/radicale/requirements-3.9.0.txt");

/// What an instance of the shop has beside its code.
const KEYS: &str = r#"page: /health, env: { SHOP_NAME: "L'échoppe à 5 $", SHOP_SECRET: "{{ master_key }}" }"#;

/// The wheels that the lab serves, where the machine itself serves its sources.
const WHEELS: &str = "mkdir -p /root/sources/pypi /root/sources/example.org && cd /root/sources/pypi
    python3 -c '
import re, urllib.request as r
at = \"http://10.77.0.1:8088/pypi/\"
for name in re.findall(\"href=\\\"([^\\\"]+whl)\\\"\", r.urlopen(at).read().decode()):
    r.urlretrieve(at + name, name)'";

/// Text as a YAML file has it in double quotes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn hello(machine: &Machine) -> Result<()> {
    let page = says(machine, "browser $url/")?;
    assert!(page.contains(r#""status":"ok""#) && page.contains(r#""version":"1.0""#), "{page}");
    listened_for(machine)
}

/// It answers what is asked while it starts again, and nobody but the web server reaches its socket or reads its secrets.
fn listened_for(machine: &Machine) -> Result<()> {
    let answers = says(
        machine,
        "for i in 1 2 3 4 5 6; do browser -o /dev/null -w '%{http_code} ' $url/ & sleep 0.1; test $i != 3 || systemctl restart pq-app.service; wait %% || true; done; wait
         stat -c '%a %U %G' /run/pq-app.sock /srv/paquerette/www/app/environment
         runuser -u nobody -- curl -sS --unix-socket /run/pq-app.sock http://app/ 2>&1 | grep -c 'onnect' || true
         systemctl show -p Type,NRestarts pq-app.service",
    )?;
    assert_eq!(answers.matches("200 ").count(), 6, "{answers}");
    assert!(answers.contains("660 app www-data\n600 root root\n1\nType=notify\nNRestarts=0\n"), "{answers}");
    Ok(())
}

/// It counts, is told what a proxy tells, and finds its environment as it was written.
fn shop(machine: &Machine) -> Result<()> {
    let (first, second) = (says(machine, "browser $url/")?, says(machine, "browser $url/")?);
    let read = |page: &str| serde_json::from_str::<serde_json::Value>(page).unwrap_or_default();
    let (first, second) = (read(&first), read(&second));
    assert_eq!(
        first["visitor"].as_u64().map(|count| count + 1),
        second["visitor"].as_u64(),
        "{first} {second}"
    );
    assert!(
        first["visitor"].is_u64() && first["scheme"] == "https" && first["host"] == "app.demo.test",
        "{first}"
    );
    assert_eq!(first["name"], "L'échoppe à 5 $");
    // of the example's master key, and not of nothing
    assert!(first["secret"].is_string() && first["secret"] != "e3b0c442", "{first}");
    listened_for(machine)
}

/// The same, and nobody but root has the key.
fn tagged(machine: &Machine) -> Result<()> {
    let key = says(
        machine,
        "cd /srv/paquerette/www/app; stat -c '%a %U' deploy_key; ls releases; cat releases/1.2/.paquerette/commit | wc -c; ls -d releases/.tmp* 2>/dev/null | wc -l
         grep -m 1 -c '\"kind\":\"tree\",\"name\":\"/srv/paquerette/www/app/releases/1.2\".*\"owner\":\"app\"' /var/lib/paquerette/ledger.ndjson",
    )?;
    // The ledger knows the release, whatever made it.
    assert_eq!(key, "600 root\n1.2\n41\n0\n1\n");
    shop(machine)
}

/// The shop in a directory that somebody keeps on the machine.
fn directory(machine: &Machine) -> Result<String> {
    machine.sh(WHEELS)?.success()?;
    super::serve(machine, "/root/sources")?;
    machine
        .sh("mkdir -p /root/src/shop/.git /root/src/shop/__pycache__; touch /root/src/shop/.git/HEAD")?
        .success()?;
    machine.write("/root/src/shop/app.py", SHOP)?;
    machine.write("/root/src/shop/requirements.txt", REQUIREMENTS)?;
    Ok(format!("{KEYS}, directory: {{ path: /root/src/shop, version: \"1.2\" }}"))
}

/// What is changed there is served with the next run, and what is not for it stays where it is.
fn copied(machine: &Machine) -> Result<()> {
    let state = "cd /srv/paquerette/www/app/releases; ls; ls -A 1.2; cat 1.2/note 2>/dev/null || true; stat -c '%a %U' 1.2/app.py; systemctl show -p MainPID pq-app.service";
    let before = says(machine, state)?;
    machine.sh("echo changed >> /root/src/shop/note; chmod 4777 /root/src/shop/app.py")?.success()?;
    pipe(machine, "pq-apply --text")?.success()?;
    let after = says(machine, state)?;
    let count = |text: &str| text.matches("changed\n").count();
    assert_eq!(count(&after), count(&before) + 1, "{before}{after}");
    assert!(after.starts_with("1.2\n.paquerette\napp.py\nnote\nrequirements.txt\n"), "{after}");
    assert!(after.contains("750 root\n") && before.lines().last() != after.lines().last(), "{before}{after}");
    // Where somebody else chooses what is there, nothing is read.
    machine.sh("mv /root/src/shop /root/src/theirs; ln -s theirs /root/src/shop")?.success()?;
    let refused = pipe(machine, "pq-apply --text")?;
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(refused.code == 1 && said.contains("/root/src/shop is not read: it is a link"), "{said}");
    machine.sh("rm /root/src/shop; mv /root/src/theirs /root/src/shop")?.success()?;
    shop(machine)
}

/// The shop as an archive, with the wheels that it needs.
fn archive(machine: &Machine) -> Result<String> {
    machine.sh(WHEELS)?.success()?;
    machine.sh("mkdir -p /root/site-7")?.success()?;
    machine.write("/root/site-7/app.py", SHOP)?;
    machine.write("/root/site-7/requirements.txt", REQUIREMENTS)?;
    Ok(archived(machine, KEYS)?.replace("root: public, ", ""))
}

/// The shop as a wheel, beside packages of PyPI.
fn wheel(machine: &Machine) -> Result<String> {
    machine.sh(WHEELS)?.success()?;
    machine.write("/root/shop.py", SHOP)?;
    let made = machine.run(["python3", "-c", "
import hashlib, zipfile
info, path = 'shop-1.2.dist-info/', '/root/sources/example.org/shop-1.2-py3-none-any.whl'
with zipfile.ZipFile(path, 'w') as wheel:
    wheel.write('/root/shop.py', 'shop.py')
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: shop\\nVersion: 1.2\\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(info + 'RECORD', 'shop.py,,\\n' + info + 'METADATA,,\\n' + info + 'WHEEL,,\\n' + info + 'RECORD,,\\n')
print(hashlib.sha256(open(path, 'rb').read()).hexdigest())"])?;
    let digest = made.success()?.stdout;
    super::serve(machine, "/root/sources")?;
    let listed = format!(
        "shop @ https://example.org/shop-1.2-py3-none-any.whl --hash=sha256:{}\n{REQUIREMENTS}",
        digest.trim()
    );
    Ok(format!(
        "entry: \"shop:app\", {KEYS}, packages: {{ version: \"1.2\", requirements: {} }}",
        quoted(&listed)
    ))
}

/// Radicale, which is a WSGI application too, from PyPI.
fn packages(machine: &Machine) -> Result<String> {
    machine.write(
        "/etc/calendar.conf",
        "[auth]\ntype = none\n[storage]\nfilesystem_folder = /srv/paquerette/www/app/data\n",
    )?;
    Ok(format!(
        "entry: \"radicale:application\", page: /.web/, env: {{ RADICALE_CONFIG: /etc/calendar.conf }}, \
         packages: {{ version: \"3.9.0\", requirements: {} }}",
        quoted(RADICALE)
    ))
}

/// A calendar is made, and is there.
fn calendar(machine: &Machine) -> Result<()> {
    let answers = says(
        machine,
        "browser -u ann:x -X MKCALENDAR $url/ann/c$$/ -w '%{http_code}\\n'
         browser -u ann:x -X PROPFIND $url/ann/c$$/ -w '%{http_code}\\n' | tail -1
         ls -d /srv/paquerette/www/app/data/collection-root/ann | wc -l",
    )?;
    assert!(answers.starts_with("201\n") && answers.ends_with("207\n1\n"), "{answers}");
    Ok(())
}

/// The shop as a tag of a repository that only a deploy key opens; the key is a secret of the inventory.
fn git(machine: &Machine) -> Result<String> {
    machine
        .sh(
            "apt-get update -qq && apt-get install -y -qq git openssh-server >/dev/null; mkdir -p /root/shop",
        )?
        .success()?;
    machine.write("/root/shop/app.py", SHOP)?;
    machine.write("/root/shop/requirements.txt", REQUIREMENTS)?;
    let made = machine.sh(
        "useradd --system --create-home --home-dir /srv/git --shell /usr/bin/git-shell git
         cd /root/shop && git init -q && git add . && git -c user.name=x -c user.email=x@x.test commit -qm shop && git tag v1.2
         git clone -q --bare /root/shop /srv/git/shop.git && chown -R git: /srv/git/shop.git
         ssh-keygen -q -t ed25519 -N '' -f /root/deploy && install -D -o git -m 600 /root/deploy.pub /srv/git/.ssh/authorized_keys && chown git: /srv/git/.ssh
         cd /root/paquerette && export PQ_IDENTITY=inventory/demo-identity.txt && pq-secret set inventory/group_vars/demo/secrets.yml.age shop_key </root/deploy && rm /root/deploy
         git -C /root/shop rev-parse HEAD; echo \"127.0.0.1 $(cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub)\"",
    )?;
    let said = made.success()?.stdout;
    let (commit, host_key) = said.trim().split_once('\n').unwrap_or_default();
    Ok(format!(
        "{KEYS}, git: {{ url: \"git@127.0.0.1:shop.git\", tag: v1.2, version: \"1.2\", commit: {commit} }}, \
         deploy_key: \"{{{{ shop_key }}}}\", host_keys: [\"{host_key}\"]"
    ))
}
