//! What the lab serves on the bridge: Debian's packages from a cache of its own, and sources over HTTP.
//!
//! A service stays when the process that started it ends; `lab down --all` stops it. One that answers already is used.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::error::{Doing, Error, Result};
use super::home::{Home, write_whole};
use super::host::last_lines;
use super::lacking::find_program;
use super::network::HOST_ADDRESS;
use super::process::Process;

/// A program that listens on the bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// apt-cacher-ng: machines fetch packages through it.
    Packages,
    /// The directory `sources`, as a web server shows it.
    Sources,
}

impl Service {
    pub const ALL: [Service; 2] = [Service::Packages, Service::Sources];

    fn name(self) -> &'static str {
        match self {
            Service::Packages => "packages",
            Service::Sources => "sources",
        }
    }

    pub fn port(self) -> u16 {
        match self {
            Service::Packages => 3142,
            Service::Sources => 8088,
        }
    }

    /// Where it answers.
    pub fn url(self) -> String {
        format!("http://{HOST_ADDRESS}:{}", self.port())
    }

    /// Starts it, unless it answers. The caller holds the lock.
    pub fn start(self, home: &Home) -> Result<()> {
        if self.answers() {
            return Ok(());
        }
        let name = self.name();
        let argv = self.argv(home)?;
        let log_path = home.path(format!("services/{name}.log"));
        let doing = || format!("start the lab's service `{name}`");
        let log = File::create(&log_path).doing(doing)?;
        let child = Command::new("setsid")
            .args(&argv)
            .current_dir(home.path("services"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().doing(doing)?)
            .stderr(log)
            .spawn()
            .doing(doing)?;
        if let Some(process) = Process::of(child.id()) {
            let record = serde_json::to_vec(&process).doing(doing)?;
            write_whole(&home.path(format!("services/{name}.json")), &record)?;
        }
        let patience = Instant::now() + Duration::from_secs(20);
        while !self.answers() {
            if Instant::now() > patience || Process::of(child.id()).is_none() {
                let cause = last_lines(&fs::read(&log_path).unwrap_or_default(), 3);
                return Err(Error::new(format!(
                    "the lab's service `{name}` does not answer on {}",
                    self.url()
                ))
                .because(cause)
                .hint(format!("its log is `{}`", log_path.display())));
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Stops the one that was started for this directory.
    pub fn stop(self, home: &Home) {
        let record = home.path(format!("services/{}.json", self.name()));
        let process = fs::read(&record).ok().and_then(|bytes| serde_json::from_slice::<Process>(&bytes).ok());
        if let Some(process) = process {
            process.signal(Signal::SIGTERM);
            let patience = Instant::now() + Duration::from_secs(5);
            while process.alive() && Instant::now() < patience {
                sleep(Duration::from_millis(20));
            }
            process.signal(Signal::SIGKILL);
        }
        // The record of a process that is gone tells nobody anything.
        let _ = fs::remove_file(record);
    }

    fn answers(self) -> bool {
        let address = SocketAddr::from((HOST_ADDRESS, self.port()));
        TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_ok()
    }

    fn argv(self, home: &Home) -> Result<Vec<String>> {
        let program = |name: &str| {
            find_program(name)
                .map(|path| path.display().to_string())
                .ok_or_else(|| Error::new(format!("no program `{name}`")).hint("`make tools` installs it"))
        };
        let port = self.port().to_string();
        Ok(match self {
            Service::Packages => {
                let conf = home.path("apt/conf");
                for dir in ["apt/conf", "apt/cache", "apt/log"] {
                    home.make(&home.path(dir))?;
                }
                write_whole(&conf.join("acng.conf"), packages_conf(home).as_bytes())?;
                vec![program("apt-cacher-ng")?, "-c".into(), conf.display().to_string()]
            }
            Service::Sources => {
                let dir = home.path("sources").display().to_string();
                let bind = HOST_ADDRESS.to_string();
                let python = program("python3")?;
                [&python, "-m", "http.server", "--bind", &bind, "--directory", &dir, &port]
                    .map(str::to_owned)
                    .to_vec()
            }
        })
    }
}

/// The configuration of apt-cacher-ng: its own directories, the bridge alone, any mirror.
fn packages_conf(home: &Home) -> String {
    format!(
        "CacheDir: {}\nLogDir: {}\nSupportDir: /usr/lib/apt-cacher-ng\nPort: {}\nBindAddress: {HOST_ADDRESS}\n\
         PassThroughPattern: .*\nForeGround: 1\nVerboseLog: 0\n",
        home.path("apt/cache").display(),
        home.path("apt/log").display(),
        Service::Packages.port(),
    )
}
