//! Databases, their users and statements in them, on real servers: the laws, kills, hostile texts, and secrets in no log.

use pq_testkit::lab::{self, Image, Lab, Machine, Output, Result, Suite};
use pq_testkit::laws::{self, Example};
use serde_json::{Map, Value, json};

use crate::world::{apply, apply_killed, demo_inventory, install, said};

/// What the examples may have left, taken away.
const RESET: &str = "
    set +e; cd /; rm -rf /var/lib/paquerette
    p() { runuser -u postgres -- psql -qXd postgres \"$@\"; }
    p -c 'DROP DATABASE IF EXISTS lawdata'
    for user in lawowner lawother lawuser; do p -c \"DROP ROLE IF EXISTS $user\"; mariadb -e \"DROP USER IF EXISTS $user@localhost, $user@'10.0.0.%'\"; done
    userdel lawuser; groupdel lawuser
    mariadb -e 'DROP DATABASE IF EXISTS lawdata'
    true
";

/// All that the servers can tell of what the examples make, but for the salts of passwords.
const STATE: &str = "
    set +e; cd /
    p() { runuser -u postgres -- psql -qXAt \"$@\"; }
    p -d postgres -c \"SELECT datname, pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datacl FROM pg_database ORDER BY 1\"
    p -d postgres -c \"SELECT rolname, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, left(rolpassword, 18) FROM pg_authid ORDER BY 1\"
    PGPASSWORD='it'\\''s \\ \"new\"' psql -qXAtw -h 127.0.0.1 -U lawuser -d postgres -c \"SELECT 'the new password opens'\"
    p -d lawdata -c 'SELECT extname FROM pg_extension ORDER BY 1' -c 'SELECT * FROM law' 2>&1
    mariadb -Ne 'SELECT * FROM information_schema.schemata ORDER BY 2; SELECT * FROM lawdata.law' 2>&1
    mariadb -Ne \"SELECT User, Host, JSON_VALUE(Priv, '\\$.plugin'), JSON_VALUE(Priv, '\\$.authentication_string') FROM mysql.global_priv ORDER BY 1\"
    mariadb -Ne 'SHOW GRANTS FOR lawuser@localhost' 2>&1 | sort
    mariadb -Ne \"SHOW GRANTS FOR lawuser@'10.0.0.%'\" 2>&1
    true
";

/// A Debian with both servers, running, and the tools.
pub fn servers(lab: &Lab, name: &str) -> Result<Machine> {
    let image = lab.snapshot_or("databases", &Image::Base(Suite::Bookworm), "1", |machine| {
        machine
            .sh("apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
                 age strace mariadb-server postgresql >/dev/null")?
            .success()?;
        Ok(())
    })?;
    let machine = lab.boot(name, &image)?;
    install(&machine)?;
    machine.sh("systemctl start mariadb postgresql postgresql@15-main")?.success()?;
    Ok(machine)
}

/// A plan of one step.
pub fn plan(step: &Value) -> String {
    laws::plan(&step.as_object().cloned().into_iter().collect::<Vec<Map<_, _>>>())
}

/// The end of a run that must end so, and say so.
pub fn ends(name: &str, output: Output, code: i32, says: &str) -> Output {
    let right = output.code == code && output.stdout.contains(says);
    assert!(
        right,
        "{name}: {} instead of {code} and `{says}`\n{}{}",
        output.code, output.stdout, output.stderr
    );
    output
}

/// Brings the machine to a start of an example.
fn start(machine: &Machine, example: &Example, start: usize) -> Result<()> {
    machine.sh(RESET)?.success()?;
    for before in [&example.prepare, &example.starts[start]] {
        if !before.is_empty() {
            ends("preparation", apply(machine, &laws::plan(before), &["--text"])?, 0, "");
        }
    }
    Ok(())
}

#[test]
fn databases_obey_the_laws_on_real_servers_also_when_killed() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = servers(&lab, "dalaws")?;
    let of_databases = |example: &Example| example.needs.as_deref() == Some("databases");
    for example in laws::examples().map_err(lab::Error::new)?.into_iter().filter(of_databases) {
        let step = laws::plan(std::slice::from_ref(&example.step));
        let mut end: Option<String> = None;
        for at in 0..example.starts.len() {
            let name = format!("{} ({}), start {at}", example.kind(), example.about);
            start(&machine, &example, at)?;
            let before = machine.sh(STATE)?.success()?.stdout;
            ends(&name, apply(&machine, &step, &["--check", "--text"])?, 3, "");
            assert_eq!(machine.sh(STATE)?.success()?.stdout, before, "{name}: a check wrote");
            ends(&name, apply(&machine, &step, &["--text"])?, 0, " 1 changed");
            ends(&name, apply(&machine, &step, &["--check", "--text"])?, 0, " 0 differ");
            ends(&name, apply(&machine, &step, &["--text"])?, 0, " 0 changed");
            let after = machine.sh(STATE)?.success()?.stdout;
            assert_ne!(after, before, "{name}: the state does not show what was done");
            assert_eq!(*end.get_or_insert_with(|| after.clone()), after, "{name}: the end is another");
            // Before it is done, and after.
            for nth in [1, 2] {
                start(&machine, &example, at)?;
                let killed = apply_killed(&machine, &step, nth)?;
                assert_eq!(killed.code, 137, "{name}: not killed: {}{}", killed.stdout, killed.stderr);
                ends(&name, apply(&machine, &step, &["--text"])?, 0, "");
                assert_eq!(
                    machine.sh(STATE)?.success()?.stdout,
                    after,
                    "{name}: killed at {nth}, the end is another"
                );
            }
        }
    }
    Ok(())
}

/// Texts that would end a string, a statement, or the client's patience.
fn hostile() -> Vec<String> {
    let long = "x'\\".repeat(4000);
    let fixed = [
        "'",
        "''",
        "'''",
        "\\",
        "\\\\",
        "\\'",
        "'\\",
        "\\''; DROP TABLE law; --",
        "'; DROP TABLE law; --",
        "\"; DROP TABLE law; --",
        "`; DROP TABLE law; --",
        "');DROP TABLE law;#",
        "/* ",
        "*/",
        "-- ",
        "#",
        "; ",
        "\\! touch /tmp/pwned",
        "\n\\! touch /tmp/pwned\n",
        "\n\\. /etc/passwd\n",
        "\nsystem touch /tmp/pwned\n",
        "\nsource /etc/passwd\n",
        "\ndelimiter //\n",
        "\nDELIMITER ;;\n",
        "\\q",
        "\\c",
        "\\g",
        "\\copy law to '/tmp/pwned'",
        "\n\\o /tmp/pwned\n",
        ":law",
        ":'DBNAME'",
        ":\"USER\"",
        ":{?x}",
        "$$",
        "$a$",
        "$$; DROP TABLE law; $$",
        "E'\\''",
        "%s%n",
        "${HOME}",
        "$(touch /tmp/pwned)",
        "`touch /tmp/pwned`",
        "\t",
        "\n",
        "\r\n",
        "a\u{a0}b",
        "é",
        "日本語",
        "🐄",
        "\u{202e}",
        "\u{feff}",
        "\u{ff07}; DROP TABLE law; --",
        "ʼ",
        "%27; DROP TABLE law; --",
        "\u{1}\u{1b}[31m",
        "NULL",
        "COPY law FROM stdin;\n\\.\n",
        "@secret",
        "{{ x }}",
        " leading and trailing ",
        "",
    ];
    fixed.into_iter().map(str::to_owned).chain([long]).collect()
}

#[test]
fn hostile_texts_are_texts_to_real_servers() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = servers(&lab, "dahostile")?;
    let texts = hostile();
    assert!(texts.len() > 50);
    for engine in ["postgres", "mariadb"] {
        let rows: String = texts
            .iter()
            .enumerate()
            .map(|(at, text)| format!("INSERT INTO law VALUES ({at}, '{}');\n", text.replace('\'', "''")))
            .collect();
        for step in [
            json!({"do": "database", "engine": engine, "name": "lawdata"}),
            json!({"do": "sql", "engine": engine, "database": "lawdata", "sql": format!("CREATE TABLE law (at int, name text);\n{rows}"),
                   "unless": "SELECT count(*) = 1 FROM information_schema.tables WHERE table_name = 'law'"}),
        ] {
            ends(engine, apply(&machine, &plan(&step), &["--text"])?, 0, " 1 changed");
        }
        let read = match engine {
            "postgres" => {
                "cd /; runuser -u postgres -- psql -qXAtd lawdata -c \"SELECT encode(convert_to(name, 'UTF8'), 'hex') FROM law ORDER BY at\""
            }
            _ => {
                "mariadb --default-character-set=utf8mb4 -rNe 'SELECT lower(hex(name)) FROM lawdata.law ORDER BY at'"
            }
        };
        let kept = machine.sh(read)?.success()?.stdout;
        let hex = |text: &String| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        let wanted: Vec<String> = texts.iter().map(hex).collect();
        assert_eq!(kept.lines().collect::<Vec<_>>(), wanted, "{engine}");
        // As a question, each finds itself alone.
        for text in texts.iter().filter(|text| text.trim_end() == *text) {
            let question =
                format!("SELECT count(*) > 0 FROM law WHERE name = '{}'", text.replace('\'', "''"));
            let step = json!({"do": "sql", "engine": engine, "database": "lawdata", "sql": "DROP TABLE law", "unless": question});
            ends(text, apply(&machine, &plan(&step), &["--text"])?, 0, " 0 changed");
        }
    }
    machine.sh("test ! -e /tmp/pwned")?.success()?;
    Ok(())
}

#[test]
fn users_log_in_as_they_should_and_no_other_way() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = servers(&lab, "dalogin")?;
    machine.sh("useradd --system lawuser; useradd --system lawother")?.success()?;
    let passwords =
        ["simple", "it's", "a\\b", "\"quoted\"", "; DROP --", "$HOME `x`", " space ", "%s:@/#?&="];
    let log_in = |engine: &str, password: &str| -> Result<bool> {
        let argv: &[&str] = match engine {
            "postgres" => {
                &["psql", "-XAtw", "-h", "127.0.0.1", "-U", "lawuser", "-d", "lawdata", "-c", "SELECT 1"]
            }
            _ => &["mariadb", "--no-defaults", "--protocol=socket", "-ulawuser", "-e", "SELECT 1", "lawdata"],
        };
        let command = machine.command(argv).env("PGPASSWORD", password).env("MYSQL_PWD", password);
        Ok(command.output()?.code == 0)
    };
    for engine in ["postgres", "mariadb"] {
        let user = |more: Value| {
            let mut step = json!({"do": "database_user", "engine": engine, "name": "lawuser"});
            if engine == "mariadb" {
                step["grants"] = json!([{"database": "lawdata"}]);
            }
            more.as_object().into_iter().flatten().for_each(|(key, value)| step[key] = value.clone());
            step
        };
        let mut database = json!({"do": "database", "engine": engine, "name": "lawdata"});
        if engine == "postgres" {
            database["owner"] = json!("lawuser");
        }
        let socket = user(json!({"auth": "socket"}));
        for step in [
            &socket,
            &database,
            &json!({"do": "database_user", "engine": engine, "name": "lawother", "auth": "socket"}),
        ] {
            ends(engine, apply(&machine, &plan(step), &["--text"])?, 0, " 1 changed");
        }
        let client = match engine {
            "postgres" => "psql -XAtwd lawdata -c 'SELECT 1'",
            _ => "mariadb lawdata -e 'SELECT 1'",
        };
        machine.sh(&format!("cd /; runuser -u lawuser -- {client}"))?.success()?;
        let other = machine.sh(&format!("cd /; runuser -u lawother -- {client}"))?;
        assert_ne!(other.code, 0, "{engine}: another user gets into the database");
        assert!(!log_in(engine, "")?, "{engine}: nothing to show, and in");
        for password in passwords {
            let step = plan(&user(json!({"auth": "password", "password": password})));
            ends(password, apply(&machine, &step, &["--text"])?, 0, " 1 changed");
            ends(password, apply(&machine, &step, &["--text"])?, 0, " 0 changed");
            assert!(log_in(engine, password)?, "{engine}: `{password}` does not open");
            assert!(!log_in(engine, "another")?, "{engine}: another password opens");
        }
        ends(engine, apply(&machine, &plan(&socket), &["--text"])?, 0, " 1 changed");
        assert!(!log_in(engine, passwords[7])?, "{engine}: the password still opens");
    }
    Ok(())
}

#[test]
fn what_is_missing_or_refused_is_told_and_rights_that_nobody_wrote_down_go() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = servers(&lab, "damissing")?;
    let run = |step: Value, options: &[&str]| apply(&machine, &plan(&step), options);
    for engine in ["postgres", "mariadb"] {
        let sql = json!({"do": "sql", "engine": engine, "database": "lawdata", "sql": "INSERT INTO law VALUES ('x')",
                         "unless": "SELECT count(*) = 1 FROM law"});
        let output = run(sql.clone(), &[])?;
        assert!(
            output.code == 1 && said(&output).contains(&format!("there is no database `{engine}/lawdata`")),
            "{}",
            output.stdout
        );
        let database = json!({"do": "database", "engine": engine, "name": "lawdata"});
        let both: Vec<_> = [&database, &sql].into_iter().filter_map(|it| it.as_object().cloned()).collect();
        let checked = ends(engine, apply(&machine, &laws::plan(&both), &["--check", "--text"])?, 3, "");
        assert!(checked.stdout.contains("1 not known yet"), "{}", checked.stdout);
        ends(engine, run(database, &["--text"])?, 0, " 1 changed");
        let output = run(sql.clone(), &[])?;
        assert!(
            output.code == 1 && said(&output).contains("there is no table that `unless` asks"),
            "{}",
            output.stdout
        );
        // All or nothing, where the server can.
        let table = json!({"do": "sql", "engine": engine, "database": "lawdata", "sql": "CREATE TABLE law (name text)",
                           "unless": "SELECT count(*) = 1 FROM information_schema.tables WHERE table_name = 'law'"});
        ends(engine, run(table, &["--text"])?, 0, " 1 changed");
        let mut half = sql.clone();
        half["sql"] = json!("INSERT INTO law VALUES ('half'); INSERT INTO nowhere VALUES (1)");
        let output = run(half, &[])?;
        assert!(output.code == 1 && said(&output).contains("nowhere"), "{}", output.stdout);
        let none = json!({"do": "sql", "engine": engine, "database": "lawdata", "sql": "DELETE FROM law", "unless": "SELECT count(*) = 0 FROM law"});
        ends(engine, run(none, &["--text"])?, 0, " 0 changed");
        // A question can write nothing, whatever it calls.
        let before = machine.sh(STATE)?.success()?.stdout;
        let writes = match engine {
            "postgres" => {
                "SELECT set_config('transaction_read_only', 'off', false) IS NULL OR nextval('pg_temp.x') > 0"
            }
            _ => "SELECT sleep(0) FROM lawdata.law FOR UPDATE",
        };
        let mut question = sql.clone();
        question["unless"] = json!(writes);
        run(question, &["--check"])?;
        assert_eq!(machine.sh(STATE)?.success()?.stdout, before);
    }
    let user = json!({"do": "database_user", "engine": "mariadb", "name": "lawuser", "auth": "socket", "grants": [{"database": "law_a"}]});
    ends("user", run(user.clone(), &["--text"])?, 0, " 1 changed");
    machine
        .sh("mariadb -e 'CREATE ROLE lawrole; GRANT lawrole TO lawuser@localhost; GRANT SELECT ON *.* TO lawuser@localhost WITH GRANT OPTION; \
             GRANT SELECT (User) ON mysql.global_priv TO lawuser@localhost; GRANT ALL ON `law_a`.* TO lawuser@localhost'")?
        .success()?;
    ends("user", run(user.clone(), &["--text"])?, 0, " 1 changed");
    let grants = machine.sh("mariadb -Nre 'SHOW GRANTS FOR lawuser@localhost'")?.success()?.stdout;
    let lines: Vec<&str> = grants.lines().collect();
    assert_eq!(lines.len(), 2, "{grants}");
    assert_eq!(lines[1], "GRANT ALL PRIVILEGES ON `law\\_a`.* TO `lawuser`@`localhost`");
    let role = json!({"do": "database_user", "engine": "postgres", "name": "lawuser", "auth": "socket"});
    machine
        .sh("cd /; runuser -u postgres -- psql -qXc 'CREATE ROLE lawuser NOLOGIN SUPERUSER'")?
        .success()?;
    ends("role", run(role.clone(), &["--text"])?, 0, " 1 changed");
    machine.sh("systemctl stop mariadb postgresql@15-main")?.success()?;
    for (step, engine) in [(user, "mariadb"), (role, "postgres")] {
        let output = run(step, &[])?;
        let told = format!("there is no running database server `{engine}`");
        assert!(output.code == 1 && said(&output).contains(&told), "{}", output.stdout);
    }
    Ok(())
}

/// Two secrets: a password, and one with all that has to be quoted somewhere.
const CANARIES: [&str; 2] = ["tweety7731", "c4n\"ary's é\\7731"];

const SECRET_STEPS: &str = r#"
{"type":"step","host":"demo","id":"canary/ENGINE/database","title":"t","do":"database","engine":"ENGINE","name":"lawdata"}
{"type":"step","host":"demo","id":"canary/ENGINE/user","title":"t","do":"database_user","engine":"ENGINE","name":"lawuser","auth":"password","password":"@secret{canary_one}","secrets":["canary_one"]}
{"type":"step","host":"demo","id":"canary/ENGINE/table","title":"t","do":"sql","engine":"ENGINE","database":"lawdata","sql":"CREATE TABLE law (name text)","unless":"SELECT count(*) = 1 FROM information_schema.tables WHERE table_name = 'law'"}
{"type":"step","host":"demo","id":"canary/ENGINE/row","title":"t","do":"sql","engine":"ENGINE","database":"lawdata","sql":"INSERT INTO law VALUES (@secret{canary_two|sql})","unless":"SELECT count(*) = 1 FROM law","secrets":["canary_two"]}
{"type":"step","host":"demo","id":"failing_ENGINE/row","title":"t","do":"sql","engine":"ENGINE","database":"lawdata","sql":"INSERT INTO law VALUES (1 + @secret{canary_two|sql}, nowhere)","unless":"SELECT count(*) = 9 FROM law","secrets":["canary_two"]}
"#;

#[test]
fn no_secret_is_in_a_server_log_in_argv_or_told() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = servers(&lab, "dasecrets")?;
    demo_inventory(&lab, &machine)?;
    machine
        .sh("cd /; runuser -u postgres -- psql -qXc \"ALTER SYSTEM SET log_statement = 'all'\" -c 'ALTER SYSTEM SET log_min_duration_statement = 0' -c 'SELECT pg_reload_conf()'
             mariadb -e \"SET GLOBAL general_log = 1, GLOBAL general_log_file = '/var/lib/mysql/general.log', GLOBAL slow_query_log = 1, GLOBAL long_query_time = 0\"")?
        .success()?;
    let yaml = json!({"canary_one": CANARIES[0], "canary_two": CANARIES[1]});
    machine
        .command(["sh", "-euc", "cd /root/paquerette/inventory && umask 077 && cat >/root/clear.yml && \
                   age -R .age-recipients -o group_vars/demo/canary.yml.age /root/clear.yml && rm /root/clear.yml"])
        .stdin(yaml.to_string())
        .output()?
        .success()?;
    let steps: String =
        ["postgres", "mariadb"].map(|engine| SECRET_STEPS.trim_start().replace("ENGINE", engine)).concat();
    machine.write("/root/steps", steps)?;
    machine.write("/root/with-steps", "awk '{ print } /^{\"type\":\"secret\"/ { while ((getline line < \"/root/steps\") > 0) print line }'\n")?;
    let watch = machine.spawn([
        "sh",
        "-c",
        "while :; do for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; echo; done; sleep 0.02; done >/root/argv 2>/dev/null",
    ])?;
    let pipe = "cd /root/paquerette && export PQ_IDENTITY=inventory/demo-identity.txt && \
                pq-inventory demo | sh /root/with-steps | pq-apply";
    let mut told = String::new();
    for options in ["--check --text -v", "--json -v", "--text -v", "--check --json -v"] {
        let output = machine.run(["bash", "-c", &format!("{pipe} {options}")])?;
        assert_ne!(output.code, 2, "{}", output.stderr);
        told.push_str(&output.stdout);
        told.push_str(&output.stderr);
    }
    assert!(told.contains("they may show a secret"), "{told}");
    drop(watch);
    // The statements did come through, as they were written.
    for rows in [
        "cd /; runuser -u postgres -- psql -qXAtd lawdata -c 'SELECT name FROM law'",
        "mariadb --default-character-set=utf8mb4 -rNe 'SELECT name FROM lawdata.law'",
    ] {
        assert_eq!(machine.sh(rows)?.success()?.stdout.trim_end(), CANARIES[1]);
    }
    let logs = machine
        .sh("cat /root/argv /var/log/postgresql/* /var/lib/mysql/*.log /var/log/mysql/* /var/lib/paquerette/journal/* \
             /var/lib/paquerette/ledger.ndjson 2>/dev/null; journalctl --no-pager -o cat")?
        .stdout;
    for there in ["pq-apply --", "statement: SELECT name FROM law", "SELECT name FROM lawdata.law"] {
        assert!(logs.contains(there), "a log was not read: no {there}");
    }
    for of_ours in ["pg_authid", "global_priv", "CREATE TABLE law"] {
        assert!(!logs.contains(of_ours), "an administrator's statement was logged: {of_ours}");
    }
    for secret in ["tweety7731", "ary's", "ary''s", "7731"] {
        for (place, text) in [("the tools", &told), ("a log", &logs)] {
            let line = text.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{place} shows `{secret}`");
        }
    }
    Ok(())
}

/// Names of the databases and users of both servers that begin with `wiki`.
const WIKIS: &str = "
    mariadb -Ne \"SELECT 'mariadb', schema_name FROM information_schema.schemata WHERE schema_name LIKE 'wiki%'
        UNION SELECT 'mariadb user', User FROM mysql.global_priv WHERE User LIKE 'wiki%'\"
    cd /; runuser -u postgres -- psql -qXAt -d postgres -c \"SELECT 'postgres', datname FROM pg_database WHERE datname LIKE 'wiki%'
        UNION SELECT 'postgres user', rolname FROM pg_roles WHERE rolname LIKE 'wiki%'\"
";

#[test]
fn databases_and_their_users_are_taken_away_with_their_data_and_not_without() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = servers(&lab, "daremove")?;
    let of = |owner: &str, steps: Value| {
        let steps = steps.as_array().into_iter().flatten().filter_map(|step| step.as_object().cloned());
        laws::plan(&steps.collect::<Vec<_>>()).replace("\"law/", &format!("\"{owner}/"))
    };
    let others = json!([{"do": "database", "engine": "postgres", "name": "wiki_old"}]);
    let wiki = json!([
        {"do": "database", "engine": "mariadb", "name": "wiki"},
        {"do": "database_user", "engine": "mariadb", "name": "wiki", "auth": "socket", "grants": [{"database": "wiki"}]},
        {"do": "sql", "engine": "mariadb", "database": "wiki", "sql": "CREATE TABLE page (name text)",
         "unless": "SELECT count(*) = 1 FROM information_schema.tables WHERE table_name = 'page'"},
        {"do": "database_user", "engine": "postgres", "name": "wiki", "auth": "socket",
         "grants": [{"database": "wiki_old", "privileges": ["connect"]}]},
        {"do": "database", "engine": "postgres", "name": "wiki", "owner": "wiki"},
        {"do": "sql", "engine": "postgres", "database": "wiki", "sql": "CREATE TABLE page (name text)",
         "unless": "SELECT count(*) = 1 FROM pg_tables WHERE tablename = 'page'"}
    ]);
    ends("another's", apply(&machine, &of("old", others), &["--text"])?, 0, "1 changed");
    ends("wiki", apply(&machine, &of("wiki", wiki), &["--text"])?, 0, "6 changed");
    let all = machine.sh(WIKIS)?.success()?.stdout;
    assert_eq!(all.lines().count(), 5, "{all}");
    let kept = of("wiki", json!([{"do": "remove", "owner": "wiki"}]));
    ends("without its data", apply(&machine, &kept, &["--text"])?, 0, "");
    assert_eq!(machine.sh(WIKIS)?.success()?.stdout, all);
    let gone = of("wiki", json!([{"do": "remove", "owner": "wiki", "with_data": true}]));
    // A client that is still there is not thrown out.
    let client = machine.spawn([
        "sh",
        "-c",
        "cd /; exec runuser -u postgres -- psql -qd wiki -c 'SELECT pg_sleep(600)'",
    ])?;
    machine.sh("until cd / && runuser -u postgres -- psql -XAtc 'SELECT query FROM pg_stat_activity' | grep -q sleep; do sleep 0.1; done")?;
    let refused = apply(&machine, &gone, &["--text"])?;
    ends("in use", refused, 1, "is being accessed by other users");
    client.kill();
    machine.sh("cd /; runuser -u postgres -- psql -qXc \"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'wiki'\"")?;
    ends("with its data", apply(&machine, &gone, &["--text"])?, 0, "1 changed");
    assert_eq!(machine.sh(WIKIS)?.success()?.stdout.trim(), "postgres|wiki_old");
    ends("once more", apply(&machine, &gone, &["--text"])?, 0, " 0 changed");
    Ok(())
}

#[test]
fn a_server_whose_root_has_a_password_is_reached_by_roots_own_file() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = servers(&lab, "daroot")?;
    let step = plan(&json!({"do": "database", "engine": "mariadb", "name": "wiki"}));
    machine.sh("mariadb -e \"ALTER USER root@localhost IDENTIFIED VIA mysql_native_password USING PASSWORD('it''s #1 \\\"new\\\"')\"")?.success()?;
    // Without it nobody is let in, and the message says what helps.
    let refused = ends("no file", apply(&machine, &step, &["--text"])?, 1, "error 1045");
    assert!(refused.stdout.contains("`/root/.my.cnf` has it below `[client]`"), "{}", refused.stdout);
    let own = "[client]\nuser = root\npassword = \"it's #1 \\\"new\\\"\"\n";
    machine.write("/root/.my.cnf", own)?;
    // One that others may write says nothing.
    machine.sh("chmod 0622 /root/.my.cnf")?.success()?;
    ends("a file of others", apply(&machine, &step, &["--text"])?, 1, "error 1045");
    machine.sh("chmod 0600 /root/.my.cnf; mariadb -e 'SELECT 1'")?.success()?;
    ends("by the file", apply(&machine, &step, &["--text"])?, 0, "1 changed");
    ends("once more", apply(&machine, &step, &["--text"])?, 0, " 0 changed");
    // A password that is not the right one any more: the server's word, and the file's name.
    machine.write("/root/.my.cnf", "[client]\npassword = Unheard-0f\n")?;
    let old = ends("an old password", apply(&machine, &step, &["--text"])?, 1, "as `/root/.my.cnf` says");
    let told = format!("{}{}{}", old.stdout, old.stderr, machine.sh("journalctl --no-pager; cat /var/lib/paquerette/*/* /var/lib/paquerette/*.ndjson 2>/dev/null; true")?.stdout);
    assert!(!told.contains("Unheard-0f"), "{told}");
    // Where the socket tells who asks again, an old file is in nobody's way; a user of another name is taken at its word.
    machine.write("/root/.my.cnf", own)?;
    let back = "mariadb -e \"CREATE USER admin@localhost IDENTIFIED BY 'other'; GRANT ALL ON *.* TO admin@localhost WITH GRANT OPTION; \
                ALTER USER root@localhost IDENTIFIED VIA unix_socket\"";
    machine.sh(back)?.success()?;
    ends("by the socket", apply(&machine, &step, &["--text"])?, 0, " 0 changed");
    machine.write("/root/.my.cnf", "[client]\nuser = admin\npassword = other\n")?;
    ends("another user", apply(&machine, &step, &["--text"])?, 0, " 0 changed");
    let who = "journalctl -u mariadb --no-pager | grep -c 'Access denied for user .admin' || true";
    assert_eq!(machine.sh(who)?.text(), "0");
    Ok(())
}
