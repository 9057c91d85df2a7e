//! The catalogue's files: those built in, overlaid file by file with the user's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use pq_stream::Diagnostic;

use crate::Source;

/// Name and text of every file that is built in.
const BUILT_IN: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

/// The catalogue's files by their path below it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Files {
    built_in: BTreeMap<String, Source>,
    own: BTreeMap<String, Source>,
}

impl Files {
    /// The files that are built in, and those of a directory where there is one.
    pub fn load(own: Option<&Path>) -> Result<Self, Diagnostic> {
        let mut files = Files::default();
        for (name, text) in BUILT_IN {
            let source = Source { shown: format!("<built-in>/{name}"), text: (*text).to_owned() };
            files.built_in.insert((*name).to_owned(), source);
        }
        if let Some(root) = own.filter(|root| root.is_dir()) {
            let mut found = Vec::new();
            collect(root, &mut found).map_err(|(path, error)| unreadable(&path, &error.to_string()))?;
            for path in found {
                let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
                let text =
                    fs::read_to_string(&path).map_err(|error| unreadable(&path, &error.to_string()))?;
                files.own.insert(name, Source { shown: path.to_string_lossy().into_owned(), text });
            }
        }
        Ok(files)
    }

    /// A file; the user's own goes before the one built in.
    pub fn get(&self, name: &str) -> Option<&Source> {
        self.own.get(name).or_else(|| self.built_in.get(name))
    }

    /// A file in both its forms, the one built in first.
    pub fn both(&self, name: &str) -> impl Iterator<Item = &Source> {
        self.built_in.get(name).into_iter().chain(self.own.get(name))
    }

    /// Whether the user's own files have one whose name begins so.
    pub fn has_own(&self, before: &str) -> bool {
        self.own.keys().any(|name| name.starts_with(before))
    }

    /// What `*` stands for in the names of files that are `<before>*<after>`.
    pub fn between(&self, before: &str, after: &str) -> Vec<String> {
        let stem = |name: &String| {
            let stem = name.strip_prefix(before)?.strip_suffix(after)?;
            (!stem.is_empty() && !stem.contains('/')).then(|| stem.to_owned())
        };
        let mut found: Vec<String> = self.built_in.keys().chain(self.own.keys()).filter_map(stem).collect();
        found.sort();
        found.dedup();
        found
    }
}

fn unreadable(path: &Path, cause: &str) -> Diagnostic {
    Diagnostic::new(format!("cannot read the recipe file `{}`", path.display())).cause(cause.to_owned())
}

/// Every file below a directory, but hidden ones and editors' copies.
fn collect(directory: &Path, found: &mut Vec<PathBuf>) -> Result<(), (PathBuf, io::Error)> {
    let error = |error| (directory.to_owned(), error);
    for entry in fs::read_dir(directory).map_err(error)? {
        let path = entry.map_err(error)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match (name.starts_with('.') || name.ends_with('~'), path.is_dir()) {
            (true, _) => {}
            (_, true) => collect(&path, found)?,
            (_, false) => found.push(path),
        }
    }
    Ok(())
}
