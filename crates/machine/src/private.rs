//! A thread with mounts of its own: what is mounted there, nobody else sees, and it is gone with the thread.

use std::fs;
use std::thread;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use pq_steps::Error;

use crate::cause::failed;

/// Runs something in a thread with a private mount namespace, which `prepare` has changed before.
///
/// # Errors
/// Where the namespace cannot be made (only root can), or what runs in it fails.
pub fn thread<T: Send>(
    prepare: impl FnOnce() -> Result<(), Error> + Send,
    act: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    thread::scope(|scope| {
        let actor = scope.spawn(|| {
            take()?;
            prepare()?;
            act()
        });
        match actor.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Takes a namespace of the calling thread's own, from which nothing gets out.
fn take() -> Result<(), Error> {
    let cannot = |doing: &str, errno: Errno| failed(format!("cannot {doing}"), errno);
    unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| cannot("take a mount namespace", errno))?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(|errno| cannot("make the mounts private", errno))
}

/// Where what is written is held, in memory: nothing there is of use to what is tried out.
const STAGE: &str = "/run/paquerette";

/// Runs something for which `/etc` can be changed without anybody else seeing it.
///
/// # Errors
/// Where such a view cannot be made: only root can, and only where the kernel has overlayfs.
pub fn with_etc_of_its_own<T: Send>(act: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    thread(overlay, act)
}

fn overlay() -> Result<(), Error> {
    let cannot = |error: std::io::Error| failed("cannot try out a configuration", error);
    fs::create_dir_all(STAGE).map_err(cannot)?;
    mount(Some("tmpfs"), STAGE, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("mode=0700"))
        .map_err(|errno| cannot(errno.into()))?;
    let (upper, work) = (format!("{STAGE}/upper"), format!("{STAGE}/work"));
    fs::create_dir(&upper).and_then(|()| fs::create_dir(&work)).map_err(cannot)?;
    let options = format!("lowerdir=/etc,upperdir={upper},workdir={work}");
    mount(Some("overlay"), "/etc", Some("overlay"), MsFlags::empty(), Some(options.as_str()))
        .map_err(|errno| cannot(errno.into()))
}
