//! Whether an archive is the one that was asked for, before anything of it is read.
//!
//! The file that is hashed is the one that is unpacked: it is opened once, and nobody else may write to it.

use std::fs::File;
use std::io::{Read, Seek};

use pq_steps::{Archive, Error};
use pq_stream::Diagnostic;
use rustix::fs::fstat;
use sha2::{Digest, Sha256};

use crate::cause::failed;
use crate::look::hex;
use crate::place::is_ours;

/// Hashes an archive, and goes back to its beginning.
pub fn is_as_wanted(archive: &Archive, file: &mut File) -> Result<(), Error> {
    let cannot = |error: std::io::Error| failed(format!("cannot read `{}`", archive.path), error);
    let refused = || Diagnostic::new(format!("cannot unpack `{}`", archive.path));
    if !is_ours(&fstat(&*file).map_err(|errno| cannot(errno.into()))?) {
        return Err(refused()
            .cause("somebody else than root may write to it, and could exchange it while it is read")
            .hint("give it to root, 0644, once you know that it is what you want")
            .into());
    }
    let (mut hasher, mut length, mut buffer) = (Sha256::new(), 0, vec![0; 256 * 1024]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                hasher.update(&buffer[..read]);
                length += read as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(cannot(error)),
        }
    }
    let digest = hex(&hasher.finalize());
    if !digest.eq_ignore_ascii_case(&archive.sha256) {
        return Err(refused()
            .cause(format!("its SHA-256 is {digest} ({length} bytes)"))
            .cause(format!("wanted is {}", archive.sha256))
            .hint("it is not what was pinned: do not unpack it before you know why")
            .into());
    }
    file.rewind().map_err(cannot)
}
