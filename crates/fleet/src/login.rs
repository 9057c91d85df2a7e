//! How a machine is logged in to, and how root's rights are had there: by the variables that Ansible has for it.

use pq_stream::{Diagnostic, Host, holds_token};
use serde_json::{Map, Value};

/// The way to a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The host's name in the inventory.
    pub host: String,
    /// The `ssh` to call.
    pub program: String,
    /// Its options, those of the inventory first: of each option, ssh takes the first.
    pub options: Vec<String>,
    /// Where to.
    pub address: String,
    /// What root's rights are had with.
    pub sudo: Sudo,
}

/// How root's rights are had where the login is not root's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sudo {
    /// `sudo`, which asks for nothing unless there is a password.
    Allowed(Option<Password>),
    /// `ansible_become: false`: the login must be root's.
    Forbidden,
}

/// A password for `sudo`: a text of the inventory, in which tokens may stand.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

impl Login {
    /// The way to this host.
    ///
    /// # Errors
    /// Where one of the variables has a value that cannot be used.
    pub fn of(host: &Host) -> Result<Self, Diagnostic> {
        let vars = Vars { host: &host.host, vars: &host.vars };
        let mut options = Vec::new();
        for name in ["ansible_ssh_common_args", "ansible_ssh_args", "ansible_ssh_extra_args"] {
            if let Some(text) = vars.text(name)? {
                let words = shlex::split(&text)
                    .ok_or_else(|| vars.wrong(name, "its quotes do not match, as a shell reads it"))?;
                options.extend(words);
            }
        }
        let key = vars.text("ansible_ssh_private_key_file")?.or(vars.text("ansible_private_key_file")?);
        if let Some(file) = key {
            options.extend(["-i".to_owned(), home(&file)]);
        }
        for name in ["ansible_ssh_host_key_checking", "ansible_host_key_checking"] {
            if vars.boolean(name)? == Some(false) {
                options.push("-oStrictHostKeyChecking=no".to_owned());
            }
        }
        let timeout = vars.text("ansible_ssh_timeout")?.or(vars.text("ansible_timeout")?);
        if let Some(seconds) = timeout {
            let seconds: u32 =
                seconds.parse().map_err(|_| vars.wrong("ansible_timeout", "it is no number of seconds"))?;
            options.push(format!("-oConnectTimeout={seconds}"));
        }
        if let Some(port) = host.connection.port {
            options.push(format!("-p{port}"));
        }
        if let Some(user) = &host.connection.user {
            options.push(format!("-l{user}"));
        }
        Ok(Login {
            host: host.host.clone(),
            program: vars.text("ansible_ssh_executable")?.unwrap_or_else(|| "ssh".to_owned()),
            options,
            address: host.connection.address.clone().unwrap_or_else(|| host.host.clone()),
            sudo: vars.sudo()?,
        })
    }
}

/// A path of the inventory, with the home directory in the place of `~`.
fn home(path: &str) -> String {
    match (path.strip_prefix("~/"), std::env::var("HOME")) {
        (Some(rest), Ok(home)) => format!("{home}/{rest}"),
        _ => path.to_owned(),
    }
}

/// A host's variables about its connection.
struct Vars<'a> {
    host: &'a str,
    vars: &'a Map<String, Value>,
}

impl Vars<'_> {
    fn sudo(&self) -> Result<Sudo, Diagnostic> {
        if self.boolean("ansible_become")? == Some(false) {
            return Ok(Sudo::Forbidden);
        }
        for (name, only) in [("ansible_become_method", "sudo"), ("ansible_become_user", "root")] {
            if self.text(name)?.is_some_and(|value| value != only) {
                return Err(self.wrong(name, &format!("here it can only be `{only}`")));
            }
        }
        for name in ["ansible_become_password", "ansible_become_pass"] {
            if let Some(value) = self.resolved(name)? {
                let text = match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                if !holds_token(&text) && text.contains(['\n', '\r', '\0']) {
                    return Err(self.wrong(name, "a password is one line"));
                }
                return Ok(Sudo::Allowed(Some(Password(text))));
            }
        }
        Ok(Sudo::Allowed(None))
    }

    fn text(&self, name: &str) -> Result<Option<String>, Diagnostic> {
        match self.resolved(name)? {
            None => Ok(None),
            Some(Value::String(text)) if holds_token(text) => {
                Err(self.wrong(name, "it is a secret, and would stand on the command line of ssh"))
            }
            Some(Value::String(text)) if text.contains('\0') => {
                Err(self.wrong(name, "a NUL byte stands in it"))
            }
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(self.wrong(name, "it is no text")),
        }
    }

    /// As Ansible reads it, also from a text.
    fn boolean(&self, name: &str) -> Result<Option<bool>, Diagnostic> {
        let text = match self.resolved(name)? {
            None => return Ok(None),
            Some(Value::Bool(it)) => return Ok(Some(*it)),
            Some(Value::String(text)) => text.to_ascii_lowercase(),
            Some(other) => other.to_string(),
        };
        match text.as_str() {
            "yes" | "true" | "on" | "y" | "t" | "1" => Ok(Some(true)),
            "no" | "false" | "off" | "n" | "f" | "0" => Ok(Some(false)),
            _ => Err(self.wrong(name, "it is neither true nor false")),
        }
    }

    fn resolved(&self, name: &str) -> Result<Option<&Value>, Diagnostic> {
        match self.vars.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(map)) if map.contains_key("unresolved") => {
                let why = map.get("unresolved").and_then(Value::as_str).unwrap_or("it has no value");
                Err(self.wrong(name, why))
            }
            Some(value) => Ok(Some(value)),
        }
    }

    fn wrong(&self, name: &str, cause: &str) -> Diagnostic {
        Diagnostic::new(format!("cannot use variable `{name}` of host `{}`", self.host))
            .cause(cause)
            .hint(format!("`pq-inventory --explain {name} {}` says where it is set", self.host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pq_stream::Record;

    fn login(connection: &str, vars: &str) -> Result<Login, String> {
        let line = format!(
            r#"{{"type":"host","host":"web","groups":[],"connection":{{"kind":"ssh"{connection}}},"vars":{vars}}}"#
        );
        let Record::Host(host) = serde_json::from_str(&line).unwrap() else { panic!() };
        Login::of(&host).map_err(|error| error.to_string())
    }

    #[test]
    fn a_host_without_variables_is_reached_by_its_name() {
        let login = login("", "{}").unwrap();
        assert_eq!((login.program.as_str(), login.address.as_str()), ("ssh", "web"));
        assert!(login.options.is_empty());
        assert_eq!(login.sudo, Sudo::Allowed(None));
    }

    #[test]
    fn the_variables_of_ansible_say_how() {
        let login = login(
            r#","address":"10.0.0.1","port":2222,"user":"ops""#,
            r#"{"ansible_ssh_common_args":"-o ProxyJump=\"gate way\"","ansible_ssh_private_key_file":"/k","ansible_become_password":"@secret{pw}"}"#,
        )
        .unwrap();
        assert_eq!(login.options, ["-o", "ProxyJump=gate way", "-i", "/k", "-p2222", "-lops"]);
        assert_eq!(login.address, "10.0.0.1");
        assert_eq!(login.sudo, Sudo::Allowed(Some(Password("@secret{pw}".to_owned()))));
        assert!(!format!("{login:?}").contains("@secret"));
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_name() {
        for (vars, cause) in [
            (r#"{"ansible_ssh_common_args":"-o 'x"}"#, "quotes"),
            (r#"{"ansible_ssh_common_args":"@secret{x}"}"#, "command line of ssh"),
            (r#"{"ansible_become_method":"su"}"#, "can only be `sudo`"),
            (r#"{"ansible_become_user":"www"}"#, "can only be `root`"),
            (r#"{"ansible_become":"perhaps"}"#, "neither true nor false"),
            (r#"{"ansible_become_pass":{"unresolved":"`pw` is undefined"}}"#, "`pw` is undefined"),
            (r#"{"ansible_timeout":"soon"}"#, "no number"),
        ] {
            let error = login("", vars).unwrap_err();
            assert!(error.contains(cause) && error.contains("of host `web`"), "{error}");
        }
        assert_eq!(login("", r#"{"ansible_become":"no"}"#).unwrap().sudo, Sudo::Forbidden);
    }
}
