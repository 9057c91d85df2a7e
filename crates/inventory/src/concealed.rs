//! The values of an age file: each scalar becomes a secret named by its path, and its text is kept apart.

use std::sync::Arc;

use pq_secrets::{SecretString, Values};
use pq_stream::Diagnostic;

use crate::file::SourceFile;
use crate::node::{Data, Key, Node};

/// A variable's value with secrets in the places of its scalars; their texts go into `values`.
///
/// `smtp: {password: x}` is the secret `smtp.password`, the first item of `users` is `users.0`. What is empty
/// stays so.
///
/// # Errors
/// A name that cannot stand in a token.
pub fn conceal(
    node: &Arc<Node>,
    path: &str,
    file: &SourceFile,
    values: &mut Values,
) -> Result<Arc<Node>, Box<Diagnostic>> {
    let data = match &node.data {
        Data::Null => Data::Null,
        Data::List(items) => {
            let concealed = items
                .iter()
                .enumerate()
                .map(|(at, item)| conceal(item, &format!("{path}.{at}"), file, values));
            Data::List(concealed.collect::<Result<_, _>>()?)
        }
        Data::Map(entries) => {
            let mut concealed: Vec<(Key, Arc<Node>)> = Vec::new();
            for (key, item) in entries {
                let name = key.text();
                if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                    return Err(unfit(file, key));
                }
                concealed.push((key.clone(), conceal(item, &format!("{path}.{name}"), file, values)?));
            }
            Data::Map(concealed)
        }
        scalar => {
            values.insert(path.to_owned(), SecretString::from(text_of(scalar, node, file)));
            Data::Secret(path.to_owned())
        }
    };
    Ok(Arc::new(Node { data, start: node.start, end: node.end }))
}

/// The error of a name that cannot stand in a token.
pub fn unfit(file: &SourceFile, key: &Key) -> Box<Diagnostic> {
    Box::new(
        file.error(key.mark, "a secret cannot have this name")
            .cause("names of secrets, and of what is inside them, are made of letters, digits and `_`")
            .hint("rename it, as in `smtp_password`"),
    )
}

/// A number or a boolean is the text that stands in the file: `0123` keeps its zero.
fn text_of(data: &Data, node: &Node, file: &SourceFile) -> String {
    if let Data::Text(text) | Data::Raw(text) = data {
        return text.clone();
    }
    let line = file.text().lines().nth(node.start.line - 1).unwrap_or("");
    let length = node.end.column.saturating_sub(node.start.column);
    line.chars().skip(node.start.column - 1).take(length).collect()
}
