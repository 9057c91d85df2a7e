//! Bare Debian: which one, and how its image is made (once, by debootstrap).
//!
//! The image holds what a minimal installation with an ssh server has, and the lab's own network and package cache;
//! nothing of what our recipes install. Machines share its ssh host keys; each draws its own machine id.

use std::fmt;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use super::error::{Doing, Error, Result};
use super::home::Home;
use super::host;
use super::image::{self, Stored};
use super::network::HOST_ADDRESS;
use super::service::Service;

/// A release of Debian that machines can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// Debian 11.
    Bullseye,
    /// Debian 12.
    Bookworm,
    /// Debian 13.
    Trixie,
}

const SUITES: [(Suite, &str); 3] =
    [(Suite::Bullseye, "bullseye"), (Suite::Bookworm, "bookworm"), (Suite::Trixie, "trixie")];

const MIRROR: &str = "http://deb.debian.org/debian";
const PACKAGES: &str = "systemd,systemd-sysv,dbus,iproute2,ca-certificates,openssh-server,sudo,python3";

/// Raised when the way an image is made changes.
const EDITION: u32 = 2;

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = SUITES.iter().find(|(suite, _)| suite == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

impl FromStr for Suite {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        SUITES.iter().find(|(_, name)| *name == text).map(|(suite, _)| *suite).ok_or_else(|| {
            let known = SUITES.map(|(_, name)| name).join("`, `");
            Error::new(format!("unknown suite `{text}`")).hint(format!("there are `{known}`"))
        })
    }
}

/// The image of a bare Debian, made when it is not there yet: about a minute, 320 MB.
pub(super) fn base(home: &Home, suite: Suite) -> Result<Stored> {
    let name = suite.to_string();
    let key = format!("{EDITION} {MIRROR} {PACKAGES}");
    let current = || image::stored(home, &name).filter(|image| image.key == key);
    if let Some(image) = current() {
        return Ok(image);
    }
    let _building = home.build_lock(&name)?;
    if let Some(image) = current() {
        return Ok(image);
    }
    eprintln!("lab: making the image of Debian {name}, once: about a minute");
    let tree = home.path("building").join(&name);
    let doing = || format!("prepare `{}`", tree.display());
    if tree.exists() {
        fs::remove_dir_all(&tree).doing(doing)?;
    }
    bootstrap(suite, &tree)?;
    furnish(suite, &tree)?;
    image::store(home, &name, &key, &tree, &[])
}

fn bootstrap(suite: Suite, tree: &Path) -> Result<()> {
    let proxy = format!("http_proxy={}", Service::Packages.url());
    let include = format!("--include={PACKAGES}");
    let tree = tree.display().to_string();
    let suite = suite.to_string();
    host::run("env", [&proxy, "debootstrap", "--variant=minbase", &include, &suite, &tree, MIRROR]).map_err(
        |error| error.hint("the mirror may be out of reach; `debootstrap.log` stands in the tree"),
    )?;
    Ok(())
}

fn furnish(suite: Suite, tree: &Path) -> Result<()> {
    let write = |path: &str, text: &str| {
        fs::write(tree.join(path), text).doing(|| format!("write `{path}` of the image"))
    };
    // Empty: each machine draws its own when it boots.
    write("etc/machine-id", "")?;
    // debootstrap leaves this computer's own there, with its mode.
    let resolv = tree.join("etc/resolv.conf");
    fs::remove_file(&resolv).doing(|| format!("remove `{}`", resolv.display()))?;
    write("etc/resolv.conf", "")?;
    write("etc/apt/apt.conf.d/90lab", &format!("Acquire::http::Proxy \"{}\";\n", Service::Packages.url()))?;
    write("etc/apt/sources.list", &sources(suite))?;
    let tree = tree.display().to_string();
    host::run("chroot", [&tree, "systemctl", "--quiet", "enable", "systemd-networkd"])?;
    host::run("chroot", [&tree, "apt-get", "clean"])?;
    Ok(())
}

/// The suite, and its updates where the mirror has them.
fn sources(suite: Suite) -> String {
    let mut text = format!("deb {MIRROR} {suite} main\n");
    let security = MIRROR.replace("/debian", "/debian-security");
    for (mirror, suite) in [(MIRROR, format!("{suite}-updates")), (&security, format!("{suite}-security"))] {
        if on_mirror(&format!("{mirror}/dists/{suite}/InRelease")).unwrap_or(false) {
            text.push_str(&format!("deb {mirror} {suite} main\n"));
        }
    }
    text
}

fn on_mirror(url: &str) -> std::io::Result<bool> {
    let address = SocketAddr::from((HOST_ADDRESS, Service::Packages.port()));
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    write!(stream, "HEAD {url} HTTP/1.0\r\n\r\n")?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    Ok(answer.ends_with(b" 200"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_suite_is_named_with_those_there_are() {
        assert_eq!("trixie".parse(), Ok(Suite::Trixie));
        let error = "sid".parse::<Suite>().unwrap_err();
        assert_eq!(error.to_string(), "unknown suite `sid` (there are `bullseye`, `bookworm`, `trixie`)");
    }
}
