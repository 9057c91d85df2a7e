//! The machine on which this program runs.
//!
//! Always true here: what was gathered of users, packages, units and databases is dropped as soon as something was done that
//! may have changed it; files are asked anew each time.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use pq_steps::{
    AbsPath, Archive, Certificate, CertificateRequest, Command, Converge, Download, Error, Found, Free,
    Heard, Http, Listener, Meta, Output, Package, Probe, Refusal, Reply, Session, SshLogin, Stat, System,
    Taken, Talk, Unit, UnitVerb,
};

use crate::cause::failed;
use crate::found::{found, listener};
use crate::inhibit::Inhibitor;
use crate::packages::Packages;
use crate::place::Place;
use crate::policy::Policy;
use crate::units::{self, Units};
use crate::usage::{Until, usage};
use crate::users::Users;
use crate::{
    apt, archive, certificate, children, database, download, files, http, kernel, logins, look, os,
    presented, private, readonly,
};

/// The machine on which this program runs.
#[derive(Debug, Default)]
pub struct Machine {
    users: RefCell<Option<Rc<Users>>>,
    packages: RefCell<Option<Rc<Packages>>>,
    units: RefCell<Units>,
    /// Units that will be asked about; asked together with the first one.
    expected: RefCell<Vec<String>>,
    /// What database servers answered, by session and question.
    heard: RefCell<HashMap<(Session, String), Heard>>,
    /// Holds up shutdown, from the first change on.
    inhibitor: Option<Inhibitor>,
    /// Whether that was asked for.
    held: bool,
}

impl Machine {
    /// This machine. The process creates files by umask 022 from now on, and so do the commands that it runs.
    pub fn local() -> Self {
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        Machine::default()
    }

    /// What the machine carries that is not ours; `ssh` is the port by which it is looked after.
    ///
    /// # Errors
    /// Where it cannot be found out.
    pub fn found(&self, ssh: u16) -> Result<Found, Error> {
        found(ssh, &*self.users()?)
    }

    pub(crate) fn users(&self) -> Result<Rc<Users>, Error> {
        let mut held = self.users.borrow_mut();
        if let Some(users) = &*held {
            return Ok(Rc::clone(users));
        }
        let users = Rc::new(Users::read()?);
        *held = Some(Rc::clone(&users));
        Ok(users)
    }

    fn packages(&self) -> Result<Rc<Packages>, Error> {
        let mut held = self.packages.borrow_mut();
        if let Some(packages) = &*held {
            return Ok(Rc::clone(packages));
        }
        let packages = Rc::new(Packages::read(Policy::left_over(&sbin()?)?)?);
        *held = Some(Rc::clone(&packages));
        Ok(packages)
    }

    pub(crate) fn forget(&mut self) {
        self.users.take();
        self.packages.take();
        self.units.take();
        self.heard.take();
    }

    /// Forgets what a change of a file may have made stale.
    fn touched(&mut self, path: &AbsPath) {
        let below = |directory: &str| {
            path.as_str().strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if matches!(path.as_str(), "/etc/passwd" | "/etc/group" | "/etc") {
            self.users.take();
        }
        if ["/etc/systemd", "/lib/systemd", "/usr/lib/systemd", "/run/systemd"].into_iter().any(below) {
            self.units.take();
        }
    }
}

/// How long the sizes of one thing are read.
const SIZES: Duration = Duration::from_secs(10);

/// Where `policy-rc.d` belongs.
fn sbin() -> Result<AbsPath, Error> {
    AbsPath::new("/usr/sbin").map_err(|cause| Error::failed("cannot set a policy for services", cause))
}

impl Probe for Machine {
    fn stat(&self, path: &AbsPath) -> Result<Option<Stat>, Error> {
        look::stat(path, &*self.users()?)
    }

    fn read(&self, path: &AbsPath) -> Result<Option<Vec<u8>>, Error> {
        look::read(path)
    }

    fn sha256(&self, path: &AbsPath) -> Result<Option<String>, Error> {
        look::sha256(path)
    }

    fn read_link(&self, path: &AbsPath) -> Result<Option<String>, Error> {
        look::read_link(path)
    }

    fn list(&self, path: &AbsPath) -> Result<Option<Vec<String>>, Error> {
        look::list(path)
    }

    fn taken(&self, path: &AbsPath) -> Result<Taken, Error> {
        let usage = usage(path.as_str().as_ref(), Until::within(SIZES));
        Ok(usage.map(|it| Taken { bytes: it.size, files: it.files, partial: it.partial }).unwrap_or_default())
    }

    fn free(&self, path: &AbsPath) -> Result<Free, Error> {
        let wrong = |error: rustix::io::Errno| failed(format!("cannot ask what is free at `{path}`"), error);
        let mut at = Path::new(path.as_str());
        while !at.exists() {
            at = at.parent().unwrap_or(Path::new("/"));
        }
        let (stat, system) = (rustix::fs::stat(at).map_err(wrong)?, rustix::fs::statvfs(at).map_err(wrong)?);
        Ok(Free {
            device: stat.st_dev,
            bytes: system.f_bavail.saturating_mul(system.f_frsize),
            files: (system.f_files > 0).then_some(system.f_favail),
        })
    }

    fn guarded(&self, path: &AbsPath) -> Result<bool, Error> {
        Ok(Place::find(path)?.is_none_or(|place| place.ours))
    }

    fn package(&self, name: &str) -> Result<Option<Package>, Error> {
        Ok(self.packages()?.get(name).cloned())
    }

    fn unit(&self, name: &str) -> Result<Option<Unit>, Error> {
        if let Some(unit) = self.units.borrow().get(name) {
            return Ok(unit.clone());
        }
        let expected = self.expected.take();
        let mut names: Vec<&str> =
            expected.iter().map(String::as_str).filter(|other| *other != name).collect();
        names.push(name);
        let units = units::ask(&names, &*self.users()?)?;
        let unit = units.get(name).cloned().flatten();
        self.units.borrow_mut().extend(units);
        Ok(unit)
    }

    fn gather_units(&self, names: &[&str]) {
        let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        names.sort();
        names.dedup();
        self.expected.replace(names);
    }

    fn os(&self) -> Result<String, Error> {
        os::name()
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn ask(&self, command: &Command) -> Result<Output, Error> {
        let users = self.users()?;
        // Only what can be shared goes into the other thread.
        let users: &Users = &users;
        readonly::within(|| children::run(command, users))
    }

    fn query(&self, session: &Session, sql: &str) -> Result<Heard, Error> {
        let question = (session.clone(), sql.to_owned());
        if let Some(heard) = self.heard.borrow().get(&question) {
            return Ok(heard.clone());
        }
        let heard = database::ask(session, sql, &*self.users()?)?;
        self.heard.borrow_mut().insert(question, heard.clone());
        Ok(heard)
    }

    fn http(&self, request: &Http) -> Result<Reply, Error> {
        http::ask(request)
    }

    fn certificate(&self, path: &AbsPath) -> Result<Option<Certificate>, Error> {
        certificate::read(path)
    }

    fn presented(&self, name: &str) -> Result<Option<Certificate>, Error> {
        presented::presented(name)
    }

    fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Error> {
        presented::addresses(name)
    }

    fn listener(&self, port: u16) -> Result<Option<Listener>, Error> {
        Ok(listener(port))
    }

    fn logins(&self) -> Result<Vec<SshLogin>, Error> {
        logins::logins()
    }
}

impl System for Machine {
    fn recover(&mut self) -> Result<(), Error> {
        if Policy::lift_left_over(&sbin()?)? {
            self.forget();
        }
        Ok(())
    }

    fn hold(&mut self) {
        if !self.held {
            self.inhibitor = Inhibitor::ask();
            self.held = true;
        }
    }

    fn make_dir(&mut self, path: &AbsPath, meta: &Meta) -> Result<(), Error> {
        self.touched(path);
        files::make_dir(path, self.users()?.numbers(meta)?)
    }

    fn write(&mut self, path: &AbsPath, content: &[u8], meta: &Meta) -> Result<(), Error> {
        self.touched(path);
        files::write(path, content, self.users()?.numbers(meta)?)
    }

    fn set_meta(&mut self, path: &AbsPath, meta: &Meta) -> Result<(), Error> {
        self.touched(path);
        files::set_meta(path, self.users()?.numbers(meta)?)
    }

    fn symlink(&mut self, target: &str, path: &AbsPath) -> Result<(), Error> {
        self.touched(path);
        files::symlink(target, path)
    }

    fn rename(&mut self, from: &AbsPath, to: &AbsPath) -> Result<(), Error> {
        self.touched(from);
        self.touched(to);
        files::rename(from, to)
    }

    fn remove(&mut self, path: &AbsPath) -> Result<(), Error> {
        self.touched(path);
        files::remove(path)
    }

    fn download(&mut self, download: &Download, to: &AbsPath) -> Result<(), Error> {
        download::fetch(download, to)
    }

    fn fetch(&mut self, url: &str, max_bytes: u64) -> Result<Vec<u8>, Error> {
        download::fetch_small(url, max_bytes)
    }

    fn unpack(&mut self, archive: &Archive, into: &AbsPath) -> Result<(), Error> {
        archive::unpack(archive, into, self.users()?.numbers(&archive.meta)?)
    }

    fn install(&mut self, packages: &[&str], told: &mut dyn FnMut(&str)) -> Result<(), Error> {
        let users = self.users()?;
        self.forget();
        apt::install(packages, &sbin()?, &users, told)
    }

    fn uninstall(&mut self, packages: &[&str], keep: &[&str]) -> Result<(), Error> {
        let users = self.users()?;
        self.forget();
        apt::remove(packages, keep, &users)
    }

    fn unit_do(&mut self, verb: UnitVerb, unit: &str) -> Result<(), Error> {
        if verb != UnitVerb::DaemonReload && self.unit(unit)?.is_none() {
            return Err(Error::absent("unit", unit));
        }
        let users = self.users()?;
        self.units.take();
        self.heard.take();
        units::act(verb, unit, &users)
    }

    fn run(&mut self, command: &Command) -> Result<Output, Error> {
        let users = self.users()?;
        self.forget();
        children::run(command, &users)
    }

    fn talk(&mut self, session: &Session) -> Result<Result<Box<dyn Talk + '_>, Refusal>, Error> {
        self.heard.take();
        let talk = database::talk(session, &*self.users()?)?;
        Ok(talk.map(|talk| talk as Box<dyn Talk>))
    }

    fn rehearse(&mut self, steps: &[&dyn Converge], command: &Command) -> Result<Output, Error> {
        private::with_etc_of_its_own(|| {
            let mut machine = Machine::default();
            steps.iter().try_for_each(|step| step.apply(&mut machine))?;
            machine.run(command)
        })
    }

    fn set_kernel(&mut self, path: &AbsPath, value: &str) -> Result<(), Error> {
        kernel::set(path, value)
    }

    fn issue(&mut self, request: &CertificateRequest) -> Result<(), Error> {
        certificate::issue(request, SystemTime::now())
    }
}
