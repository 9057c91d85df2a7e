//! What particular step types promise beyond the laws, on the machine in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use pq_steps::ledger::{Thing, ThingKind};
use pq_steps::{AbsPath, AnyStep, Check, Error, Probe};
use pq_testkit::laws;
use pq_testkit::memory::MemoryMachine;
use serde_json::{Value, json};

/// A public key that nobody has the private one of.
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGxhdyBvZiB0aGUgbGFuZCwgYSBrZXkgb2Ygbm9ib2R5";

fn step(fields: Value) -> AnyStep {
    let Value::Object(mut body) = fields else { panic!("no object") };
    let kind = body.remove("do").unwrap();
    AnyStep::read(kind.as_str().unwrap(), &body).unwrap()
}

fn check(machine: &MemoryMachine, fields: Value) -> Result<Check, Error> {
    step(fields).converge().check(machine)
}

fn apply(machine: &mut MemoryMachine, fields: Value) -> Result<(), Error> {
    step(fields).converge().apply(machine)
}

fn text(machine: &MemoryMachine, path: &str) -> Option<String> {
    let bytes = machine.read(&AbsPath::new(path).unwrap()).unwrap()?;
    Some(String::from_utf8(bytes).unwrap())
}

fn mode(machine: &MemoryMachine, path: &str) -> String {
    machine.stat(&AbsPath::new(path).unwrap()).unwrap().unwrap().mode.to_string()
}

/// The first example of a type.
fn example(kind: &str) -> (Value, MemoryMachine) {
    let example = laws::examples().unwrap().into_iter().find(|example| example.kind() == kind).unwrap();
    let machine = example.machines().unwrap().remove(0);
    (Value::Object(example.step), machine)
}

#[test]
fn a_machine_of_another_system_is_told_from_the_right_one() {
    let error = check(&laws::machine(), json!({"do": "assert", "os": "debian-13"})).unwrap_err();
    assert_eq!(error.to_string(), "the plan is for `debian-13`: this machine runs `debian-12`");
    let error = check(&laws::machine(), json!({"do": "assert", "mount": "/srv"})).unwrap_err();
    assert!(error.to_string().starts_with("nothing is mounted on `/srv`"), "{error}");
}

#[test]
fn a_copy_leaves_what_people_wrote_and_what_is_extra() {
    let (fields, mut machine) = example("copy");
    apply(&mut machine, fields.clone()).unwrap();
    machine.put("/srv/law/copy/to/seed.txt", "mine\n");
    machine.put("/srv/law/copy/to/extra.conf", "mine\n");
    machine.put("/srv/law/copy/from/defaults.conf", "fresher\n");
    assert!(matches!(check(&machine, fields.clone()), Ok(Check::Differs(found)) if found.len() == 1));
    apply(&mut machine, fields.clone()).unwrap();
    assert_eq!(check(&machine, fields), Ok(Check::InSync));
    assert_eq!(text(&machine, "/srv/law/copy/to/seed.txt").as_deref(), Some("mine\n"));
    assert_eq!(text(&machine, "/srv/law/copy/to/extra.conf").as_deref(), Some("mine\n"));
    assert_eq!(text(&machine, "/srv/law/copy/to/defaults.conf").as_deref(), Some("fresher\n"));
}

#[test]
fn a_directory_that_a_copy_makes_keeps_to_the_group_of_the_one_it_is_in() {
    let (fields, mut machine) = example("copy");
    let to = json!({"do": "directory", "path": "/srv/law/copy/to", "mode": "2750", "group": "www-data"});
    apply(&mut machine, to).unwrap();
    apply(&mut machine, fields).unwrap();
    assert_eq!(mode(&machine, "/srv/law/copy/to/sub/empty"), "2750");
}

#[test]
fn a_copy_does_not_go_through_a_link_that_stands_in_its_way() {
    let (fields, mut machine) = example("copy");
    apply(&mut machine, json!({"do": "directory", "path": "/srv/law/copy/to"})).unwrap();
    apply(&mut machine, json!({"do": "symlink", "path": "/srv/law/copy/to/sub", "target": "/etc"})).unwrap();
    let error = apply(&mut machine, fields).unwrap_err();
    assert!(error.to_string().contains("a symbolic link stands there"), "{error}");
    assert_eq!(text(&machine, "/etc/deep.conf"), None);
}

#[test]
fn a_release_leaves_a_directory_that_it_did_not_make() {
    let (fields, mut machine) = example("release");
    machine.put("/srv/law/release/v1/index.php", "somebody's\n");
    let before = machine.snapshot();
    for error in [check(&machine, fields.clone()).unwrap_err(), apply(&mut machine, fields).unwrap_err()] {
        assert!(
            error.to_string().contains("a directory stands there that paquerette did not make"),
            "{error}"
        );
    }
    assert_eq!(machine.snapshot(), before);
}

#[test]
fn a_release_keeps_what_was_shipped_where_a_link_goes() {
    let (fields, mut machine) = example("release");
    apply(&mut machine, fields).unwrap();
    let shipped = "/srv/law/release/v1/.paquerette/shipped/data/welcome.txt";
    assert_eq!(text(&machine, shipped).as_deref(), Some("welcome\n"));
    assert_eq!(mode(&machine, "/srv/law/release/v1/bin/run"), "0755");
}

#[test]
fn a_download_with_another_digest_never_gets_its_name() {
    let (mut fields, mut machine) = example("download");
    fields["sha256"] = json!("0".repeat(64));
    let error = apply(&mut machine, fields).unwrap_err();
    assert!(error.to_string().contains("SHA-256"), "{error}");
    assert_eq!(text(&machine, "/srv/law/download/hello.txt"), None);
}

#[test]
fn an_environment_waits_for_its_interpreter_and_refuses_a_foreign_directory() {
    let (fields, mut machine) = example("venv");
    let mut elsewhere = fields.clone();
    elsewhere["python"] = json!("/opt/python/bin/python3");
    assert_eq!(check(&machine, elsewhere), Err(Error::absent("program", "/opt/python/bin/python3")));
    machine.put("/srv/law/venv/env/important", "x\n");
    let error = apply(&mut machine, fields).unwrap_err();
    assert!(error.to_string().contains("paquerette did not make"), "{error}");
}

#[test]
fn an_environment_whose_python_was_replaced_is_made_anew() {
    let (fields, mut machine) = example("venv");
    apply(&mut machine, fields.clone()).unwrap();
    assert_eq!(check(&machine, fields.clone()), Ok(Check::InSync));
    machine.put("/usr/bin/python3.13", "a program\n");
    apply(&mut machine, json!({"do": "symlink", "path": "/usr/bin/python3", "target": "python3.13"}))
        .unwrap();
    assert!(matches!(check(&machine, fields), Ok(Check::Differs(_))));
}

#[test]
fn an_environment_is_not_made_where_somebody_else_can_plant_links() {
    let (fields, mut machine) = example("venv");
    let theirs = json!({"do": "directory", "path": "/srv/law/venv", "owner": "www-data"});
    apply(&mut machine, theirs).unwrap();
    let before = machine.snapshot();
    for error in [check(&machine, fields.clone()).unwrap_err(), apply(&mut machine, fields).unwrap_err()] {
        assert!(error.to_string().contains("cannot make python environment"), "{error}");
        assert!(format!("{error:?}").contains("not only root can write"), "{error:?}");
    }
    assert_eq!(machine.snapshot(), before);
}

#[test]
fn a_directory_is_unpacked_anew_for_another_archive_or_another_depth_and_somebody_elses_stays() {
    let (fields, mut machine) = example("unpack");
    apply(&mut machine, fields.clone()).unwrap();
    assert_eq!(check(&machine, fields.clone()), Ok(Check::InSync));
    // What is unpacked needs its archive no more.
    apply(&mut machine, json!({"do": "absent", "path": "/srv/law/unpack/1.tar"})).unwrap();
    assert_eq!(check(&machine, fields.clone()), Ok(Check::InSync));
    let mut deeper = fields.clone();
    deeper["strip"] = json!(0);
    let absent = Error::absent("file", "/srv/law/unpack/1.tar");
    assert_eq!(check(&machine, deeper), Err(absent.clone()));
    apply(&mut machine, json!({"do": "absent", "path": "/srv/law/unpack/app"})).unwrap();
    assert_eq!(check(&machine, fields.clone()), Err(absent));
    machine.put("/srv/law/unpack/app/index.php", "somebody's\n");
    let error = check(&machine, fields).unwrap_err();
    assert!(error.to_string().contains("a directory stands there that paquerette did not make"), "{error}");
}

#[test]
fn an_archive_with_another_digest_is_not_unpacked() {
    let (mut fields, mut machine) = example("unpack");
    fields["sha256"] = json!("0".repeat(64));
    let error = apply(&mut machine, fields).unwrap_err();
    assert!(error.to_string().contains("SHA-256"), "{error}");
    assert_eq!(text(&machine, "/srv/law/unpack/app/VERSION"), None);
}

#[test]
fn a_certificate_is_renewed_when_two_thirds_of_its_life_are_over() {
    let (fields, mut machine) = example("certificate");
    apply(&mut machine, fields.clone()).unwrap();
    let days = |days: u64| Duration::from_secs(days * 86_400);
    machine.wait(days(264));
    assert_eq!(check(&machine, fields.clone()), Ok(Check::InSync));
    machine.wait(days(1));
    let Ok(Check::Differs(found)) = check(&machine, fields.clone()) else { panic!("not due") };
    assert_eq!(found[0].is.as_deref(), Some("two thirds over"));
    apply(&mut machine, fields.clone()).unwrap();
    assert_eq!(check(&machine, fields), Ok(Check::InSync));
}

/// A machine that serves a copy of the operator's own pair for a name, and has a pair of its own authority beside; what asks for a public one.
fn with_own_pair(name: &str) -> (MemoryMachine, Value) {
    let mut machine = laws::machine();
    let tls = "/etc/paquerette/tls/law";
    let pair = |chain: &str, key: &str| json!({"do": "certificate", "names": [name], "chain": chain, "key": key, "authority": "/etc/law"});
    for fields in [
        json!({"do": "directory", "path": "/etc/paquerette/tls"}),
        json!({"do": "directory", "path": tls, "mode": "0700"}),
        json!({"do": "directory", "path": "/var/www/acme/.well-known/acme-challenge"}),
        pair("/etc/own.pem", "/etc/own.key"),
        json!({"do": "tls", "path": tls, "names": [name], "chain": "/etc/own.pem", "key": "/etc/own.key", "required": true}),
        json!({"do": "directory", "path": format!("{tls}/local"), "mode": "0700"}),
        pair(&format!("{tls}/local/chain.pem"), &format!("{tls}/local/key.pem")),
    ] {
        apply(&mut machine, fields).unwrap();
    }
    let acme = json!({"do": "acme", "name": "law", "names": [name], "path": tls, "directory": "https://acme.law.test/dir", "webroot": "/var/www/acme"});
    (machine, acme)
}

#[test]
fn the_operators_pair_goes_on_while_a_public_one_is_pending_until_it_ends() {
    let (mut machine, acme) = with_own_pair("a.other.test");
    let own = text(&machine, "/etc/own.pem");
    let served = "/etc/paquerette/tls/law/chain.pem";
    let before = AbsPath::new("/etc/paquerette/tls/law/before").unwrap();
    for path in ["/etc/own.pem", "/etc/own.key"] {
        apply(&mut machine, json!({"do": "absent", "path": path})).unwrap();
    }
    apply(&mut machine, acme.clone()).unwrap();
    assert_eq!(check(&machine, acme.clone()), Ok(Check::InSync));
    assert_eq!(text(&machine, served), own);
    let told = step(acme.clone()).converge().notice(&machine).unwrap().unwrap();
    assert!(
        told.message.contains("pending: the site goes on with the operator's own, which is good until 2"),
        "{told}"
    );

    let mut other = machine.clone();
    let mut names = acme.clone();
    names["names"] = json!(["a.other.test", "b.other.test"]);
    apply(&mut other, names).unwrap();
    assert_ne!(text(&other, served), own, "it is for one of two names");

    machine.wait(Duration::from_secs(398 * 86_400));
    apply(&mut machine, acme.clone()).unwrap();
    assert_eq!(text(&machine, served), text(&machine, "/etc/paquerette/tls/law/local/chain.pem"));
    assert_eq!(machine.stat(&before), Ok(None));
    let told = step(acme).converge().notice(&machine).unwrap().unwrap();
    assert!(told.message.ends_with("served with one of the machine's own authority"), "{told}");
}

#[test]
fn a_pair_of_ones_own_that_cannot_be_served_is_told_with_its_cure() {
    let mut machine = laws::machine();
    let tls = json!({"do": "tls", "path": "/etc/law", "names": ["a.law.test"], "chain": "/etc/own.pem", "key": "/etc/own.key", "required": true});
    let told = |machine: &MemoryMachine| check(machine, tls.clone()).unwrap_err().into_diagnostic();
    let said = told(&machine);
    assert_eq!(said.message, "there is no file `/etc/own.pem`");
    assert!(said.hints[0].contains("correct `tls_chain` of the instance"), "{said}");
    let chain =
        |of: &str| format!("certificate in memory\n{of}not before: 0\nnot after: 9000000000\nkey: 7\n");
    machine.put("/etc/own.pem", chain("common name: a.law.test\n"));
    let said = told(&machine);
    assert_eq!(said.message, "there is no file `/etc/own.key`");
    assert!(said.hints[0].contains("mode 0600, or correct `tls_key`"), "{said}");
    machine.put("/etc/own.key", "key: 7\n");
    let said = told(&machine);
    assert_eq!(
        said.causes,
        [
            "`/etc/own.pem` has no DNS name as subjectAltName, only the common name `a.law.test`, by which browsers take none"
        ]
    );
    assert!(said.hints[1].contains("subjectAltName=DNS:a.law.test"), "{said}");
    machine.put("/etc/own.pem", chain("names: b.law.test\n"));
    assert_eq!(told(&machine).causes, ["`/etc/own.pem` is for b.law.test, and not for `a.law.test`"]);
}

#[test]
fn a_public_certificate_takes_the_place_of_the_operators() {
    let (mut machine, acme) = with_own_pair("a.law.test");
    let own = text(&machine, "/etc/own.pem");
    let live = "/etc/letsencrypt/live/law";
    let tls = json!({"do": "tls", "path": "/etc/paquerette/tls/law", "names": ["a.law.test"],
                     "chain": format!("{live}/fullchain.pem"), "key": format!("{live}/privkey.pem")});
    apply(&mut machine, tls.clone()).unwrap();
    assert_eq!(text(&machine, "/etc/paquerette/tls/law/chain.pem"), own);
    apply(&mut machine, acme.clone()).unwrap();
    assert_eq!(
        text(&machine, "/etc/paquerette/tls/law/chain.pem"),
        text(&machine, &format!("{live}/fullchain.pem"))
    );
    assert_eq!(machine.stat(&AbsPath::new("/etc/paquerette/tls/law/before").unwrap()), Ok(None));
    assert_eq!((check(&machine, tls), check(&machine, acme)), (Ok(Check::InSync), Ok(Check::InSync)));
}

#[test]
fn a_line_with_a_secret_closes_its_file_to_others() {
    let mut machine = laws::machine();
    machine.put("/etc/app.conf", "user=x\npass=old\n");
    let mut line =
        step(json!({"do": "line", "path": "/etc/app.conf", "line": "pass=@secret{pw}", "starts": "pass="}));
    line.texts()[0].fill("pass=new".to_owned());
    line.converge().apply(&mut machine).unwrap();
    assert_eq!(text(&machine, "/etc/app.conf").as_deref(), Some("user=x\npass=new\n"));
    assert_eq!(mode(&machine, "/etc/app.conf"), "0640");
    line.texts()[0].fill("pass=two\nlines".to_owned());
    assert!(line.converge().check(&machine).unwrap_err().to_string().contains("holds a line end"));
}

#[test]
fn a_missing_file_is_absent_for_a_line_and_a_link_is_refused() {
    let mut machine = laws::machine();
    let fields = json!({"do": "line", "path": "/etc/app.conf", "line": "a"});
    assert_eq!(check(&machine, fields.clone()), Err(Error::absent("file", "/etc/app.conf")));
    apply(&mut machine, json!({"do": "symlink", "path": "/etc/app.conf", "target": "hostname"})).unwrap();
    assert!(matches!(check(&machine, fields), Err(Error::Failed(_))));
}

#[test]
fn a_health_check_waits_and_then_says_what_came_last() {
    let mut machine = laws::machine();
    machine.answer("https://wiki.test/", 502, "bad gateway", None, 0);
    let error =
        apply(&mut machine, json!({"do": "http", "url": "https://wiki.test/", "timeout": 1})).unwrap_err();
    assert_eq!(error.to_string(), "no right answer from `https://wiki.test/` in 1 s: status: 502, not 200");
    machine.answer("https://wiki.test/", 200, "hello", None, 2);
    assert_eq!(
        apply(&mut machine, json!({"do": "http", "url": "https://wiki.test/", "body": "ell"})),
        Ok(())
    );
}

#[test]
fn a_command_that_fails_says_its_status_and_last_words() {
    let mut machine = laws::machine();
    let fields = json!({"do": "command", "argv": ["touch", "/none/x"], "creates": "/none/x"});
    let error = apply(&mut machine, fields).unwrap_err().to_string();
    assert!(error.starts_with("`touch /none/x` failed: exit status 1: touch: cannot touch"), "{error}");
    let unless = json!({"do": "command", "argv": ["true"], "unless": ["occ", "status"]});
    assert_eq!(check(&machine, unless), Err(Error::absent("program", "occ")));
}

#[test]
fn what_cannot_be_executed_is_refused_when_it_is_read() {
    let digest = "0a".repeat(32);
    for fields in [
        json!({"do": "assert"}),
        json!({"do": "absent", "path": "/etc"}),
        json!({"do": "line", "path": "/etc/x", "line": "a\nb"}),
        json!({"do": "line", "path": "/etc/x", "line": "a", "starts": "b"}),
        json!({"do": "copy", "from": "/srv/a", "to": "/srv/a/b"}),
        json!({"do": "copy", "from": "/srv/a", "to": "/srv/b", "fresh": ["a{"]}),
        json!({"do": "command", "argv": ["true"]}),
        json!({"do": "command", "argv": [], "creates": "/x"}),
        json!({"do": "command", "argv": ["echo", "@secret{pw}"], "creates": "/x"}),
        json!({"do": "command", "argv": ["true"], "creates": "/x", "env": {"A=B": "c"}}),
        json!({"do": "download", "url": "ftp://h/x", "sha256": digest, "path": "/srv/x"}),
        json!({"do": "download", "url": "https://u:p@h/x", "sha256": digest, "path": "/srv/x"}),
        json!({"do": "release", "path": "/srv", "url": "https://h/x", "sha256": digest}),
        json!({"do": "release", "path": "/srv/r", "url": "https://h/x", "sha256": digest, "links": {"../x": "y"}}),
        json!({"do": "release", "path": "/srv/r", "url": "https://h/x", "sha256": digest, "links": {"a": "x", "a/b": "y"}}),
        json!({"do": "unpack", "archive": "/a.zip", "into": "/srv"}),
        json!({"do": "unpack", "archive": "/a.zip", "into": "/srv/x", "sha256": "0A"}),
        json!({"do": "unpack", "archive": "/srv/x/a.zip", "into": "/srv/x"}),
        json!({"do": "unpack", "archive": "/a.zip", "into": "/srv/x", "mode": "0775"}),
        json!({"do": "unpack", "archive": "/a.zip", "into": "/srv/x", "owner": "www-data"}),
        json!({"do": "venv", "path": "/srv/v", "requirements": "radicale"}),
        json!({"do": "certificate", "names": ["*.x.test"], "chain": "/a", "key": "/b", "authority": "/c"}),
        json!({"do": "http", "url": "https://h/", "status": 99}),
        json!({"do": "authorized_key", "user": "anna", "key": "ssh-ed25519 AAAA"}),
        json!({"do": "authorized_key", "user": "anna", "key": KEY, "options": "no-such"}),
        json!({"do": "authorized_key", "user": "anna", "key": KEY, "options": "pty", "state": "absent"}),
        json!({"do": "authorized_key", "user": "-anna", "key": KEY}),
        json!({"do": "apache_module", "name": "../x"}),
        json!({"do": "site", "server": "caddy", "name": "x"}),
        json!({"do": "site", "server": "nginx", "name": "a/b"}),
        json!({"do": "site", "server": "apache2", "name": "x.conf"}),
        json!({"do": "sysctl", "name": "net.*.x", "value": "1"}),
        json!({"do": "sysctl", "name": "vm.swappiness", "value": "1\nvm.x=2"}),
        json!({"do": "sysctl", "name": "vm.swappiness", "value": "@secret{pw}"}),
        json!({"do": "database", "engine": "mysql", "name": "x"}),
        json!({"do": "database", "engine": "postgres", "name": "x\"; DROP"}),
        json!({"do": "database", "engine": "postgres", "name": "template1"}),
        json!({"do": "database", "engine": "postgres", "name": "x", "owner": "x'"}),
        json!({"do": "database", "engine": "postgres", "name": "x", "collation": "C'; --"}),
        json!({"do": "database", "engine": "postgres", "name": "x", "charset": "UTF8"}),
        json!({"do": "database", "engine": "mariadb", "name": "x", "owner": "x"}),
        json!({"do": "database", "engine": "mariadb", "name": "x", "charset": "latin1"}),
        json!({"do": "database", "engine": "mariadb", "name": "x", "collation": "utf8mb4_x;"}),
        json!({"do": "database_user", "engine": "mariadb", "name": "root", "auth": "socket"}),
        json!({"do": "database_user", "engine": "mariadb", "name": "x", "auth": "password"}),
        json!({"do": "database_user", "engine": "mariadb", "name": "x", "auth": "password", "password": ""}),
        json!({"do": "database_user", "engine": "mariadb", "name": "x", "auth": "socket", "password": "y"}),
        json!({"do": "database_user", "engine": "mariadb", "name": "x", "auth": "socket", "grants": [{"database": "y`"}]}),
        json!({"do": "database_user", "engine": "mariadb", "name": "x", "auth": "socket", "grants": [{"database": "y", "privileges": ["super"]}]}),
        json!({"do": "database_user", "engine": "mariadb", "name": "x", "auth": "socket", "from": "%"}),
        json!({"do": "database_user", "engine": "mariadb", "name": "@secret{x}", "auth": "socket"}),
        json!({"do": "database_user", "engine": "postgres", "name": "x", "auth": "socket", "grants": [{"database": "y", "privileges": ["select"]}]}),
        json!({"do": "sql", "engine": "postgres", "database": "x", "sql": "", "unless": "SELECT 1"}),
        json!({"do": "sql", "engine": "postgres", "database": "x", "sql": "SELECT 1", "unless": "DELETE FROM y"}),
        json!({"do": "sql", "engine": "postgres", "database": "x", "sql": "SELECT 1", "unless": "SELECT 1; SELECT 1"}),
        json!({"do": "sql", "engine": "postgres", "database": "x", "sql": "SELECT 1", "unless": "SELECT 1 INTO y"}),
        json!({"do": "sql", "engine": "postgres", "database": "x", "sql": "SELECT 'a", "unless": "SELECT 1"}),
        json!({"do": "sql", "engine": "postgres", "database": "x", "sql": "SELECT 1; COMMIT", "unless": "SELECT 1"}),
        json!({"do": "sql", "engine": "mariadb", "database": "x", "sql": "delimiter //", "unless": "SELECT 1"}),
        json!({"do": "sql", "engine": "mariadb", "database": "x", "sql": "SELECT 1", "unless": "SELECT '@secret{x}'"}),
    ] {
        let Value::Object(mut body) = fields.clone() else { panic!("no object") };
        let kind = body.remove("do").unwrap();
        assert!(AnyStep::read(kind.as_str().unwrap(), &body).is_err(), "{fields}");
    }
}

#[test]
fn what_a_database_step_leans_on_is_absent_until_it_is_there() {
    let absent = |machine: &MemoryMachine, fields: &Value| match check(machine, fields.clone()) {
        Err(Error::Absent(absent)) => absent.to_string(),
        other => format!("{other:?}"),
    };
    for (engine, package, socket) in [
        ("postgres", "postgresql", "/run/postgresql/.s.PGSQL.5432"),
        ("mariadb", "mariadb-server", "/run/mysqld/mysqld.sock"),
    ] {
        let none = format!("there is no running database server `{engine}`");
        let database = json!({"do": "database", "engine": engine, "name": "wiki"});
        let thing = Thing::new(ThingKind::Database, format!("{engine}/wiki"));
        let sql = json!({"do": "sql", "engine": engine, "database": "wiki", "sql": "INSERT INTO law VALUES ('x')",
                         "unless": "SELECT count(*) = 1 FROM law WHERE name = 'x'"});
        let mut machine = laws::machine();
        assert_eq!(absent(&machine, &database), none);
        assert_eq!(thing.is_there(&machine), Ok(false));
        apply(&mut machine, json!({"do": "package", "names": [package]})).unwrap();
        assert_eq!(absent(&machine, &sql), format!("there is no database `{engine}/wiki`"));
        let mut as_user = sql.clone();
        as_user["user"] = json!("www-data");
        assert_eq!(thing.is_there(&machine), Ok(false));
        apply(&mut machine, database.clone()).unwrap();
        assert_eq!(thing.is_there(&machine), Ok(true));
        assert_eq!(absent(&machine, &as_user), format!("there is no database user `{engine}/www-data`"));
        let told = absent(&machine, &sql);
        assert_eq!(told, format!("there is no table that `unless` asks in database `{engine}/wiki`"));
        // A server that is stopped still has its databases: nobody may think that there are none.
        apply(&mut machine, json!({"do": "absent", "path": socket})).unwrap();
        assert_eq!(absent(&machine, &database), none);
        assert!(thing.is_there(&machine).is_err());
    }
    let mut machine = laws::machine();
    apply(&mut machine, json!({"do": "package", "names": ["postgresql"]})).unwrap();
    let owned = json!({"do": "database", "engine": "postgres", "name": "wiki", "owner": "wiki"});
    assert_eq!(absent(&machine, &owned), "there is no database user `postgres/wiki`");
    assert_eq!(Thing::new(ThingKind::DatabaseUser, "postgres/wiki").is_there(&machine), Ok(false));
    apply(
        &mut machine,
        json!({"do": "database_user", "engine": "postgres", "name": "wiki", "auth": "socket"}),
    )
    .unwrap();
    assert_eq!(Thing::new(ThingKind::DatabaseUser, "postgres/wiki").is_there(&machine), Ok(true));
}

#[test]
fn what_is_fixed_when_a_database_is_made_is_not_tried_to_be_changed() {
    let mut machine = laws::machine();
    apply(&mut machine, json!({"do": "package", "names": ["postgresql"]})).unwrap();
    let fields = |collation: &str| json!({"do": "database", "engine": "postgres", "name": "wiki", "collation": collation});
    apply(&mut machine, fields("fr_FR.UTF-8")).unwrap();
    assert_eq!(check(&machine, fields("fr_FR.utf8")), Ok(Check::InSync));
    assert_eq!(
        check(&machine, json!({"do": "database", "engine": "postgres", "name": "wiki"})),
        Ok(Check::InSync)
    );
    let error = check(&machine, fields("C.UTF-8")).unwrap_err().to_string();
    assert!(error.contains("its collation is `fr_FR.UTF-8`, not `C.UTF-8`"), "{error}");
}

#[test]
fn a_question_that_answers_neither_yes_nor_no_is_a_failure() {
    let (mut fields, mut machine) = example("sql");
    for name in ["a", "b"] {
        let mut row = fields.clone();
        row["sql"] = json!(format!("INSERT INTO law VALUES ('{name}')"));
        apply(&mut machine, row).unwrap();
    }
    fields["unless"] = json!("SELECT count(*) FROM law");
    let error = check(&machine, fields).unwrap_err();
    assert!(error.to_string().contains("`unless` answers neither"), "{error}");
}

#[test]
fn an_environment_stays_where_pip_fails_and_its_leftover_is_seen() {
    let (fields, mut machine) = example("venv");
    apply(&mut machine, fields.clone()).unwrap();
    let before = machine.snapshot();
    let mut other = fields.clone();
    other["requirements"] = json!(format!("law-hello==1.0 --hash=sha256:{}\n", "0a".repeat(32)));
    let error = apply(&mut machine, other).unwrap_err().to_string();
    assert!(error.contains("DO NOT MATCH THE HASHES"), "{error}");
    assert_eq!(machine.snapshot(), before);
    assert_eq!(check(&machine, fields.clone()), Ok(Check::InSync));
    machine.put("/srv/law/venv/.tmp-env.old/pyvenv.cfg", "home = /usr/bin\n");
    let Ok(Check::Differs(found)) = check(&machine, fields.clone()) else { panic!("not seen") };
    assert_eq!(found[0].what, "/srv/law/venv/.tmp-env.old");
    apply(&mut machine, fields).unwrap();
    assert_eq!(machine.snapshot(), before);
}

#[test]
fn an_account_of_a_person_is_not_taken_over() {
    let mut machine = laws::machine();
    apply(&mut machine, json!({"do": "group", "name": "anna", "system": false})).unwrap();
    apply(&mut machine, json!({"do": "user", "name": "anna", "system": false, "shell": "/bin/bash"}))
        .unwrap();
    let before = machine.snapshot();
    for kind in ["user", "group"] {
        let fields = json!({"do": kind, "name": "anna"});
        for error in
            [check(&machine, fields.clone()).unwrap_err(), apply(&mut machine, fields.clone()).unwrap_err()]
        {
            let expected = format!("cannot use {kind} `anna` for a service: it exists with the number 1000");
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
    }
    assert_eq!(machine.snapshot(), before);
}

#[test]
fn a_membership_that_nobody_wrote_down_is_seen_and_taken_away() {
    let (fields, mut machine) = example("user");
    apply(&mut machine, fields.clone()).unwrap();
    let groups = text(&machine, "/etc/group").unwrap();
    machine.put("/etc/group", format!("{groups}sudo:x:27:root,lawuser\n"));
    let Ok(Check::Differs(found)) = check(&machine, fields.clone()) else { panic!("not seen") };
    assert_eq!((found[0].what.as_str(), found[0].is.as_deref()), ("member of", Some("sudo")));
    apply(&mut machine, fields).unwrap();
    assert_eq!(text(&machine, "/etc/group").unwrap(), format!("{groups}sudo:x:27:root\n"));
    apply(&mut machine, json!({"do": "user", "name": "lawuser"})).unwrap();
    assert!(!text(&machine, "/etc/group").unwrap().replace("lawuser:x", "").contains("lawuser"));
}

#[test]
fn a_locale_that_the_system_does_not_know_leaves_the_list_alone() {
    let (_, mut machine) = example("locale");
    let list = text(&machine, "/etc/locale.gen");
    let fields = json!({"do": "locale", "names": ["fr_FR.UTF-8", "fr_ZZ.UTF-8"]});
    for error in [check(&machine, fields.clone()).unwrap_err(), apply(&mut machine, fields).unwrap_err()] {
        assert!(error.to_string().starts_with("cannot generate locale `fr_ZZ.UTF-8`"), "{error}");
    }
    assert_eq!(text(&machine, "/etc/locale.gen"), list);
}

#[test]
fn a_copy_refuses_a_link_that_leads_out() {
    for target in ["/etc/shadow", "../../x", "deep.conf/../../..", "../../../../etc/shadow"] {
        let (fields, mut machine) = example("copy");
        let link = json!({"do": "symlink", "path": "/srv/law/copy/from/sub/out", "target": target});
        apply(&mut machine, link).unwrap();
        for error in [check(&machine, fields.clone()).unwrap_err(), apply(&mut machine, fields).unwrap_err()]
        {
            assert!(error.to_string().contains("which is not in what is copied"), "{target}: {error}");
        }
        assert_eq!(machine.stat(&AbsPath::new("/srv/law/copy/to/sub/out").unwrap()), Ok(None));
    }
    let (fields, mut machine) = example("copy");
    let link = json!({"do": "symlink", "path": "/srv/law/copy/from/sub/in", "target": "../defaults.conf"});
    apply(&mut machine, link).unwrap();
    apply(&mut machine, fields).unwrap();
}

#[test]
fn a_setting_that_another_file_takes_back_at_boot_is_told_and_not_set() {
    let (fields, mut machine) = example("sysctl");
    machine.put("/usr/lib/sysctl.d/99-site.conf", "net.ipv4.ip_forward = 0\n");
    let Ok(Check::Differs(found)) = check(&machine, fields.clone()) else { panic!("not seen") };
    assert!(found.iter().any(|it| it.what == "/usr/lib/sysctl.d/99-site.conf"), "{found:?}");
    let before = machine.snapshot();
    let error = apply(&mut machine, fields.clone()).unwrap_err().to_string();
    assert!(
        error.contains("`/usr/lib/sysctl.d/99-site.conf` sets it to `0` at every boot, after us"),
        "{error}"
    );
    assert_eq!(machine.snapshot(), before);
    // A file of the same name in `/etc` stands in its place; a link to nowhere takes it out.
    let masked = json!({"do": "symlink", "path": "/etc/sysctl.d/99-site.conf", "target": "/dev/null"});
    apply(&mut machine, json!({"do": "directory", "path": "/etc/sysctl.d"})).unwrap();
    apply(&mut machine, masked).unwrap();
    apply(&mut machine, fields).unwrap();
    assert_eq!(text(&machine, "/proc/sys/net/ipv4/ip_forward").as_deref(), Some("1\n"));
}

#[test]
fn a_setting_that_the_kernel_does_not_have_is_absent_and_one_that_cannot_be_kept_is_refused() {
    let mut machine = laws::machine();
    let fields = json!({"do": "sysctl", "name": "net.bridge.bridge-nf-call-iptables", "value": "1"});
    let absent = Err(Error::absent("setting of the kernel", "net.bridge.bridge-nf-call-iptables"));
    assert_eq!(check(&machine, fields.clone()), absent);
    assert_eq!(apply(&mut machine, fields), absent.map(drop));
    let error = check(&machine, json!({"do": "sysctl", "name": "net.ipv4", "value": "1"})).unwrap_err();
    assert!(error.to_string().contains("a group of settings"), "{error}");
    machine.put("/proc/sys/vm/compact_memory", "");
    apply(
        &mut machine,
        json!({"do": "file", "path": "/proc/sys/vm/compact_memory", "content": "", "mode": "0200"}),
    )
    .unwrap();
    let error =
        check(&machine, json!({"do": "sysctl", "name": "vm.compact_memory", "value": "1"})).unwrap_err();
    assert!(error.to_string().contains("no value to read"), "{error}");
}

#[test]
fn a_link_in_a_home_is_refused_and_what_it_leads_to_stays() {
    for (path, what) in [("/srv/law/home/.ssh", "directory"), ("/srv/law/home/.ssh/authorized_keys", "file")]
    {
        let (fields, mut machine) = example("authorized_key");
        if what == "file" {
            apply(&mut machine, json!({"do": "directory", "path": "/srv/law/home/.ssh"})).unwrap();
        }
        apply(&mut machine, json!({"do": "symlink", "path": path, "target": "/root"})).unwrap();
        let before = machine.snapshot();
        for error in [check(&machine, fields.clone()).unwrap_err(), apply(&mut machine, fields).unwrap_err()]
        {
            let expected = format!("cannot make {what} `{path}`: a symbolic link stands there");
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
        assert_eq!(machine.snapshot(), before);
    }
}

#[test]
fn a_home_that_sshd_does_not_trust_is_told_and_one_that_is_missing_is_absent() {
    let (fields, mut machine) = example("authorized_key");
    apply(
        &mut machine,
        json!({"do": "directory", "path": "/srv/law/home", "mode": "0775", "owner": "lawkey"}),
    )
    .unwrap();
    let error = check(&machine, fields.clone()).unwrap_err().to_string();
    assert!(error.contains("others can write to its home `/srv/law/home` (0775)"), "{error}");
    apply(&mut machine, json!({"do": "directory", "path": "/srv/law/home", "owner": "daemon"})).unwrap();
    let error = check(&machine, fields.clone()).unwrap_err().to_string();
    assert!(error.contains("its home `/srv/law/home` belongs to `daemon`"), "{error}");
    apply(&mut machine, json!({"do": "absent", "path": "/srv/law/home"})).unwrap();
    assert_eq!(check(&machine, fields), Err(Error::absent("directory", "/srv/law/home")));
    let nobody = json!({"do": "authorized_key", "user": "anna", "key": KEY});
    assert_eq!(check(&machine, nobody), Err(Error::absent("user", "anna")));
    let gone = json!({"do": "authorized_key", "user": "anna", "key": KEY, "state": "absent"});
    assert_eq!(check(&machine, gone), Ok(Check::InSync));
}

/// A machine with both web servers.
fn web() -> MemoryMachine {
    let mut machine = laws::machine();
    apply(&mut machine, json!({"do": "package", "names": ["nginx", "apache2"]})).unwrap();
    machine
}

#[test]
fn a_module_that_conflicts_with_an_enabled_one_is_told_and_not_enabled() {
    let mut machine = web();
    let prefork = json!({"do": "apache_module", "name": "mpm_prefork"});
    let Ok(Check::Differs(found)) = check(&machine, prefork.clone()) else { panic!("not seen") };
    assert!(found.iter().any(|it| it.what == "module mpm_event, which conflicts"), "{found:?}");
    let before = machine.snapshot();
    let error = apply(&mut machine, prefork.clone()).unwrap_err().to_string();
    assert!(error.contains("it conflicts with `mpm_event`"), "{error}");
    assert_eq!(machine.snapshot(), before);
    apply(&mut machine, json!({"do": "apache_module", "name": "mpm_event", "enabled": false})).unwrap();
    apply(&mut machine, prefork.clone()).unwrap();
    assert_eq!(check(&machine, prefork), Ok(Check::InSync));
    assert!(text(&machine, "/var/lib/apache2/module/disabled_by_admin/mpm_event").is_some());
    assert!(text(&machine, "/var/lib/apache2/module/enabled_by_maint/mpm_event").is_none());
}

#[test]
fn a_module_that_another_needs_stays() {
    let mut machine = web();
    apply(&mut machine, json!({"do": "apache_module", "name": "ssl"})).unwrap();
    let before = machine.snapshot();
    let error =
        apply(&mut machine, json!({"do": "apache_module", "name": "mime", "enabled": false})).unwrap_err();
    assert!(error.to_string().contains("it is needed by `ssl`"), "{error}");
    assert_eq!(machine.snapshot(), before);
}

#[test]
fn what_a_web_server_does_not_have_is_absent() {
    let mut machine = laws::machine();
    let module = json!({"do": "apache_module", "name": "law"});
    let site = json!({"do": "site", "server": "nginx", "name": "law"});
    assert_eq!(
        check(&machine, module.clone()),
        Err(Error::absent("directory", "/etc/apache2/mods-available"))
    );
    assert_eq!(check(&machine, site.clone()), Err(Error::absent("directory", "/etc/nginx/sites-available")));
    apply(&mut machine, json!({"do": "package", "names": ["nginx", "apache2"]})).unwrap();
    assert_eq!(check(&machine, module), Err(Error::absent("module of apache2", "law")));
    assert_eq!(check(&machine, site), Err(Error::absent("site", "/etc/nginx/sites-available/law")));
}

#[test]
fn an_absolute_link_to_a_site_is_right_and_a_file_in_its_place_is_told_and_stays() {
    let mut machine = web();
    let default = json!({"do": "site", "server": "nginx", "name": "default"});
    assert_eq!(check(&machine, default.clone()), Ok(Check::InSync));
    let path = "/etc/nginx/sites-enabled/default";
    apply(&mut machine, json!({"do": "absent", "path": path})).unwrap();
    machine.put(path, "server { } # mine\n");
    for enabled in [true, false] {
        let mut step = default.clone();
        step["enabled"] = json!(enabled);
        for error in [check(&machine, step.clone()).unwrap_err(), apply(&mut machine, step).unwrap_err()] {
            assert!(
                error.to_string().starts_with(&format!("cannot make link `{path}`: a file stands there")),
                "{error}"
            );
        }
    }
    assert_eq!(text(&machine, path).as_deref(), Some("server { } # mine\n"));
}

#[test]
fn a_fetched_key_with_another_fingerprint_is_never_written_and_both_are_named() {
    let mut machine = laws::machine();
    machine
        .serve("http://127.0.0.1:8087/other.asc", *include_bytes!("../../steps/src/types/openpgp/other.asc"));
    let fields = json!({"do": "apt_source", "name": "law", "uris": ["https://deb.law.test"], "suites": ["./"],
                        "key_url": "http://127.0.0.1:8087/other.asc",
                        "fingerprints": ["46C18710DB2104884875DF15FE345D380D525D11"]});
    let before = machine.snapshot();
    let error = apply(&mut machine, fields.clone()).unwrap_err().to_string();
    for part in [
        "cannot trust the key of apt source `law`",
        "`http://127.0.0.1:8087/other.asc`",
        "301BC84BDB150D123B8C6E1EE19A7197F70BB3F0",
        "wanted is 46C18710DB2104884875DF15FE345D380D525D11",
    ] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(machine.snapshot(), before);
    machine.put("/etc/apt/keyrings/law.gpg", "garbage");
    let Ok(Check::Differs(found)) = check(&machine, fields) else { panic!("not seen") };
    assert!(found[0].is.as_deref().is_some_and(|is| is.starts_with("a file that ")), "{found:?}");
}
