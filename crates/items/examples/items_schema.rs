//! Writes the JSON Schema of the files of backup and monitoring: `make schema`.

fn main() -> Result<(), serde_json::Error> {
    println!("{}", serde_json::to_string_pretty(&pq_items::schema())?);
    Ok(())
}
