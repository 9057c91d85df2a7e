//! What can be done to the machine in memory, each as the changes that a real machine would see one after the other.

use pq_steps::{
    AbsPath, Archive, CertificateRequest, Command, Converge, Download, Error, Kind, Meta, Output, Refusal,
    Session, System, Talk, UnitVerb,
};

use super::disk::{Node, What};
use super::probe::sha256;
use super::{MemoryMachine, archive};

/// Where a file is written before it gets its name.
fn beside(path: &AbsPath) -> String {
    let parent =
        path.parent().map_or(String::new(), |parent| parent.as_str().trim_end_matches('/').to_owned());
    format!("{parent}/.{}.pq-tmp", path.name())
}

fn in_the_way(path: &AbsPath, is: &Node) -> Error {
    Error::failed(format!("cannot make `{path}`"), format!("{} stands there", is.kind().words()))
}

impl MemoryMachine {
    /// Whether the accounts have the user and the group that are to own something.
    fn owners_exist(&self, meta: &Meta) -> Result<(), Error> {
        let Some(ownership) = &meta.ownership else { return Ok(()) };
        for (file, what, name) in
            [("/etc/passwd", "user", &ownership.owner), ("/etc/group", "group", &ownership.group)]
        {
            if !self.disk.text(file).lines().any(|line| line.split(':').next() == Some(name)) {
                return Err(Error::absent(what, name));
            }
        }
        Ok(())
    }

    /// Owner first, then mode, one after the other; what is already so is left.
    fn dress(&mut self, path: &str, meta: &Meta) -> Result<(), Error> {
        self.owners_exist(meta)?;
        if let Some(it) = &meta.ownership
            && self.disk.get(path).is_some_and(|is| (&is.owner, &is.group) != (&it.owner, &it.group))
        {
            self.disk.set_owner(path, &it.owner, &it.group)?;
        }
        match meta.mode.map(pq_steps::Mode::bits) {
            Some(mode) if self.disk.get(path).is_some_and(|is| is.mode != mode) => {
                self.disk.set_mode(path, mode)
            }
            _ => Ok(()),
        }
    }

    /// Removes what a killed predecessor may have left.
    fn sweep(&mut self, path: &str) -> Result<(), Error> {
        match self.disk.get(path) {
            Some(_) => self.disk.unlink(path),
            None => Ok(()),
        }
    }
}

impl System for MemoryMachine {
    fn make_dir(&mut self, path: &AbsPath, meta: &Meta) -> Result<(), Error> {
        self.owners_exist(meta)?;
        match self.disk.get(path.as_str()) {
            Some(is) if is.kind() != Kind::Directory => return Err(in_the_way(path, is)),
            Some(_) => {}
            None => {
                let parents: Vec<&str> =
                    path.as_str().match_indices('/').map(|(end, _)| &path.as_str()[..end]).skip(1).collect();
                for parent in parents {
                    if self.disk.follow(parent).is_none() {
                        self.disk.make(parent, What::Directory, 0o755)?;
                    }
                }
                self.disk.make(path.as_str(), What::Directory, 0o755)?;
            }
        }
        self.dress(path.as_str(), meta)
    }

    fn write(&mut self, path: &AbsPath, content: &[u8], meta: &Meta) -> Result<(), Error> {
        self.owners_exist(meta)?;
        let old = match self.disk.get(path.as_str()) {
            Some(is) if is.kind() != Kind::File => return Err(in_the_way(path, is)),
            is => is.map(|is| (is.mode, is.owner.clone(), is.group.clone())),
        };
        let fresh = beside(path);
        self.sweep(&fresh)?;
        self.disk.make(&fresh, What::File(Vec::new()), 0o600)?;
        self.disk.fill(&fresh, &content[..content.len() / 2])?;
        self.disk.fill(&fresh, content)?;
        let (mode, owner, group) = old.unwrap_or((0o644, "root".to_owned(), "root".to_owned()));
        self.disk.set_owner(&fresh, &owner, &group)?;
        self.disk.set_mode(&fresh, mode)?;
        self.dress(&fresh, meta)?;
        self.disk.rename(&fresh, path.as_str())
    }

    fn set_meta(&mut self, path: &AbsPath, meta: &Meta) -> Result<(), Error> {
        match self.disk.get(path.as_str()) {
            None => Err(Error::absent("file", path.as_str())),
            Some(is) if is.kind() == Kind::Symlink => Err(in_the_way(path, is)),
            Some(_) => self.dress(path.as_str(), meta),
        }
    }

    fn symlink(&mut self, target: &str, path: &AbsPath) -> Result<(), Error> {
        match self.disk.get(path.as_str()) {
            Some(is) if is.kind() != Kind::Symlink => return Err(in_the_way(path, is)),
            Some(is) if is.what == What::Link(target.to_owned()) => return Ok(()),
            _ => {}
        }
        let fresh = beside(path);
        self.sweep(&fresh)?;
        self.disk.make(&fresh, What::Link(target.to_owned()), 0o777)?;
        self.disk.rename(&fresh, path.as_str())
    }

    fn rename(&mut self, from: &AbsPath, to: &AbsPath) -> Result<(), Error> {
        self.disk.rename(from.as_str(), to.as_str())
    }

    fn remove(&mut self, path: &AbsPath) -> Result<(), Error> {
        let Some(real) = self.disk.resolve(path.as_str(), false) else { return Ok(()) };
        if self.disk.get(&real).is_none() {
            return Ok(());
        }
        for below in self.disk.names_below(&real).iter().rev() {
            self.disk.unlink(below)?;
        }
        self.disk.unlink(&real)
    }

    fn download(&mut self, download: &Download, to: &AbsPath) -> Result<(), Error> {
        let cannot = |cause: String| Error::failed(format!("cannot download `{}`", download.url), cause);
        let content = self.served.get(&download.url).cloned();
        let content = content.ok_or_else(|| cannot("404 not found".to_owned()))?;
        if content.len() as u64 > download.max_bytes {
            return Err(cannot(format!("it is larger than {} bytes", download.max_bytes)));
        }
        let fresh = beside(to);
        self.sweep(&fresh)?;
        self.disk.make(&fresh, What::File(Vec::new()), 0o600)?;
        self.disk.fill(&fresh, &content[..content.len() / 2])?;
        self.disk.fill(&fresh, &content)?;
        let digest = sha256(&content);
        if digest != download.sha256 {
            self.disk.unlink(&fresh)?;
            return Err(cannot(format!("its SHA-256 is {digest}, not {}", download.sha256)));
        }
        self.disk.rename(&fresh, to.as_str())
    }

    fn fetch(&mut self, url: &str, _: u64) -> Result<Vec<u8>, Error> {
        let content = self.served.get(url).cloned();
        content.ok_or_else(|| Error::failed(format!("cannot fetch `{url}`"), "404 not found"))
    }

    fn unpack(&mut self, archive: &Archive, into: &AbsPath) -> Result<(), Error> {
        archive::unpack(&mut self.disk, archive, into)?;
        self.dress(into.as_str(), &archive.meta)
    }

    fn install(&mut self, packages: &[&str], _: &mut dyn FnMut(&str)) -> Result<(), Error> {
        self.install_packages(packages)
    }

    fn uninstall(&mut self, packages: &[&str], _keep: &[&str]) -> Result<(), Error> {
        self.uninstall_packages(packages)
    }

    fn unit_do(&mut self, verb: UnitVerb, unit: &str) -> Result<(), Error> {
        self.act_on_unit(verb, unit)
    }

    fn run(&mut self, command: &Command) -> Result<Output, Error> {
        self.execute(command)
    }

    fn talk(&mut self, session: &Session) -> Result<Result<Box<dyn Talk + '_>, Refusal>, Error> {
        self.open_talk(session)
    }

    /// On a copy, of which only what the command said remains.
    fn rehearse(&mut self, steps: &[&dyn Converge], command: &Command) -> Result<Output, Error> {
        let mut copy = self.clone();
        copy.revive();
        steps.iter().try_for_each(|step| step.apply(&mut copy))?;
        copy.execute(command)
    }

    fn set_kernel(&mut self, path: &AbsPath, value: &str) -> Result<(), Error> {
        // Numbers come back with tabs between them.
        let shown = value.split(' ').collect::<Vec<_>>().join("\t") + "\n";
        self.disk.fill(path.as_str(), shown.as_bytes())
    }

    fn issue(&mut self, request: &CertificateRequest) -> Result<(), Error> {
        self.issue_certificate(request)
    }
}
