//! The database of an instance: its own, reached through the server's socket by the instance's own user, without a password.

use pq_recipes::{Engine, NO_DATABASE};
use pq_stream::Diagnostic;
use serde_json::{Value, json};

use super::life::Life;
use crate::draft::Draft;

/// What its templates see as `database`: `engine`, and where a server has it `name`, `user` and `socket` (a file for MariaDB, a
/// directory for PostgreSQL).
pub(super) fn told(draft: &Draft<'_>, id: &str, engine: Option<Engine>) -> Value {
    let Some(engine) = engine else { return json!({ "engine": NO_DATABASE }) };
    let socket = match engine {
        Engine::Mariadb => &draft.os.mariadb.socket,
        Engine::Postgres => &draft.os.postgres.socket,
        Engine::Sqlite => return json!({ "engine": engine.name() }),
    };
    json!({ "engine": engine.name(), "name": id, "user": id, "socket": socket })
}

/// Its database and the user of it.
pub(super) fn database(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    let Some(engine) = life.engine.filter(|engine| engine.component().is_some()) else { return Ok(()) };
    let (id, name) = (life.id(), engine.name());
    let mut database = json!({ "engine": name, "name": id });
    let mut user = json!({ "engine": name, "name": id, "auth": "socket" });
    let mut steps = vec![
        ("database-user", format!("{name} user {id}"), "database_user"),
        ("database", format!("{name} database {id}"), "database"),
    ];
    if engine == Engine::Mariadb {
        user["grants"] = json!([{ "database": id }]);
        if let Some(collation) = life.app.needs.database.as_ref().and_then(|it| it.collation.as_ref()) {
            database["collation"] = collation.as_str().into();
        }
        // its rights are on a database, which is there first
        steps.reverse();
    } else {
        database["owner"] = id.into();
    }
    for (step, title, kind) in steps {
        let fields = if kind == "database" { database.clone() } else { user.clone() };
        draft.step(&life.step(step), title, kind, fields)?;
    }
    Ok(())
}
