//! Output that is held back until it is known to be right, in little memory: the records of hosts are much alike.

use std::io::{self, BufWriter, Write};

use zstd::stream::raw::CParameter;
use zstd::stream::{copy_decode, write::Encoder};

/// One of compression's fastest levels: the output is alike enough.
const LEVEL: i32 = -5;

/// How far back it looks, as a power of two: further than a few hosts gains nothing.
const WINDOW: u32 = 16;

/// Text that nobody has seen yet.
pub struct Held {
    encoder: BufWriter<Encoder<'static, Vec<u8>>>,
}

impl Held {
    /// Nothing.
    ///
    /// # Errors
    /// Where there is no memory for it.
    pub fn new() -> io::Result<Self> {
        let mut encoder = Encoder::new(Vec::new(), LEVEL)?;
        encoder.set_parameter(CParameter::WindowLog(WINDOW))?;
        Ok(Held { encoder: BufWriter::with_capacity(32 << 10, encoder) })
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// What the output answers.
    pub fn release(self, out: impl Write) -> io::Result<()> {
        let encoder = self.encoder.into_inner().map_err(io::IntoInnerError::into_error)?;
        copy_decode(&encoder.finish()?[..], out)
    }
}

impl Write for Held {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.encoder.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
