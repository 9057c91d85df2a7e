//! A MySQL that was there is used as it is found, and never replaced. Debian's releases have none: it comes from its unstable suite,
//! so this runs with `make matrix M=mysql` alone.

use std::time::Instant;

use pq_testkit::lab::{self, Image, Lab, Machine, Output, Result, Suite};
use pq_tests::Matrix;
use serde_json::json;

use crate::databases::{ends, plan};
use crate::world::{HOST, apply, demo_inventory, install};

/// MySQL's own server, of the unstable suite of the machine's own source.
const INSTALL: &str = "
    export DEBIAN_FRONTEND=noninteractive
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | sed -n 's/^deb \\(.*\\) trixie main.*/deb [check-valid-until=no] \\1 sid main/p' | head -n 1 \
        >/etc/apt/sources.list.d/sid.list
    test -s /etc/apt/sources.list.d/sid.list
    printf 'Package: *\\nPin: release n=sid\\nPin-Priority: 90\\n' >/etc/apt/preferences.d/sid
    apt-get update -qq
    apt-get install -y -qq -t sid mysql-server >/dev/null
    systemctl start mysql
";

fn platform(machine: &Machine, facts: &str) -> Result<Output> {
    let line = format!(
        "cd /root/paquerette && export PQ_IDENTITY=inventory/demo-identity.txt && \
         pq-inventory demo {facts} | pq-platform --apply --text"
    );
    machine.run(["bash", "-c", &line])
}

fn version(machine: &Machine) -> Result<String> {
    let asked = "systemctl is-active mysql; dpkg-query -Wf '${db:Status-Status} ${Version}' mysql-server; dpkg-query -Wf ' ${db:Status-Status}' mariadb-server";
    Ok(machine.sh(&format!("{asked} 2>/dev/null; true"))?.stdout)
}

fn as_found(lab: &Lab) -> Result<()> {
    let machine = lab.boot("mysql", &Image::Base(Suite::Trixie))?;
    install(&machine)?;
    demo_inventory(lab, &machine)?;
    machine.sh(INSTALL)?.success()?;
    let inventory = "platform: [mariadb]\ninstances: []\nos: debian-13\n";
    machine.write(HOST, inventory)?;
    let before = version(&machine)?;
    assert!(before.starts_with("active\ninstalled ") && !before.ends_with(" installed"), "{before}");
    eprintln!("mysql: {before}");

    // Without facts MariaDB is wanted, and it would have to take MySQL's place.
    let refused = platform(&machine, "")?;
    assert_eq!(refused.code, 1, "{}{}", refused.stdout, refused.stderr);
    for words in ["`mysql-server` is installed, and both cannot be", "plan with `pq-inventory --facts`"] {
        assert!(refused.stdout.contains(words), "{}", refused.stdout);
    }
    assert_eq!(version(&machine)?, before);
    // With them it is used as it is.
    let run = platform(&machine, "--facts")?;
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert_eq!(version(&machine)?, before);

    let database = plan(&json!({"do": "database", "engine": "mariadb", "name": "wiki"}));
    let user = plan(
        &json!({"do": "database_user", "engine": "mariadb", "name": "wiki", "auth": "socket", "grants": [{"database": "wiki"}]}),
    );
    let table = plan(
        &json!({"do": "sql", "engine": "mariadb", "database": "wiki", "sql": "CREATE TABLE page (name text)",
                             "unless": "SELECT count(*) = 1 FROM information_schema.tables WHERE table_name = 'page'"}),
    );
    let all = [("database", &database), ("user", &user), ("table", &table)];
    for (name, step) in all {
        ends(name, apply(&machine, step, &["--text"])?, 0, "1 changed");
        ends(name, apply(&machine, step, &["--text"])?, 0, " 0 changed");
    }
    // The user of the system comes in by the socket, as the application will.
    machine
        .sh("useradd wiki; runuser -u wiki -- mysql wiki -e \"INSERT INTO page VALUES ('start')\"")?
        .success()?;
    machine.sh("mysql -e \"GRANT RELOAD ON *.* TO wiki@localhost\"")?.success()?;
    ends("rights beyond", apply(&machine, &user, &["--text"])?, 0, "1 changed");
    ends("no more", apply(&machine, &user, &["--text"])?, 0, " 0 changed");

    // A root with a password of MySQL's own kind.
    machine
        .sh("mysql -e \"ALTER USER root@localhost IDENTIFIED WITH caching_sha2_password BY 'it is #1'\"")?
        .success()?;
    ends("no file", apply(&machine, &database, &["--text"])?, 1, "error 1045");
    machine.write("/root/.my.cnf", "[client]\npassword = 'it is #1'\n")?;
    machine.sh("chmod 0600 /root/.my.cnf")?.success()?;
    // The server is told the password once, and knows the proof of it then.
    for (name, step) in all.iter().chain(&all) {
        ends(name, apply(&machine, step, &["--text"])?, 0, " 0 changed");
    }
    let gone = plan(&json!({"do": "remove", "owner": "law", "with_data": true}));
    ends("removal", apply(&machine, &gone, &["--text"])?, 0, "1 changed");
    assert_eq!(
        machine
            .sh("mysql -BNe \"SHOW DATABASES LIKE 'wiki'; SELECT User FROM mysql.user WHERE User = 'wiki'\"")?
            .text(),
        ""
    );
    Ok(())
}

#[test]
#[ignore = "it takes MySQL from an unstable suite: `make matrix M=mysql`"]
fn matrix_mysql_a_server_that_was_there_is_used_as_it_is_found() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut matrix = Matrix::open("mysql");
    for point in matrix.draw(["debian-13".to_owned()], 1) {
        let begun = Instant::now();
        as_found(&lab)?;
        matrix.note(&point, Ok(()), begun.elapsed());
    }
    matrix.finish();
    Ok(())
}
