//! Writes the JSON Schema of a recipe (`recipe`), or of its versions (`pins`): `make schema`.

fn main() -> Result<(), serde_json::Error> {
    let [recipe, pins] = pq_plan::recipe_schemas();
    let wanted = if std::env::args().nth(1).as_deref() == Some("pins") { pins } else { recipe };
    println!("{}", serde_json::to_string_pretty(&wanted)?);
    Ok(())
}
