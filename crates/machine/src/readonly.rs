//! A view of the machine in which nothing can be written, for commands that only look.
//!
//! A thread takes a private mount namespace and makes every mount in it read-only; what it starts sees the machine
//! through that, and nobody else does. Devices, sockets and pipes stay usable. That costs some system calls, no process.

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use pq_steps::Error;

use crate::cause::failed;
use crate::private;

/// Runs something in a thread that can write to no file system.
///
/// # Errors
/// Where the view cannot be made (only root can), or what runs in it fails.
pub fn within<T: Send>(look: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    private::thread(close, look)
}

/// The same for a program that cannot do without temporary files: `/tmp` is one of its own, in memory, and gone with it.
///
/// # Errors
/// As [`within`].
pub fn with_scratch<T: Send>(look: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    let prepare = || {
        close()?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some("tmpfs"), "/tmp", Some("tmpfs"), flags, Some("mode=1777"))
            .map_err(|errno| failed("cannot make a `/tmp` of its own", errno))
    };
    private::thread(prepare, look)
}

/// Makes every mount of the calling thread's own namespace read-only.
fn close() -> Result<(), Error> {
    let cannot = |doing: &str, errno: Errno| {
        failed(format!("cannot look at the machine without being able to write: cannot {doing}"), errno)
    };
    let none: Option<&str> = None;
    let mounts = std::fs::read_to_string("/proc/thread-self/mountinfo")
        .map_err(|error| failed("cannot read what is mounted", error))?;
    for (path, flags) in mounts.lines().filter_map(parse) {
        let flags = flags | MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        match mount(none, path.as_str(), none, flags, none) {
            Ok(()) => {}
            Err(errno) if path == "/" => return Err(cannot("make `/` read-only", errno)),
            Err(errno) if is_out_of_reach(errno) => {}
            Err(errno) => return Err(cannot(&format!("make `{path}` read-only"), errno)),
        }
    }
    Ok(())
}

/// Whether nobody can write through a mount anyway: it is gone, hidden under another one, or closed to us.
fn is_out_of_reach(errno: Errno) -> bool {
    matches!(errno, Errno::ENOENT | Errno::EINVAL | Errno::EACCES)
}

/// A mount's path and the flags that it has and must keep; those that are read-only already are left out.
fn parse(line: &str) -> Option<(String, MsFlags)> {
    let fields: Vec<&str> = line.split(' ').collect();
    let (path, options) = (fields.get(4)?, fields.get(5)?);
    let mut flags = MsFlags::empty();
    for option in options.split(',') {
        flags |= match option {
            "ro" => return None,
            "nosuid" => MsFlags::MS_NOSUID,
            "nodev" => MsFlags::MS_NODEV,
            "noexec" => MsFlags::MS_NOEXEC,
            "noatime" => MsFlags::MS_NOATIME,
            "nodiratime" => MsFlags::MS_NODIRATIME,
            "relatime" => MsFlags::MS_RELATIME,
            _ => MsFlags::empty(),
        };
    }
    Some((unescaped(path), flags))
}

/// `\040` and the like become what they stand for; `proc(5)`.
fn unescaped(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let code = after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => {
                text.push(char::from(code));
                rest = &after[3..];
            }
            None => {
                text.push('\\');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_mount_that_nobody_reaches_may_stay_writable() {
        assert!([Errno::ENOENT, Errno::EINVAL, Errno::EACCES].into_iter().all(is_out_of_reach));
        assert!(![Errno::EPERM, Errno::EBUSY, Errno::EIO, Errno::ENOMEM].into_iter().any(is_out_of_reach));
    }

    #[test]
    fn a_mount_keeps_its_flags_and_one_that_is_read_only_is_left_alone() {
        let line = "36 35 98:0 / /mnt/my\\040disk rw,nosuid,nodev,relatime shared:2 - ext3 /dev/root rw";
        let (path, flags) = parse(line).unwrap();
        assert_eq!(path, "/mnt/my disk");
        assert_eq!(flags, MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_RELATIME);
        assert_eq!(parse("36 35 98:0 / /mnt ro,nosuid - ext3 /dev/root rw"), None);
    }
}
