//! The state that a run leaves on a machine, and in what two of them differ.

use std::collections::BTreeSet;

use pq_testkit::lab::Machine;

use super::Result;

/// Files, accounts, packages and units, as the end-to-end tests have it.
const CANONICAL: &str = include_str!("../../e2e/canonical.sh");

/// What is not in files: the kernel's settings, the firewall, the database.
const MORE: &str = "
    for name in net/ipv4/conf/all/accept_redirects net/ipv4/conf/all/send_redirects net/ipv4/tcp_fin_timeout \
        net/core/somaxconn net/ipv4/ip_local_port_range; do echo \"kernel $name $(cat /proc/sys/$name)\"; done
    locale -a | sed 's/^/locale /'
    date +'time zone %Z'
    ufw status verbose | sed -n 's/^/firewall /p'
    mariadb -NBe \"SELECT 'database', schema_name, default_character_set_name, default_collation_name
        FROM information_schema.schemata\"
    mariadb -NBe \"SHOW GRANTS FOR $1@localhost\"
    mariadb -NBe \"SELECT 'table', table_name FROM information_schema.tables WHERE table_schema = '$1'\"
    mariadb -NBe \"SELECT 'option', option_name, option_value FROM wp_options
        WHERE option_name IN ('siteurl', 'home', 'blogname', 'admin_email', 'timezone_string', 'db_version')\" \"$1\"
    for unit in ssh nginx php8.2-fpm mariadb redis-server cron; do
        systemctl show --property=Id,ActiveState,UnitFileState,NeedDaemonReload $unit | paste -sd' '
    done
    curl -sk --resolve \"blog.bench.test:443:127.0.0.1\" -o /dev/null -w 'page %{http_code}\\n' https://blog.bench.test/
";

/// The state of a machine, one line a thing.
pub fn state(machine: &Machine, instance: &str) -> Result<String> {
    let below = ["/etc", "/home", "/srv", "/usr/local", "/var/spool", "/var/lib/redis"];
    let files = machine.run(["bash", "-euc", CANONICAL, "canonical"].iter().chain(&below))?.success()?.stdout;
    let more = machine.run(["bash", "-euc", MORE, "more", instance])?.success()?.stdout;
    Ok(files + &more)
}

/// Prints in what one state differs from another, and answers in how many lines.
pub fn compare(ours: &str, name: &str, theirs: &str) -> usize {
    let (one, other): (BTreeSet<&str>, BTreeSet<&str>) = (ours.lines().collect(), theirs.lines().collect());
    let (only_ours, only_theirs): (Vec<_>, Vec<_>) =
        (one.difference(&other).collect(), other.difference(&one).collect());
    let all = only_ours.len() + only_theirs.len();
    println!(
        "end state, ours beside {name}'s: {} lines are the same, {all} are not",
        one.intersection(&other).count()
    );
    for (side, lines) in [("ours", only_ours), (name, only_theirs)] {
        for line in lines.iter().take(40) {
            println!("  only {side}: {line}");
        }
        if lines.len() > 40 {
            println!("  only {side}: and {} more", lines.len() - 40);
        }
    }
    all
}
