//! What one instance had goes to another of the same application: paths, databases and accounts by its name.
//!
//! Always true here: a name is exchanged where it stands alone, as a directory or as who owns something; never within the data.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use pq_items::{BackupItem, Engine};
use pq_stream::Diagnostic;

use crate::manifest::{Accounts, Dumped, Manifest, Source};

/// From which name to which.
pub struct Renamed {
    from: String,
    to: String,
}

impl Renamed {
    /// Nothing is called otherwise.
    pub fn not() -> Self {
        Renamed { from: String::new(), to: String::new() }
    }

    /// What was backed up of an instance goes to another.
    ///
    /// # Errors
    /// Where that is no instance of the same application and version.
    pub fn to(item: &BackupItem, manifest: &Manifest) -> Result<Self, Diagnostic> {
        let (from, to) = (manifest.item.clone(), item.owner.as_str().to_owned());
        let cannot =
            |cause: String| Diagnostic::new(format!("`{to}` cannot get what `{from}` had")).cause(cause);
        let (Some(is), Some(was)) = (&item.instance, &manifest.instance) else {
            return Err(cannot("both must be instances".to_owned()));
        };
        if is.app != was.app {
            return Err(cannot(format!("`{to}` is of {}, `{from}` was of {}", is.app, was.app)));
        }
        if is.version != was.version {
            return Err(cannot(format!(
                "`{to}` is {} {}, the backup is of {}",
                is.app, is.version, was.version
            ))
            .hint(format!(
                "install `{to}` with `version: \"{}\"` first; upgrade it afterwards",
                was.version
            )));
        }
        let renamed = Renamed { from: from.clone(), to: to.clone() };
        for path in &manifest.paths {
            let place = renamed.path(path);
            if !item.paths.include.iter().any(|it| Path::new(&place).starts_with(it.as_str())) {
                return Err(cannot(format!("`{path}` has no place there: `{place}` is not backed up of it")));
            }
        }
        Ok(renamed)
    }

    fn is_none(&self) -> bool {
        self.from == self.to
    }

    /// Where a path is now.
    pub fn path(&self, path: &str) -> String {
        let part =
            |part: &str| if part == self.from && !self.is_none() { self.to.clone() } else { part.to_owned() };
        path.split('/').map(part).collect::<Vec<_>>().join("/")
    }

    /// Whose accounts they are now.
    pub fn accounts(&self, was: &Accounts) -> Accounts {
        let name = |(name, number): (&String, &u32)| match *name == self.from && !self.is_none() {
            true => (self.to.clone(), *number),
            false => (name.clone(), *number),
        };
        Accounts {
            users: was.users.iter().map(name).collect(),
            groups: was.groups.iter().map(name).collect(),
        }
    }

    /// What a dump is of now. Of a server's databases, each goes to the one of the same server.
    ///
    /// # Errors
    /// Where the other has none, or several.
    pub fn dump(&self, dump: &Dumped, item: &BackupItem) -> Result<Dumped, Diagnostic> {
        if self.is_none() {
            return Ok(dump.clone());
        }
        let of = match &dump.of {
            Source::Sqlite { path } => {
                let path = self.path(path);
                if !item.sqlite.iter().any(|it| it.as_str() == path) {
                    return Err(self.without(dump, &format!("`{path}` is not backed up of it")));
                }
                Source::Sqlite { path }
            }
            Source::Accounts { engine } => Source::Accounts { engine: *engine },
            Source::Database(was) => {
                let mut same = item.databases.iter().filter(|it| it.engine == was.engine);
                match (same.next(), same.next()) {
                    (Some(one), None) => Source::Database(one.clone()),
                    (None, _) => return Err(self.without(dump, "it has no database of that server")),
                    (Some(_), Some(_)) => {
                        return Err(self.without(dump, "it has several databases of that server"));
                    }
                }
            }
        };
        Ok(Dumped { of, ..dump.clone() })
    }

    fn without(&self, dump: &Dumped, cause: &str) -> Diagnostic {
        Diagnostic::new(format!("`{}` has no place for {}", self.to, dump.of.words())).cause(cause)
    }

    /// In a dump of PostgreSQL, what belonged to the one belongs to the other.
    ///
    /// # Errors
    /// Where it cannot be read or written.
    pub fn owners(&self, dump: &Dumped, file: &Path) -> io::Result<()> {
        let postgres = matches!(&dump.of, Source::Database(it) if it.engine == Engine::Postgres);
        if self.is_none() || !postgres {
            return Ok(());
        }
        let beside = file.with_extension("renamed");
        let mut from = BufReader::new(File::open(file)?);
        let mut to = BufWriter::new(
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?,
        );
        let (mut line, mut rows) = (Vec::new(), false);
        loop {
            line.clear();
            if from.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            match (rows, std::str::from_utf8(&line)) {
                (true, _) => rows = line != b"\\.\n",
                (false, Ok(text)) => {
                    rows = text.starts_with("COPY ") && text.trim_end().ends_with(" FROM stdin;");
                    if let Some(other) = self.statement(text) {
                        line = other.into_bytes();
                    }
                }
                (false, Err(_)) => {}
            }
            to.write_all(&line)?;
        }
        to.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(beside, file)
    }

    /// A statement that says whose something is, with the other name.
    fn statement(&self, line: &str) -> Option<String> {
        let (text, end) = line.strip_suffix(";\n").map(|text| (text, ";\n"))?;
        let says = ["ALTER ", "GRANT ", "REVOKE "].iter().any(|verb| text.starts_with(verb));
        let quoted = format!("\"{}\"", self.from);
        let before = text.strip_suffix(&quoted).or_else(|| text.strip_suffix(&self.from)).filter(|_| says)?;
        let whose = [" OWNER TO ", " TO ", " FROM "].iter().any(|word| before.ends_with(word));
        whose.then(|| format!("{before}\"{}\"{end}", self.to))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn renamed() -> Renamed {
        Renamed { from: "wiki".into(), to: "wiki2".into() }
    }

    #[test]
    fn a_name_is_exchanged_where_it_stands_alone() {
        assert_eq!(
            renamed().path("/srv/paquerette/www/wiki/kept/wiki.txt"),
            "/srv/paquerette/www/wiki2/kept/wiki.txt"
        );
        assert_eq!(Renamed::not().path("/srv//wiki"), "/srv//wiki");
        let was = Accounts {
            users: BTreeMap::from([("wiki".into(), 7), ("www-data".into(), 33)]),
            ..Accounts::default()
        };
        assert_eq!(
            renamed().accounts(&was).users,
            BTreeMap::from([("wiki2".into(), 7), ("www-data".into(), 33)])
        );
    }

    #[test]
    fn in_a_dump_only_statements_say_whose_something_is() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("dump");
        let of = Source::Database(pq_items::Database {
            engine: Engine::Postgres,
            name: serde_json::from_str("\"wiki\"").unwrap(),
        });
        let dump = Dumped { part: "p".into(), of, report: Default::default() };
        let text = "ALTER TABLE public.wiki OWNER TO wiki;\nCOPY public.a (x) FROM stdin;\nALTER TABLE a OWNER TO wiki;\n\\.\nGRANT ALL ON SCHEMA x TO \"wiki\";\nGRANT ALL ON SCHEMA x TO mywiki;\n";
        fs::write(&file, text).unwrap();
        renamed().owners(&dump, &file).unwrap();
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            "ALTER TABLE public.wiki OWNER TO \"wiki2\";\nCOPY public.a (x) FROM stdin;\nALTER TABLE a OWNER TO wiki;\n\\.\nGRANT ALL ON SCHEMA x TO \"wiki2\";\nGRANT ALL ON SCHEMA x TO mywiki;\n"
        );
    }
}
