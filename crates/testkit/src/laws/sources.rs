//! What the examples download, to be served at [`ADDRESS`]: the same bytes for every machine.

use std::collections::BTreeMap;

use super::wheel;

/// Where the examples expect the sources: `http://127.0.0.1:8087/law/…`.
pub const ADDRESS: &str = "http://127.0.0.1:8087/";

/// Every file by its path below [`ADDRESS`]; `law/index.html` lists the others, as a directory's page does.
pub fn sources() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    files.insert("law/hello.txt".to_owned(), b"hello from the law\n".to_vec());
    for version in ["1", "2"] {
        files.insert(format!("law/app-{version}.tar"), app(version));
    }
    for version in ["0.9", "1.0"] {
        files.insert(format!("law/law_hello-{version}-py3-none-any.whl"), wheel::of("law_hello", version));
    }
    files.insert(
        "law/key.asc".to_owned(),
        include_bytes!("../../../steps/src/types/openpgp/law.asc").to_vec(),
    );
    let link = |path: &String| {
        let name = path.trim_start_matches("law/");
        format!("<a href=\"{name}\">{name}</a>\n")
    };
    let page: String = files.keys().map(link).collect();
    files.insert("law/index.html".to_owned(), format!("<!DOCTYPE html>\n{page}").into_bytes());
    files
}

/// An application as its makers ship it: code, a program, data to begin with.
fn app(version: &str) -> Vec<u8> {
    let files = [
        ("VERSION", format!("{version}\n"), 0o644),
        ("bin/run", format!("#!/bin/sh\necho {version}\n"), 0o755),
        ("data/welcome.txt", "welcome\n".to_owned(), 0o644),
        ("data/pages/start.txt", format!("start of {version}\n"), 0o644),
    ];
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content, mode) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        // Writing into memory does not fail; a file that did would be missed by its example.
        let path = format!("app-{version}/{name}");
        let _ = archive.append_data(&mut header, path, content.as_bytes());
    }
    archive.into_inner().unwrap_or_default()
}
