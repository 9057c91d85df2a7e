//! Writes the JSON Schema of one line of the stream: `make schema`.

fn main() -> Result<(), serde_json::Error> {
    println!("{}", serde_json::to_string_pretty(&pq_steps::schema()?)?);
    Ok(())
}
