//! The Redis of an instance: a process of its own, as the instance's user, behind a socket that no other user may open. It holds
//! what may be forgotten, and keeps nothing on the disk.

use pq_stream::Diagnostic;
use serde_json::json;

use super::life::Life;
use crate::draft::Draft;

/// Where it listens.
pub(super) fn socket(id: &str) -> String {
    format!("/run/pq-{id}-redis/redis.sock")
}

/// The name of its unit.
pub(super) fn unit(life: &Life<'_>) -> String {
    format!("pq-{}-redis.service", life.id())
}

/// Its unit, which runs.
pub(super) fn service(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    if !life.app.needs.redis {
        return Ok(());
    }
    let unit = unit(life);
    let content = draft.renderer.file(draft.catalogue.path("instance/redis.service")?, &life.scope)?;
    let fields = json!({ "name": unit, "content": content });
    draft.step(&life.step("redis-unit"), format!("unit {unit}"), "unit", fields)?;
    let reads = [format!("/etc/systemd/system/{unit}")];
    let fields = json!({ "unit": unit, "reads": reads });
    draft.step(&life.step("redis"), format!("{unit} runs"), "service", fields)?;
    let fields = json!({ "unit": unit, "reads": reads, "how": "restart" });
    draft.step(&life.step("redis-restart"), format!("{unit} runs as its unit says"), "reload", fields)
}
