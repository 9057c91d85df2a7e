//! What an application stands on: PHP, Python, a database, Redis.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::Node;

/// What an application stands on.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// PHP.
    #[serde(default)]
    pub php: Option<PhpNeeds>,
    /// Python.
    #[serde(default)]
    pub python: Option<PythonNeeds>,
    /// A database of its own.
    #[serde(default)]
    pub database: Option<DatabaseNeeds>,
    /// A Redis of its own, for what may be forgotten: locks, caches.
    #[serde(default)]
    pub redis: bool,
}

/// What an application wants of a database. Which engine it is, its key `database` chooses.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseNeeds {
    /// The engines that will do, the one without a choice first.
    pub engines: Vec<Engine>,
    /// Whether an instance may do without one, as it does where nobody says otherwise.
    #[serde(default)]
    pub optional: bool,
    /// The oldest version of an engine that will do, by its name.
    #[serde(default)]
    pub min: BTreeMap<String, String>,
    /// How text is ordered in MariaDB; without it as the server orders it.
    #[serde(default)]
    pub collation: Option<String>,
}

/// What holds an application's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// MariaDB, or a MySQL that was there.
    Mariadb,
    /// PostgreSQL.
    Postgres,
    /// A file of its own, which the application makes.
    Sqlite,
}

impl Engine {
    /// Its name, as in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Mariadb => "mariadb",
            Engine::Postgres => "postgres",
            Engine::Sqlite => "sqlite",
        }
    }

    /// Its name, as its makers write it.
    pub fn title(self) -> &'static str {
        match self {
            Engine::Mariadb => "MariaDB",
            Engine::Postgres => "PostgreSQL",
            Engine::Sqlite => "SQLite",
        }
    }

    /// The extension of PHP that speaks with it.
    pub fn php_extension(self) -> &'static str {
        match self {
            Engine::Mariadb => "mysqli",
            Engine::Postgres => "pgsql",
            Engine::Sqlite => "pdo_sqlite",
        }
    }

    /// The component of the platform that serves it, where one does.
    pub fn component(self) -> Option<&'static str> {
        match self {
            Engine::Mariadb | Engine::Postgres => Some(self.name()),
            Engine::Sqlite => None,
        }
    }
}

/// What an application wants of PHP.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhpNeeds {
    /// The oldest version that will do.
    pub min: String,
    /// The newest, where not all that come will do.
    #[serde(default)]
    pub max: Option<String>,
    /// Extensions.
    #[serde(default)]
    pub extensions: Vec<Node>,
    /// The variable in which an instance names further extensions.
    #[serde(default)]
    pub more: Option<String>,
}

impl PhpNeeds {
    /// The names of its extensions.
    pub fn names(&self) -> Vec<&str> {
        self.extensions.iter().filter_map(Node::text).collect()
    }
}

/// What an application wants of Python.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PythonNeeds {
    /// The oldest version that will do.
    pub min: String,
    /// The file beside the recipe that lists what an environment holds beside what an instance names.
    #[serde(default)]
    pub with: Option<Node>,
}
