//! Any step, as it comes from the stream.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::types::{
    Absent, Assert, Certificate, Command, Copy, Cron, Directory, Download, File, Gone, Http, Installed,
    Instances, Line, Ready, Release, Releases, Symlink, Venv,
};
use crate::types::{Acme, ServedCertificate, Tls};
use crate::types::{ApacheModule, AptSource, AuthorizedKey, Site, Sysctl};
use crate::types::{Database, DatabaseUser, Sql};
use crate::types::{
    Firewall, FirewallRule, Group, Locale, Package, Reload, Remove, Service, Timezone, Transaction, Unit,
    Unpack, User,
};
use crate::{AbsPath, Converge, Text};

macro_rules! step_types {
    ($($name:literal $kind:ident $about:literal)*) => {
        /// A step of any type: its `do` on the stream, and its fields.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "do")]
        #[expect(clippy::large_enum_variant, reason = "a plan has some hundred steps, and each is read once")]
        pub enum AnyStep {
            $(#[doc = $about] #[serde(rename = $name)] $kind($kind),)*
        }

        impl AnyStep {
            /// Every step type's name and what it is for.
            pub const KINDS: &[(&str, &str)] = &[$(($name, $about)),*];

            /// Its name on the stream.
            pub fn kind(&self) -> &'static str {
                match self { $(AnyStep::$kind(_) => $name,)* }
            }

            /// What it can do.
            pub fn converge(&self) -> &dyn Converge {
                match self { $(AnyStep::$kind(step) => step,)* }
            }

            /// As [`AnyStep::converge`], where its texts are to be filled in.
            pub fn converge_mut(&mut self) -> &mut dyn Converge {
                match self { $(AnyStep::$kind(step) => step,)* }
            }
        }
    };
}

step_types! {
    "directory" Directory "A directory exists with the wanted owner and mode"
    "file" File "A file has the wanted content, owner and mode"
    "symlink" Symlink "A symbolic link points where it should"
    "assert" Assert "The machine is the one that the plan was made for"
    "installed" Installed "An instance is not installed yet, or at the version of the plan"
    "ready" Ready "An instance can be upgraded: it is well, at the version that the plan begins with, and has room"
    "absent" Absent "Nothing is at a path"
    "line" Line "A file has one line"
    "copy" Copy "Every file of one directory is in another, some always fresh"
    "cron" Cron "cron runs a command at its times"
    "command" Command "A command is run unless the machine shows that it need not be"
    "database" Database "A database exists, with its owner or its character set"
    "database_user" DatabaseUser "A database user exists, with its way to log in and its rights"
    "sql" Sql "Statements are run in a database unless it shows that they need not be"
    "download" Download "A file with a known digest is there"
    "release" Release "A release is unpacked, with what is kept outside it linked in"
    "releases" Releases "Releases of an owner that are past their time are gone"
    "unpack" Unpack "What is in an archive is unpacked into a directory"
    "venv" Venv "A Python environment holds exactly the pinned packages"
    "certificate" Certificate "A certificate from the machine's own authority is there"
    "tls" Tls "Servers read a given certificate and key where they are good, else the machine's own"
    "acme" Acme "A certificate from a public authority is there, or pending"
    "served_certificate" ServedCertificate "The web server gives the certificate that is on the disk"
    "http" Http "A server on this machine answers as it should"
    "group" Group "A group exists"
    "user" User "A user exists, with its groups, home and shell"
    "package" Package "Debian packages are installed"
    "service" Service "A systemd unit runs, and starts at boot"
    "reload" Reload "A service runs with the configuration that is on the disk"
    "remove" Remove "Nothing is left of what an owner wanted, and nobody else does"
    "gone" Gone "Nothing is left of an owner but what is booked as its data"
    "instances" Instances "Every instance on the machine is one that the inventory lists"
    "transaction" Transaction "Steps are done altogether or not at all"
    "unit" Unit "A systemd unit file of ours is in place, and systemd has read it"
    "locale" Locale "Locales are generated"
    "timezone" Timezone "The machine keeps a time zone"
    "firewall_rule" FirewallRule "The firewall has a rule for a port"
    "firewall" Firewall "The firewall is on, and what it does to other packets"
    "authorized_key" AuthorizedKey "A public key opens a user's account over ssh, or does not"
    "apache_module" ApacheModule "A module of apache2 is enabled, with what it depends on, or disabled"
    "apt_source" AptSource "apt takes packages from a signed repository"
    "site" Site "A site of a web server is enabled or disabled"
    "sysctl" Sysctl "The kernel has a setting, now and after every boot"
}

/// A step that cannot be executed as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadStep {
    /// Why, naming the field.
    pub cause: String,
    /// What may help.
    pub hint: Option<String>,
}

impl fmt::Display for BadStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for BadStep {}

impl AnyStep {
    /// Reads a step's type and fields, and holds them to their rules.
    ///
    /// # Errors
    /// An unknown type or field, a wrong value, a secret where none may stand.
    pub fn read(kind: &str, body: &Map<String, Value>) -> Result<Self, BadStep> {
        let bad = |cause: String| BadStep { cause, hint: None };
        if !Self::KINDS.iter().any(|(name, _)| *name == kind) {
            let known: Vec<_> = Self::KINDS.iter().map(|(name, _)| *name).collect();
            return Err(BadStep {
                cause: format!("there is no step type `{}`", kind.escape_debug()),
                hint: Some(format!("this version knows {}", known.join(", "))),
            });
        }
        let mut tagged = body.clone();
        tagged.insert("do".to_owned(), Value::from(kind));
        let mut step: AnyStep =
            serde_json::from_value(Value::Object(tagged)).map_err(|error| bad(error.to_string()))?;
        step.converge().validate().map_err(bad)?;
        let allowed: usize = step.texts().iter().map(|text| tokens(text.as_str())).sum();
        let all: usize = body.values().map(tokens_in).sum();
        if all != allowed {
            return Err(BadStep {
                cause: "a secret stands where none may".to_owned(),
                hint: Some(
                    "secrets may stand in file content, standard input, environment and sql".to_owned(),
                ),
            });
        }
        Ok(step)
    }

    /// The systemd unit that it looks at, where it looks at one.
    pub fn unit(&self) -> Option<&str> {
        match self {
            AnyStep::Service(step) => Some(&step.unit),
            AnyStep::Reload(step) => Some(&step.unit),
            AnyStep::Unit(step) => Some(&step.name),
            AnyStep::ServedCertificate(step) => Some(&step.unit),
            _ => None,
        }
    }

    /// The path of the one file or link that it writes or takes away, where that is all that it does.
    pub fn place(&self) -> Option<AbsPath> {
        match self {
            AnyStep::File(step) => Some(step.path.clone()),
            AnyStep::Symlink(step) => Some(step.path.clone()),
            AnyStep::Absent(step) => Some(step.path.clone()),
            AnyStep::Site(step) => AbsPath::new(step.place()).ok(),
            _ => None,
        }
    }

    /// The files and links that it writes or takes away, as far as they can be brought back.
    pub fn written(&self) -> Vec<AbsPath> {
        let whole = || self.converge().whole_file().map(|(path, _)| path);
        self.place().or_else(whole).into_iter().chain(self.converge().rewrites()).collect()
    }

    /// The ids of the steps that it does in their place, where it is a transaction.
    pub fn named(&self) -> &[String] {
        match self {
            AnyStep::Transaction(step) => &step.steps,
            _ => &[],
        }
    }

    /// The texts in which secret tokens may stand.
    pub fn texts(&mut self) -> Vec<&mut Text> {
        self.converge_mut().texts()
    }
}

fn tokens(text: &str) -> usize {
    text.matches("@secret{").count()
}

fn tokens_in(value: &Value) -> usize {
    match value {
        Value::String(text) => tokens(text),
        Value::Array(items) => items.iter().map(tokens_in).sum(),
        Value::Object(map) => map.iter().map(|(key, value)| tokens(key) + tokens_in(value)).sum(),
        _ => 0,
    }
}
