//! Hostile archives, made by code: what each one tries, and what has to become of it.
//!
//! Always true here: a case is either refused, with an error that holds certain words (the entry's name and the cause),
//! or harmless, with exactly one tree that comes out. No archive needs leading directories to be dropped.

mod packed;
mod tape;
mod tars;
mod zipped;
mod zips;

/// The most entries under which the verdicts hold; all bytes that a step takes by default may come out.
pub const MAX_ENTRIES: u64 = 50_000;

/// What has to become of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is refused; the error holds these words.
    Refused(Vec<&'static str>),
    /// It is unpacked into this tree: `NAME MODE`, a directory's name with a slash at its end, `NAME -> TARGET`; sorted.
    Harmless(Vec<&'static str>),
}

/// A hostile archive.
pub struct Hostile {
    /// What it tries.
    pub name: &'static str,
    make: Box<dyn Fn() -> Vec<u8> + Send + Sync>,
    /// What has to become of it.
    pub verdict: Verdict,
}

impl std::fmt::Debug for Hostile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {:?}", self.name, self.verdict)
    }
}

impl Hostile {
    /// Its bytes, made anew: some are large.
    pub fn archive(&self) -> Vec<u8> {
        (self.make)()
    }

    fn refused<const N: usize>(
        name: &'static str,
        words: [&'static str; N],
        make: impl Fn() -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Hostile { name, make: Box::new(make), verdict: Verdict::Refused(words.to_vec()) }
    }

    fn harmless<const N: usize>(
        name: &'static str,
        tree: [&'static str; N],
        make: impl Fn() -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Hostile { name, make: Box::new(make), verdict: Verdict::Harmless(tree.to_vec()) }
    }
}

/// Every hostile archive.
pub fn archives() -> Vec<Hostile> {
    [tars::all(), packed::all(), zips::all()].into_iter().flatten().collect()
}
