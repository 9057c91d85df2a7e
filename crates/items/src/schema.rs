//! The JSON Schema of the files, for editors, and for people who write items of their own.

use schemars::SchemaGenerator;
use serde_json::{Value, json};

use crate::{BackupItem, BackupStrategy, MonitorItem, MonitorStrategy};

/// The JSON Schema of all four files, each by its path.
pub fn schema() -> Value {
    let mut all = SchemaGenerator::default();
    let of = |path: &str, schema: schemars::Schema| json!({ "title": path, "allOf": [schema] });
    let any_of = [
        of("/etc/paquerette/backup.d/<owner>.yml", all.subschema_for::<BackupItem>()),
        of("/etc/paquerette/monitor.d/<owner>.yml", all.subschema_for::<MonitorItem>()),
        of("/etc/paquerette/backup.yml", all.subschema_for::<BackupStrategy>()),
        of("/etc/paquerette/monitor.yml", all.subschema_for::<MonitorStrategy>()),
    ];
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Files of paquerette's backup and monitoring",
        "anyOf": any_of,
        "$defs": all.take_definitions(true),
    })
}
