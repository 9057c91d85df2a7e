//! `pq-secret who`: who is listed, and what each file says of who can open it.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;

use pq_cli::{Failure, printable};
use pq_secrets::{Header, Listed, SecretError};
use pq_stream::{Diagnostic, Status};

use super::keeper::{Keeper, Keys, recipients_file, secret};

/// Says who is listed, and how each file's header fits.
///
/// # Errors
/// Where a list cannot be read; or a file is none, or damaged: all others are told of nevertheless.
pub fn run(keys: &Keys, files: &[PathBuf]) -> Result<Status, Failure> {
    let files = if files.is_empty() { keys.all()? } else { files.to_vec() };
    let (mut out, mut told, mut unfit, mut damaged) = (String::new(), None, false, Vec::new());
    for file in &files {
        let keeper = Keeper::new(keys, file)?;
        let bytes = keeper.there()?;
        let list = recipients_file(&keeper.path)?;
        let listed = Listed::load(&list).map_err(secret)?;
        if told.as_ref() != Some(&list) {
            let _ = writeln!(out, "{} lists {}:", list.display(), count(listed.len(), "recipient"));
            for recipient in &listed {
                let _ = writeln!(out, "  {}", recipient.key);
                if !recipient.comment.is_empty() {
                    let _ = writeln!(out, "      {}", recipient.comment);
                }
            }
            told = Some(list);
        }
        let Some(header) = Header::read(&bytes) else {
            damaged.push(
                Diagnostic::new(format!("`{}` is no age file", keeper.path.display()))
                    .hint("restore the file from a copy or from git"),
            );
            continue;
        };
        let differs = header.differs(&listed);
        unfit |= !differs.is_empty();
        let fits = if differs.is_empty() { "as many as are listed".to_owned() } else { differs.join("; ") };
        let mine = match keeper.opened(&bytes) {
            Ok(_) => "opened by your identity",
            Err(error @ SecretError::Damaged { .. }) => {
                damaged.push(error.diagnostic());
                "damaged"
            }
            Err(_) => "not opened by your identity",
        };
        let _ = writeln!(
            out,
            "{}: {} ({}), {fits}, {mine}",
            keeper.path.display(),
            count(header.count(), "recipient"),
            header.kinds()
        );
    }
    write!(io::stdout(), "{}", printable(&out)).map_err(|error| Failure::output(&error))?;
    if unfit {
        super::say("`pq-secret rekey` encrypts to those who are listed");
    }
    if !damaged.is_empty() {
        return Err(Failure::Because(Status::Input, damaged));
    }
    Ok(if unfit { Status::Differs } else { Status::Done })
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
