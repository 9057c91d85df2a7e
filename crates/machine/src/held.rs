//! Who holds the locks of dpkg and apt: told before they are waited for.

use std::fs::{self, File};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc::{F_UNLCK, F_WRLCK, SEEK_SET, flock};

/// The locks that an installation needs.
const LOCKS: [&str; 3] = ["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock"];

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Waits until nobody holds a lock, at most so long, and tells whom it waits for. Who still holds one then, apt names.
pub fn wait(most: Duration, told: &mut dyn FnMut(&str)) {
    let begun = Instant::now();
    let mut named = None;
    while let Some(holder) = LOCKS.iter().find_map(|lock| holder(lock)) {
        if named.as_ref() != Some(&holder) {
            let most = most.as_secs();
            told(&format!("packages are being changed by {holder}: waiting for it, at most {most} s"));
            named = Some(holder);
        }
        if begun.elapsed() >= most {
            return;
        }
        thread::sleep(PAUSE);
    }
}

/// The process that holds a lock, as `apt-get (process 123)`; nothing where nobody does.
fn holder(path: &str) -> Option<String> {
    let file = File::open(path).ok()?;
    let mut lock =
        flock { l_type: F_WRLCK as i16, l_whence: SEEK_SET as i16, l_start: 0, l_len: 0, l_pid: 0 };
    fcntl(&file, FcntlArg::F_GETLK(&mut lock)).ok()?;
    if lock.l_type == F_UNLCK as i16 {
        return None;
    }
    let name = fs::read_to_string(format!("/proc/{}/comm", lock.l_pid)).unwrap_or_default();
    Some(format!("`{}` (process {})", name.trim(), lock.l_pid))
}
