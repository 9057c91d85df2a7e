//! Writes the table of the catalogue's files, so that a new recipe is built in without a line of Rust.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?).join("catalogue");
    let out = PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?).join("catalogue.rs");
    println!("cargo::rerun-if-changed=catalogue");
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    files.sort();
    let mut table = String::from("[\n");
    for file in files {
        let name = file.strip_prefix(&root).map_err(io::Error::other)?;
        writeln!(table, "    ({name:?}, include_str!({file:?})),").map_err(io::Error::other)?;
    }
    table.push_str("]\n");
    fs::write(out, table)
}

/// Every file below `directory`, but hidden ones and editors' copies.
fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or(".");
        match (name.starts_with('.') || name.ends_with('~'), path.is_dir()) {
            (true, _) => {}
            (_, true) => collect(&path, files)?,
            (_, false) => files.push(path),
        }
    }
    Ok(())
}
