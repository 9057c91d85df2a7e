//! What can be wrong with a command line, and with what the environment says.

use crate::case::Case;

/// Every one of them; all are errors that quote what is wrong.
pub fn refused() -> Vec<Case> {
    let inventory = |name: &str, arguments: &[&str], blames: &str| {
        Case::with(format!("pq-inventory: {name}"), "hosts", "[web]\nweb1\nweb2\n", blames)
            .calling("pq-inventory", arguments)
    };
    let mut cases: Vec<Case> =
        CALLS.iter().map(|(name, arguments, blames)| inventory(name, arguments, blames)).collect();
    for (name, variable, value, blames) in ENVIRONMENT {
        let mut case = inventory(name, &[], blames);
        case.environment.push(((*variable).to_owned(), (*value).to_owned()));
        cases.push(case);
    }
    cases
}

/// A sentence, the arguments, and what of them the error must name.
const CALLS: &[(&str, &[&str], &str)] = &[
    ("an unknown host", &["wbe1"], "`wbe1`"),
    ("an unknown group in a pattern", &["web:!nobody"], "`nobody`"),
    ("a pattern that leaves nothing", &["web:!web"], "`web:!web`"),
    ("a pattern of two that share nothing", &["web1:&web2"], "`web1:&web2`"),
    ("a glob that nothing fits", &["db*"], "`db*`"),
    ("a regular expression that is none", &["~("], "`~("),
    ("a regular expression that is huge", &["~(a{1000}){1000}{1000}"], "`~("),
    ("a regular expression that nothing fits", &["~^db"], "`~^db`"),
    ("a pattern that only takes away", &["!all"], "`!all`"),
    ("a pattern of a sign alone", &["!"], "``"),
    ("a pattern with a line end", &["web1\nroot"], "`root`"),
    ("an index behind the end", &["web[7]"], "web[7]"),
    ("an index that is none", &["web[x]"], "web[x]"),
    ("an inventory that there is not", &["-i", "nowhere"], "`nowhere`"),
    ("an inventory that is a file", &["-i", "inventory/hosts"], "`inventory/hosts`"),
    ("an inventory that is a device", &["-i", "/dev/null"], "`/dev/null`"),
    ("an inventory without hosts", &["-i", "."], "`hosts`"),
    ("an option without its value", &["-i"], "--inventory"),
    ("--host of nobody", &["--host", "wbe1"], "`wbe1`"),
    ("--host of a group", &["--host", "web"], "`web`"),
    ("--host of nothing", &["--host", ""], "``"),
    ("--explain of nothing", &["--explain", ""], "``"),
    ("--explain of what nothing sets", &["--explain", "nobodys"], "`nobodys`"),
    ("--explain of what is no name", &["--explain", "a["], "`a[`"),
    ("--explain for nobody", &["--explain", "x", "nobody"], "`nobody`"),
    ("--list of one host", &["--list", "web1"], "--list"),
    ("--list and --host", &["--list", "--host", "web1"], "--list"),
    ("--list and --explain", &["--list", "--explain", "x"], "--list"),
    ("--json and --text", &["--json", "--text"], "--json"),
    ("--lint and --list", &["--lint", "--list"], "--list"),
    ("--reveal without a terminal or --yes", &["--reveal"], "reveal"),
    ("--yes without --reveal", &["--yes"], "--reveal"),
    ("an option of nobody", &["--nobodys"], "--nobodys"),
];

/// A sentence, a variable of the environment, its value, and what the error must name.
const ENVIRONMENT: &[(&str, &str, &str, &str)] = &[
    ("an unknown form of output", "PQ_OUTPUT", "xml", "`xml`"),
    ("an inventory of the environment that there is not", "PQ_INVENTORY", "nowhere", "`nowhere`"),
];
