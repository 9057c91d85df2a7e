//! One thing in an archive, whatever the archive's format is.

/// One thing in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name as it is written.
    pub name: Vec<u8>,
    /// What it is.
    pub what: What,
}

/// What comes out of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A directory.
    Directory,
    /// A file.
    File {
        /// How many bytes it says that it has.
        size: u64,
        /// Whether its owner may execute it: all that counts of its mode.
        executable: bool,
    },
    /// A symbolic link, and where it leads.
    Link(Vec<u8>),
    /// Nothing: why not.
    Refused(String),
}
