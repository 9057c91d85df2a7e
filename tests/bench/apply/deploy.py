"""What steps.ndjson wants of the machine, for pyinfra: the same operations, one after the other

Facts decide where there is no operation, as in pyinfra's own examples; services are reloaded where one of the
operations that feed them changed something.
"""

import json

from pyinfra import host
from pyinfra.facts.files import File
from pyinfra.facts.server import Command
from pyinfra.operations import apt, files, server, systemd
from pyinfra.operations.util import any_changed

with open("vars.json", encoding="utf-8") as text:
    VARS = json.load(text)
BASE, PHP, INSTANCE = VARS["base"], VARS["php"], VARS["instance"]
HOME = f"{BASE}/www/{INSTANCE}"
RELEASE = f"{HOME}/releases/{VARS['version']}"


def template(name, dest, source, mode="644", group="root", **more):
    return files.template(
        name=name, src=f"files/{source}", dest=dest, user="root", group=group, mode=mode, **VARS, **more
    )


def directory(name, path, mode="755", user="root", group="root"):
    return files.directory(name=name, path=path, mode=mode, user=user, group=group)


def runs(name, unit):
    return systemd.service(name=name, service=unit, running=True, enabled=True)


def asks(question, database=""):
    return host.get_fact(Command, f'mariadb -NBe "{question}" {database} 2>/dev/null || true') or ""


# the server

apt.packages(
    name="Packages of the server",
    packages=[
        "ca-certificates", "cron", "curl", "jq", "less", "locales", "logrotate", "openssl", "procps", "rsync", "sudo",
        "tmux", "tzdata", "ufw", "unattended-upgrades", "vim-tiny",
    ],
    update=True, cache_time=86400, no_recommends=True,
)
directory("Directory of everything", BASE)
directory("Directory of sites", f"{BASE}/www")
directory("Directory of logs", f"{BASE}/log", "750", group="adm")
directory("Directory of backups", f"{BASE}/backups", "700")
directory("Directory of archives", f"{BASE}/archives", "700")
directory("Directory of temporary files", f"{BASE}/tmp", "1777")
locales = [
    files.line(name=f"Locale {name}", path="/etc/locale.gen", line=f"^#? ?{name}.UTF-8 UTF-8.*$", replace=f"{name}.UTF-8 UTF-8")
    for name in ("fr_FR", "en_US")
]
server.shell(name="Locales are generated", commands="locale-gen", _if=any_changed(*locales))
template("Language", "/etc/default/locale", "locale")
files.link(name="Time zone", path="/etc/localtime", target=f"/usr/share/zoneinfo/{VARS['timezone']}", force=True)
template("Time zone by name", "/etc/timezone", "timezone")
template("Message of the day", "/etc/motd", "motd")
template("Login banner", "/etc/issue.net", "issue.net")
for name in ("admins", "deploy"):
    server.group(name=f"Group {name}", group=name, system=True)
for name, groups in (("alice", ["admins", "adm"]), ("bob", ["deploy"])):
    server.group(name=f"Group {name}", group=name)
    server.user(
        name=f"User {name}", user=name, group=name, groups=groups, home=f"/home/{name}", shell="/bin/bash",
        create_home=False, ensure_home=False,
    )
    directory(f"Home of {name}", f"/home/{name}", "750", name, name)
    directory(f"Directory of the keys of {name}", f"/home/{name}/.ssh", "700", name, name)
    files.template(
        name=f"Key of {name}", src="files/authorized_keys", dest=f"/home/{name}/.ssh/authorized_keys", user=name,
        group=name, mode="600", key=VARS[f"key_{name}"],
    )
template("Who may do what by sudo", "/etc/sudoers.d/bench", "sudoers", "440")
sshd = template("Settings of sshd", "/etc/ssh/sshd_config.d/bench.conf", "sshd.conf")
template("Settings of ssh", "/etc/ssh/ssh_config.d/bench.conf", "ssh-client.conf")
runs("sshd runs", "ssh")
systemd.service(name="sshd runs on its present settings", service="ssh", reloaded=True, _if=sshd.did_change)
kernel = [
    template(f"Kernel, {name}", f"/etc/sysctl.d/60-paquerette-{name}.conf", "sysctl.conf", setting=name, value=value)
    for name, value in VARS["sysctl"].items()
]
server.shell(name="The kernel has its settings", commands="sysctl -q -p /etc/sysctl.d/60-paquerette-*.conf", _if=any_changed(*kernel))
firewall = host.get_fact(Command, "ufw status verbose 2>/dev/null || true") or ""
RULES = {
    "limit 22/tcp": "22/tcp                     LIMIT IN",
    "allow 80/tcp": "80/tcp                     ALLOW IN",
    "allow 443/tcp": "443/tcp                    ALLOW IN",
    "allow proto tcp from 10.77.0.0/24 to any port 9100": "9100/tcp                   ALLOW IN",
}
for rule, shown in RULES.items():
    if shown not in firewall:
        server.shell(name=f"Firewall, {rule}", commands=f"ufw {rule}")
if "Status: active" not in firewall:
    server.shell(name="Firewall is on", commands="ufw --force enable")
template("Updates, daily", "/etc/apt/apt.conf.d/20auto-upgrades", "auto-upgrades")
template("Updates, what they may do", "/etc/apt/apt.conf.d/52bench", "unattended-upgrades")
template("Settings of apt", "/etc/apt/apt.conf.d/80bench", "apt.conf")
for name in ("apt-daily", "apt-daily-upgrade"):
    runs(f"Timer {name}", f"{name}.timer")
directory("Directory of the journal's settings", "/etc/systemd/journald.conf.d")
journald = template("Settings of the journal", "/etc/systemd/journald.conf.d/bench.conf", "journald.conf")
systemd.service(
    name="The journal runs on its present settings", service="systemd-journald", restarted=True, _if=journald.did_change
)
template("Limits", "/etc/security/limits.d/bench.conf", "limits.conf")
template("Settings of shells", "/etc/profile.d/bench.sh", "profile.sh")
files.line(name="Umask of logins", path="/etc/login.defs", line="^UMASK[[:space:]].*$", replace="UMASK\t\t027")
template("Temporary files", "/etc/tmpfiles.d/bench.conf", "tmpfiles.conf")
template("Logs of the server", "/etc/logrotate.d/bench", "logrotate-server")
template("The morning's report", "/usr/local/sbin/bench-report", "report.sh", "755")
template("The morning's report, when", "/etc/cron.d/bench-report", "cron-report")
template("Old temporary files", "/etc/cron.d/bench-clean", "cron-clean")
runs("cron runs", "cron")

# the platform

apt.packages(
    name="Packages of the platform",
    packages=["nginx-light", "mariadb-server", "redis-server"]
    + [f"php{PHP}-{name}" for name in ("cli", "curl", "fpm", "gd", "intl", "mbstring", "mysql", "xml", "zip")],
    no_recommends=True,
)
units = []
for name, unit, source in (
    ("nginx", "nginx", "nginx-unit.conf"),
    ("PHP", f"php{PHP}-fpm", "php-unit.conf"),
    ("MariaDB", "mariadb", "mariadb-unit.conf"),
    ("Redis", "redis-server", "redis-unit.conf"),
):
    directory(f"{name}, directory of its unit's settings", f"/etc/systemd/system/{unit}.service.d")
    units.append(
        template(f"{name}, settings of its unit", f"/etc/systemd/system/{unit}.service.d/bench.conf", source)
    )
systemd.daemon_reload(name="systemd has the settings of units", _if=any_changed(*units))
nginx = [template("nginx.conf", "/etc/nginx/nginx.conf", "nginx.conf")]
for name in ("gzip", "log", "limits", "security", "default"):
    nginx.append(template(f"nginx, {name}", f"/etc/nginx/conf.d/{name}.conf", f"nginx-{name}.conf"))
for name in ("tls", "static", "php"):
    nginx.append(template(f"nginx, {name}", f"/etc/nginx/snippets/bench-{name}.conf", f"nginx-{name}.conf"))
nginx.append(files.link(name="No site of Debian", path="/etc/nginx/sites-enabled/default", present=False))
php = [
    template("PHP settings", f"/etc/php/{PHP}/fpm/conf.d/90-bench.ini", "php.ini"),
    template("PHP, its cache", f"/etc/php/{PHP}/fpm/conf.d/91-bench-opcache.ini", "opcache.ini"),
    template("PHP pool of nobody", f"/etc/php/{PHP}/fpm/pool.d/www.conf", "www.conf"),
]
template("PHP settings of commands", f"/etc/php/{PHP}/cli/conf.d/90-bench.ini", "php-cli.ini")
mariadb = [
    template("MariaDB, the server", "/etc/mysql/mariadb.conf.d/90-bench.cnf", "mariadb.cnf"),
    template("MariaDB, its tables", "/etc/mysql/mariadb.conf.d/91-bench-innodb.cnf", "innodb.cnf"),
]
redis = [
    files.line(name=f"Redis, {name}", path="/etc/redis/redis.conf", line=f"^#? ?{name} .*$", replace=f"{name} {value}")
    for name, value in (
        ("maxmemory", "64mb"), ("maxmemory-policy", "allkeys-lru"), ("databases", "4"), ("timeout", "300"),
    )
]
for name, unit in (("MariaDB", "mariadb"), ("Redis", "redis-server"), ("PHP", f"php{PHP}-fpm"), ("nginx", "nginx")):
    runs(f"{name} runs", unit)
systemd.service(name="MariaDB restarts", service="mariadb", restarted=True, _if=any_changed(*mariadb))
systemd.service(name="Redis restarts", service="redis-server", restarted=True, _if=any_changed(*redis))

# the instance

server.group(name="Group of the instance", group=INSTANCE, system=True)
server.user(
    name="User of the instance", user=INSTANCE, group=INSTANCE, system=True, home=HOME, shell="/usr/sbin/nologin",
    create_home=False, ensure_home=False,
)
directory("Its directory", HOME)
directory("Directory of its releases", f"{HOME}/releases")
directory("Directory of what is kept", f"{HOME}/kept", "750", INSTANCE, INSTANCE)
directory("Directory of uploads", f"{HOME}/uploads", "2750", INSTANCE, "www-data")
archive = f"{BASE}/archives/wordpress-{VARS['version']}.tar.gz"
files.download(
    name="WordPress, its archive", src=VARS["url"], dest=archive, sha256sum=VARS["sha256"], user="root", group="root",
    mode="644",
)
directory("Directory of the release", RELEASE)
if not host.get_fact(File, path=f"{RELEASE}/wp-settings.php"):
    server.shell(
        name="WordPress", commands=f"tar -xzf {archive} -C {RELEASE} --strip-components=1 --no-same-owner"
    )
files.link(name="The current release", path=f"{HOME}/current", target=f"releases/{VARS['version']}")
files.link(name="Uploads are outside of the release", path=f"{RELEASE}/wp-content/uploads", target=f"{HOME}/uploads")
directory("Directory of plugins that nobody switches off", f"{RELEASE}/wp-content/mu-plugins")
template("What is switched off", f"{RELEASE}/wp-content/mu-plugins/bench.php", "mu-plugin.php")
template("wp-config.php", f"{HOME}/kept/wp-config.php", "wp-config.php", "640", INSTANCE)
files.link(
    name="wp-config.php is outside of the release", path=f"{RELEASE}/wp-config.php", target=f"{HOME}/kept/wp-config.php"
)
template("What installs it", f"{HOME}/install.php", "install.php")
if INSTANCE not in asks("SHOW DATABASES").splitlines():
    server.shell(
        name="Its database",
        commands=f'mariadb -e "CREATE DATABASE {INSTANCE} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"',
    )
if INSTANCE not in asks("SELECT User FROM mysql.global_priv WHERE Host = 'localhost'").splitlines():
    server.shell(
        name="Its database user",
        commands=f'mariadb -e "CREATE USER {INSTANCE}@localhost IDENTIFIED VIA unix_socket"',
    )
if "ALL PRIVILEGES ON" not in asks(f"SHOW GRANTS FOR {INSTANCE}@localhost"):
    server.shell(
        name="Rights on its database",
        commands=f'mariadb -e "GRANT ALL PRIVILEGES ON {INSTANCE}.* TO {INSTANCE}@localhost"',
    )
if not host.get_fact(File, path=f"{HOME}/kept/installed"):
    server.shell(
        name="WordPress is installed",
        commands=f"setpriv --reuid={INSTANCE} --regid={INSTANCE} --init-groups php {HOME}/install.php",
    )
ZONE = "wp_options WHERE option_name = 'timezone_string'"
if VARS["timezone"] not in asks(f"SELECT option_value FROM {ZONE}", INSTANCE):
    set_zone = f"UPDATE wp_options SET option_value = '{VARS['timezone']}' WHERE option_name = 'timezone_string'"
    server.shell(name="Time zone of the blog", commands=f'mariadb -e "{set_zone}" {INSTANCE}')
directory("Directory of its certificate", "/etc/ssl/bench", "700")
if not host.get_fact(File, path=f"/etc/ssl/bench/{INSTANCE}.pem"):
    nginx.append(
        server.shell(
            name="Its certificate",
            commands="openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650"
            f" -subj /CN={VARS['domain']} -addext subjectAltName=DNS:{VARS['domain']}"
            f" -keyout /etc/ssl/bench/{INSTANCE}.key -out /etc/ssl/bench/{INSTANCE}.pem",
        )
    )
php.append(template("Its PHP pool", f"/etc/php/{PHP}/fpm/pool.d/{INSTANCE}.conf", "pool.conf"))
nginx.append(template("Its site", f"/etc/nginx/sites-available/{INSTANCE}", "site.conf"))
nginx.append(
    files.link(
        name="Its site is served", path=f"/etc/nginx/sites-enabled/{INSTANCE}", target=f"../sites-available/{INSTANCE}"
    )
)
template("Its jobs", f"/etc/cron.d/{INSTANCE}", "cron-instance")
template("Its logs", f"/etc/logrotate.d/{INSTANCE}", "logrotate-instance")
systemd.service(name="PHP reloads", service=f"php{PHP}-fpm", reloaded=True, _if=any_changed(*php))
systemd.service(name="nginx reloads", service="nginx", reloaded=True, _if=any_changed(*nginx))
