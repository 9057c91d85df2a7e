//! What Ansible has and templates here have not, and why: an error says it, and what to do instead.

const CHANCE: &str =
    "a template gives the same at each run, so there is no chance: write the value down, or use a secret";
const CLOCK: &str = "a template gives the same at each run, so there is no clock: write the time down";
const FILES: &str = "a template looks at no file of this machine: write the path as it is on the host";
const HASHES: &str = "put the secret through a sink instead: `sha512crypt`, `bcrypt` or `htpasswd`; its salt is derived where it is filled in";
const VAULT: &str =
    "secrets stand in age files here: `pq-secret import-vault` brings those of ansible-vault over";
const TASKS: &str = "it asks about the result of a task, and an inventory has none";
const CHANGES: &str = "lists and maps are not changed in place: use `+ [item]` or `combine`, and `{% set %}`";

/// Filters.
const FILTERS: &[(&str, &str)] = &[
    ("random", CHANCE),
    ("shuffle", CHANCE),
    ("strftime", CLOCK),
    ("to_datetime", CLOCK),
    ("expanduser", FILES),
    ("expandvars", FILES),
    ("realpath", FILES),
    ("fileglob", FILES),
    ("password_hash", HASHES),
    ("vault", VAULT),
    ("unvault", VAULT),
    (
        "json_query",
        "it is of a collection, with a language of its own: use `selectattr`, `map(attribute=…)` and `[…]`",
    ),
    ("from_yaml", "a template reads no YAML: write the value as YAML in the inventory, or use `from_json`"),
    (
        "from_yaml_all",
        "a template reads no YAML: write the values as a list in the inventory, or use `from_json`",
    ),
    ("pprint", "it is for looking at: use `to_nice_json` or `to_nice_yaml`"),
    ("urlize", "it makes HTML of a text: write the link"),
    ("striptags", "it reads HTML: use `regex_replace`"),
    ("safe", "nothing is escaped by itself here: leave it away, or use a sink such as `xml`"),
    ("escape", "use the sink `xml`"),
    ("e", "use the sink `xml`"),
    ("forceescape", "use the sink `xml`"),
    ("ipaddr", "it is of a collection: write the address down"),
];

/// Tests.
const TESTS: &[(&str, &str)] = &[
    ("vault_encrypted", VAULT),
    ("vaulted_file", VAULT),
    ("failed", TASKS),
    ("failure", TASKS),
    ("succeeded", TASKS),
    ("success", TASKS),
    ("successful", TASKS),
    ("changed", TASKS),
    ("change", TASKS),
    ("skipped", TASKS),
    ("skip", TASKS),
    ("finished", TASKS),
    ("started", TASKS),
    ("reachable", TASKS),
    ("unreachable", TASKS),
    ("timedout", TASKS),
    ("file", FILES),
    ("is_file", FILES),
    ("directory", FILES),
    ("is_dir", FILES),
    ("link", FILES),
    ("is_link", FILES),
    ("exists", FILES),
    ("link_exists", FILES),
    ("abs", "use `is match('/')`"),
    ("is_abs", "use `is match('/')`"),
    ("mount", FILES),
    ("is_mount", FILES),
    ("same_file", FILES),
    ("is_same_file", FILES),
    ("uri", "use `is match('[a-z]+:')`"),
    ("url", "use `is match('[a-z]+://')`"),
    ("urn", "use `is match('urn:')`"),
];

/// Functions.
const FUNCTIONS: &[(&str, &str)] = &[
    ("now", CLOCK),
    ("lipsum", CHANCE),
    ("cycler", "use `loop.cycle`"),
    ("joiner", "use `join`"),
    ("undef", "use `mandatory`"),
];

/// Methods.
const METHODS: &[(&str, &str)] = &[
    ("append", CHANGES),
    ("extend", CHANGES),
    ("insert", CHANGES),
    ("remove", CHANGES),
    ("pop", CHANGES),
    ("clear", CHANGES),
    ("update", CHANGES),
    ("setdefault", CHANGES),
    ("sort", CHANGES),
    ("reverse", CHANGES),
    ("encode", "texts are texts here: use `b64encode`"),
    ("translate", "use `replace`"),
];

/// Why there is no such filter, test, function or method on purpose.
pub(crate) fn why(what: &str, name: &str) -> Option<&'static str> {
    let table = match what {
        "filter" => FILTERS,
        "test" => TESTS,
        "function" => FUNCTIONS,
        _ => METHODS,
    };
    table.iter().find(|(known, _)| *known == name).map(|(_, why)| *why)
}
