//! Inventories that are right but for their size: a little more than is allowed of each thing, and a little less.
//!
//! What is allowed has to stay below the limits of every case, of memory and of processor time, too.

use crate::case::Case;
use crate::sealed::encrypt;

const VARS: &str = "group_vars/all.yml";
const SEALED: &str = "group_vars/all.yml.age";

/// A case that is made when its turn has come: the memory of who starts a tool counts as the tool's.
pub type Made = fn() -> Case;

/// More than is allowed; all are errors that name the file and the line.
pub const REFUSED: &[Made] = &[
    || vars("50,001 variables", variables(50_001), "50001:1"),
    || vars("300,000 variables", variables(300_000), "100000:"),
    || vars("50,001 variables of JSON", json(50_001), "1:"),
    || vars("100,000 items", list(100_000), "100000:"),
    || vars("1,000,000 items", list(1_000_000), "100000:"),
    || vars("a million items on a line", format!("a: [{}]", "1,".repeat(1_000_000)), "1:"),
    || vars("a million lists in a list", format!("a: [{}]", "[],".repeat(1_000_000)), "1:"),
    || vars("a million maps in a list", format!("a: [{}]", "{},".repeat(1_000_000)), "1:"),
    || vars("200,000 keys in a map", map(200_000), "100000:"),
    || vars("200,000 anchors", numbered(200_000, |at| format!("k{at}: &a{at} x\n")), "100000:"),
    || vars("200,000 aliases", format!("x: &x 1\na:\n{}", "- *x\n".repeat(200_000)), "100003:"),
    || vars("200,000 merges", format!("x: &x {{y: 1}}\na:\n{}", "- <<: *x\n".repeat(200_000)), "33336:"),
    || vars("60,000 templates", numbered(60_000, |at| format!("k{at}: '{{{{ x + {at} }}}}'\n")), ""),
    || vars("a template of 600,000 letters", format!("a: \"{{{{ {} }}}}\"", "x+".repeat(300_000)), "1:"),
    || vars("a key of 1,001 letters", format!("a:\n  ? {}\n  : 1", "x".repeat(1001)), "2:"),
    || vars("a key of 5 MB", format!("? {}\n: 1", "x".repeat(5_000_000)), "1:"),
    || {
        vars(
            "100 texts of 7 MB",
            numbered(100, |at| format!("k{at:02}: \"{{{{ 'x' * 7000000 }}}}\"\n")),
            "3:1",
        )
    },
    || hosts("100,001 hosts", numbered(100_001, |at| format!("h{at}\n")), "100001:"),
    || hosts("ranges of 120,000 hosts", "a[1:60000]\nb[1:60000]\n".to_owned(), "2:"),
    || hosts("1,001 ranges of 1,000 hosts", numbered(1001, |_| "h[1:1000]\n".to_owned()), "1001:"),
    || hosts("20,000 groups", numbered(20_000, |at| format!("[g{at}]\n")), "19999:"),
    || hosts("100,001 variables of all", format!("[all:vars]\n{}", "a=1\n".repeat(100_001)), "100002:"),
    || hosts("100,001 variables of a host", format!("h{}\n", " a=1".repeat(100_001)), "1:"),
    || hosts("a list of a million items", format!("h\n[all:vars]\na=[{}]", "1,".repeat(1_000_000)), "3:"),
    || hosts("a pattern of a million ranges", "[1:1]".repeat(1_000_000), "1:"),
    || hosts("a name of a million letters", "h".repeat(1_000_000), "1:"),
    || hosts("ranges of long names", format!("h[1:60000]{}", "x".repeat(900)), "1:"),
    || hosts("a group of a million letters", format!("h\n[{}]", "g".repeat(1_000_000)), "2:"),
    || hosts("100,001 hosts of YAML", format!("all:\n  hosts:\n{}", hosts_of(100_001)), "100000:"),
    || hosts("ranges of YAML", "all:\n  hosts:\n    a[1:60000]:\n    b[1:60000]:\n".to_owned(), "4:"),
    || {
        let whole = include_str!("../../crates/secrets/tests/ansible_vault/whole-1.1.yml");
        let block: String = whole.lines().map(|line| format!("  {line}\n")).collect();
        let text = numbered(8_000, |at| format!("k{at}: !vault |\n{block}"));
        let mut case = vars("8,000 vaulted values and another's password", text, "1:");
        case.arguments.extend(["--vault-password-file".to_owned(), "inventory/password".to_owned()]);
        case.files.push(("password".to_owned(), b"another's\n".to_vec()));
        case
    },
    || sealed("50,001 secrets", &secrets(50_001), "50001:1"),
    || sealed("100,000 items", &list(100_000), "100000:"),
];

/// As much as is allowed, or nearly.
pub const READ: &[Made] = &[
    || vars("50,000 variables", variables(50_000), ""),
    || vars("50,000 variables of JSON", json(50_000), ""),
    || vars("50,000 variables in 6 MB", numbered(50_000, |at| format!("k{at}: {}\n", "x".repeat(110))), ""),
    || hosts("tuples in a set", format!("h x=\"{{{}'a'{}}}\"\n", "(".repeat(90), ",)".repeat(90)), ""),
    || vars("99,990 items", list(99_990), ""),
    || vars("99,990 keys in a map", map(99_990), ""),
    || vars("99,990 aliases", format!("x: &x 1\na:\n{}", "- *x\n".repeat(99_990)), ""),
    || vars("6 MB on a line", format!("a: {}", "x".repeat(6_000_000)), ""),
    || vars("6 MB of empty lines", format!("a: |\n  x\n{}  x\n", "\n".repeat(6_000_000)), ""),
    || vars("30,000 templates", numbered(30_000, |at| format!("k{at}: '{{{{ 1 + {at} }}}}'\n")), ""),
    || {
        vars(
            "20,000 undefined variables",
            numbered(20_000, |at| format!("k{at}: '{{{{ nobody{at} }}}}'\n")),
            "",
        )
    },
    || vars("20,000 of them in JSON", format!("{{\"a\": [{}1]}}", "\"{{ nobody }}\",".repeat(20_000)), ""),
    || vars("a chain of 20,000 variables", chain(20_000), ""),
    || {
        hosts(
            "100,000 hosts in another group",
            format!("{0}[web]\n{0}", numbered(99_990, |at| format!("h{at}\n"))),
            "",
        )
    },
    || hosts("19,000 groups one below the other", groups(19_000), ""),
    || hosts("100,000 hosts", "a[1:50000]\nb[1:50000]\n".to_owned(), ""),
    || hosts("99,990 hosts of YAML", format!("all:\n  hosts:\n{}", hosts_of(99_990)), ""),
    || hosts("33,000 hosts with two variables", numbered(33_000, |at| format!("h{at} a=1 b=2\n")), ""),
    || {
        let mut case = sealed("50,000 secrets", &secrets(50_000), "");
        let public = include_bytes!("../../crates/secrets/tests/ed25519.pub");
        case.files.push((".age-recipients".to_owned(), public.to_vec()));
        case
    },
];

fn vars(name: &str, text: String, line: &str) -> Case {
    Case::with(format!("large: {name}"), VARS, text, &format!("inventory/{VARS}:{line}"))
}

fn hosts(name: &str, text: String, line: &str) -> Case {
    Case::with(format!("large: {name}"), "hosts", text, &format!("inventory/hosts:{line}"))
}

fn sealed(name: &str, text: &str, line: &str) -> Case {
    let blames = format!("inventory/{SEALED}:{line}");
    Case::with(format!("large, sealed: {name}"), SEALED, encrypt(text, false), &blames)
}

fn numbered(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

fn variables(count: usize) -> String {
    numbered(count, |at| format!("k{at}: 1\n"))
}

fn secrets(count: usize) -> String {
    numbered(count, |at| format!("k{at}: secret {at}\n"))
}

fn json(count: usize) -> String {
    let entries: Vec<String> = (0..count).map(|at| format!("\"k{at}\": 1")).collect();
    format!("{{{}}}", entries.join(", "))
}

fn list(count: usize) -> String {
    format!("a:\n{}", "- 1\n".repeat(count))
}

fn map(count: usize) -> String {
    format!("a:\n{}", numbered(count, |at| format!("  k{at}: 1\n")))
}

fn chain(count: usize) -> String {
    format!("k0: 1\n{}", numbered(count, |at| format!("k{}: '{{{{ k{at} }}}}'\n", at + 1)))
}

fn groups(count: usize) -> String {
    numbered(count, |at| format!("[g{at}:children]\ng{}\n", at + 1)) + &format!("[g{count}]\nh\n")
}

fn hosts_of(count: usize) -> String {
    numbered(count, |at| format!("    h{at}:\n"))
}
