//! root's own file for MariaDB's and MySQL's clients, `/root/.my.cnf`: who root is to the server, and its password.
//!
//! <https://mariadb.com/kb/en/configuring-mariadb-with-option-files/>

use std::fs;
use std::os::unix::fs::MetadataExt;

/// Where it is.
pub const FILE: &str = "/root/.my.cnf";

/// The groups of a file that are every client's.
const GROUPS: [&str; 4] = ["client", "client-server", "client-mariadb", "mysql"];

/// Who logs in, and by which password.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// The user of the server; `root` where the file names none.
    pub user: Option<String>,
    /// Its password.
    pub password: String,
}

/// What the file says, where there is one with a password. One that others may write is none, as to the clients themselves.
pub fn read() -> Option<Login> {
    let about = fs::metadata(FILE).ok()?;
    if about.mode() & 0o022 != 0 || about.uid() != 0 {
        return None;
    }
    parse(&fs::read_to_string(FILE).ok()?)
}

fn parse(text: &str) -> Option<Login> {
    let (mut login, mut ours) = (Login::default(), false);
    for line in text.lines().map(str::trim) {
        if let Some(group) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            ours = GROUPS.contains(&group.trim());
            continue;
        }
        let Some((name, text)) = line.split_once('=').filter(|_| ours && !line.starts_with(['#', ';']))
        else {
            continue;
        };
        match name.trim() {
            "user" => login.user = Some(value(text)),
            "password" => login.password = value(text),
            _ => {}
        }
    }
    Some(login).filter(|login| !login.password.is_empty())
}

/// A value: what stands in quotes, or up to a comment; signs behind a backslash are signs.
fn value(text: &str) -> String {
    let (mut quote, mut before, mut end) = (None, ' ', text.len());
    for (at, c) in text.char_indices() {
        match c {
            '#' if quote.is_none() => {
                end = at;
                break;
            }
            '\'' | '"' if before != '\\' && quote.is_none_or(|open| open == c) => {
                quote = if quote.is_none() { Some(c) } else { None };
            }
            _ => {}
        }
        before = if before == '\\' { ' ' } else { c };
    }
    let text = text[..end].trim();
    let quoted = |sign| text.strip_prefix(sign).and_then(|rest| rest.strip_suffix(sign));
    let text = quoted('\'').or_else(|| quoted('"')).unwrap_or(text);
    let (mut value, mut signs) = (String::new(), text.chars());
    while let Some(c) = signs.next() {
        if c != '\\' {
            value.push(c);
            continue;
        }
        match signs.next() {
            Some('n') => value.push('\n'),
            Some('t') => value.push('\t'),
            Some('r') => value.push('\r'),
            Some('b') => value.push('\u{8}'),
            Some('s') => value.push(' '),
            Some(c @ ('\\' | '\'' | '"')) => value.push(c),
            Some(c) => value.extend(['\\', c]),
            None => value.push('\\'),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_read_as_the_clients_read_it() {
        let password = |text: &str| parse(&format!("[client]\npassword{text}\n")).map(|it| it.password);
        assert_eq!(password("=plain").as_deref(), Some("plain"));
        assert_eq!(password(" = 'a # b'  # said by nobody").as_deref(), Some("a # b"));
        assert_eq!(password("=\"it's \\\"new\\\"\"").as_deref(), Some("it's \"new\""));
        assert_eq!(password("=a#b").as_deref(), Some("a"));
        assert_eq!(password("=a\\sb\\\\").as_deref(), Some("a b\\"));
        assert_eq!(password("=a\\db").as_deref(), Some("a\\db"));
        assert_eq!(password("="), None);
        assert_eq!(password(""), None);
    }

    #[test]
    fn only_what_every_client_reads_counts_and_the_last_one_does() {
        let text = "password=a\n[mysqld]\npassword=b\n[mysqldump]\nuser=dump\npassword=c\n[client]\nuser = admin\n;password=d\n#password=e\npassword=f\n[mysql]\npassword=g\n";
        assert_eq!(parse(text), Some(Login { user: Some("admin".to_owned()), password: "g".to_owned() }));
        assert_eq!(parse("[client]\nuser=admin\n"), None);
    }
}
