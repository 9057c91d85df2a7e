//! Output that is held back until it is known to be right, in little memory: what is large waits in a temporary file
//! that has no name and that nobody else may open. What shows secrets never goes there.

use std::env;
use std::io::{self, BufWriter, Cursor, Seek, Write};

use pq_inventory::Secrets;
use tempfile::{SpooledData, SpooledTempFile};

/// Up to so many bytes stay in memory: the stream of some forty machines.
const IN_MEMORY: usize = 256 << 10;

/// Text that nobody has seen yet.
pub struct Held {
    text: BufWriter<SpooledTempFile>,
}

impl Held {
    /// Nothing yet, of an output that shows secrets or does not.
    pub fn new(secrets: Secrets) -> Self {
        let limit = match secrets {
            Secrets::Hidden => IN_MEMORY,
            Secrets::Revealed => usize::MAX,
        };
        Held { text: BufWriter::with_capacity(32 << 10, SpooledTempFile::new(limit)) }
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// What the output answers.
    pub fn release(self, mut out: impl Write) -> io::Result<()> {
        let text = self.text.into_inner().map_err(|error| unkept(&error.into_error()))?;
        match text.into_inner() {
            SpooledData::InMemory(text) => out.write_all(&Cursor::into_inner(text))?,
            SpooledData::OnDisk(mut file) => {
                file.rewind().map_err(|error| unkept(&error))?;
                io::copy(&mut file, &mut out)?;
            }
        }
        out.flush()
    }
}

impl Write for Held {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.write(bytes).map_err(|error| unkept(&error))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn unkept(error: &io::Error) -> io::Error {
    let directory = env::temp_dir();
    let message =
        format!("no temporary file in `{}` takes the output until it is whole: {error}", directory.display());
    io::Error::new(error.kind(), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(secrets: Secrets, bytes: usize) -> Held {
        let mut held = Held::new(secrets);
        for chunk in vec![b'x'; bytes].chunks(1000) {
            held.write_all(chunk).unwrap();
        }
        held.text.flush().unwrap();
        held
    }

    #[test]
    fn what_is_large_waits_in_a_file_and_comes_out_whole() {
        for (bytes, rolled) in [(0, false), (100_000, false), (1_000_001, true)] {
            let held = held(Secrets::Hidden, bytes);
            assert_eq!(held.text.get_ref().is_rolled(), rolled, "{bytes}");
            let mut out = Vec::new();
            held.release(&mut out).unwrap();
            assert_eq!(out, vec![b'x'; bytes]);
        }
    }

    #[test]
    fn what_shows_secrets_stays_in_memory() {
        assert!(!held(Secrets::Revealed, 1_000_001).text.get_ref().is_rolled());
    }
}
