//! A setting of the kernel: what it is now, below `/proc/sys`, and what it is made at every boot, by a file of its own.
//!
//! The running kernel is set first: what it refuses never gets into the file that the next boot reads.

use pq_stream::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{compare_meta, ensure_directory, in_the_way, write_root};
use crate::ledger::{Thing, ThingKind};
use crate::{AbsPath, Check, Converge, Differences, Error, Kind, Mode, Probe, System, Text};

/// The kernel has this setting, now and after every boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sysctl {
    /// Its name, as in `net.ipv4.ip_forward`. A dot within a part is written `/`, as sysctl.d(5) has it:
    /// `net.ipv4.conf.eth0/100.rp_filter`; or the other way round, where the first separator is a `/`.
    pub name: String,
    /// Its value. Several are separated by spaces; how many does not matter.
    pub value: String,
}

/// Where files of settings are, sysctl.d(5): of two of one name, the first counts; all are read in the order of names.
const DIRECTORIES: [&str; 4] =
    ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d"];

const MODE: Mode = Mode::from_bits(0o644);

/// Another file that sets the same at boot, later than ours.
struct Overruled {
    path: AbsPath,
    value: String,
}

/// The parts of a setting's path: the first separator says which of `.` and `/` separates, and which belongs to a part.
fn parts(name: &str) -> Vec<String> {
    let dotted = name.find(['.', '/']).is_some_and(|at| name[at..].starts_with('.'));
    let swapped = |c| match c {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    let path: String = if dotted { name.chars().map(swapped).collect() } else { name.to_owned() };
    path.split('/').map(str::to_owned).collect()
}

/// A value with one space between its words.
fn plain(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The last value that a file of settings gives to one, compared by its parts. Patterns never overrule a name.
fn last_value(text: &str, wanted: &[String]) -> Option<String> {
    let settings = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    let pairs = settings.filter_map(|line| line.trim_start_matches('-').split_once('='));
    pairs.filter(|(name, _)| parts(name.trim()) == wanted).map(|(_, value)| plain(value)).next_back()
}

impl Sysctl {
    fn path(&self, path: String) -> Result<AbsPath, Error> {
        AbsPath::new(path).map_err(|cause| Error::failed(format!("cannot set `{}`", self.name), cause))
    }

    /// The setting in the kernel.
    fn live(&self) -> Result<AbsPath, Error> {
        self.path(format!("/proc/sys/{}", parts(&self.name).join("/")))
    }

    /// Its file. A dot within a part becomes `:`, so that no two settings share one.
    fn file_name(&self) -> String {
        let parts: Vec<String> = parts(&self.name).iter().map(|part| part.replace('.', ":")).collect();
        format!("60-paquerette-{}.conf", parts.join("."))
    }

    /// Where its file is.
    pub fn place(&self) -> String {
        format!("{}/{}", DIRECTORIES[0], self.file_name())
    }

    fn content(&self) -> Text {
        let name = parts(&self.name).iter().map(|part| part.replace('.', "/")).collect::<Vec<_>>().join(".");
        let text =
            format!("# written by paquerette: changes are put back\n{name} = {}\n", plain(&self.value));
        text.as_str().into()
    }

    /// The value that the kernel has.
    fn is(&self, machine: &dyn Probe) -> Result<String, Error> {
        let live = self.live()?;
        let absent = || Error::absent("setting of the kernel", self.name.clone());
        let is = machine.stat(&live)?.ok_or_else(absent)?;
        let refused = |cause: &str| Diagnostic::new(format!("cannot keep `{}`", self.name)).cause(cause);
        if is.kind != Kind::File {
            return Err(refused("it is a group of settings").hint("name one of them").into());
        }
        if is.mode.bits() & 0o444 == 0 {
            return Err(refused("it has no value to read: writing to it has the kernel do something once")
                .hint("have a `command` step do it")
                .into());
        }
        let bytes = machine.read(&live)?.ok_or_else(absent)?;
        Ok(plain(&String::from_utf8_lossy(&bytes)))
    }

    /// The file that has the last word at boot, where it is not ours and says something else.
    fn overruled(&self, machine: &dyn Probe) -> Result<Option<Overruled>, Error> {
        let (ours, wanted) = (self.file_name(), parts(&self.name));
        let mut later = std::collections::BTreeMap::new();
        for directory in DIRECTORIES {
            let names = machine.list(&AbsPath::known(directory))?.unwrap_or_default();
            for name in names.into_iter().filter(|name| *name > ours && name.ends_with(".conf")) {
                let path = self.path(format!("{directory}/{name}"))?;
                later.entry(name).or_insert(path);
            }
        }
        for path in later.into_values().rev() {
            // A link to `/dev/null` takes a file of that name out of the order.
            if machine.read_link(&path)?.is_some_and(|target| target == "/dev/null") {
                continue;
            }
            let text = machine.read(&path)?.unwrap_or_default();
            if let Some(value) = last_value(&String::from_utf8_lossy(&text), &wanted) {
                return Ok((value != plain(&self.value)).then_some(Overruled { path, value }));
            }
        }
        Ok(None)
    }

    /// Sets the running kernel, and sees what it makes of the value.
    fn set(&self, machine: &mut dyn System) -> Result<(), Error> {
        let wanted = plain(&self.value);
        if self.is(machine)? == wanted {
            return Ok(());
        }
        machine.set_kernel(&self.live()?, &wanted)?;
        match self.is(machine)? {
            is if is == wanted => Ok(()),
            is => Err(Diagnostic::new(format!("cannot set `{}` to `{wanted}`", self.name))
                .cause(format!("the kernel made `{is}` of it"))
                .hint("write the value as the kernel shows it, if that is right")
                .into()),
        }
    }
}

impl Converge for Sysctl {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let mut found = Differences::new();
        found.between(&self.name, &self.is(machine)?, &plain(&self.value));
        if let Some(other) = self.overruled(machine)? {
            found.push(other.path.as_str(), Some(&format!("`{}` at every boot", other.value)), None);
        }
        let path = self.path(self.place())?;
        match machine.stat(&path)? {
            None => found.push("file for the next boot", Some("missing"), Some("present")),
            Some(is) if is.kind != Kind::File => return Err(in_the_way("file", &path, &is)),
            Some(is) => {
                let open = is.mode.read_by_others();
                found.content(&machine.read(&path)?.unwrap_or_default(), &self.content(), open);
                compare_meta(&mut found, &is, MODE, "root", "root");
            }
        }
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        if let Some(other) = self.overruled(machine)? {
            return Err(Diagnostic::new(format!("cannot set `{}` for good", self.name))
                .cause(format!("`{}` sets it to `{}` at every boot, after us", other.path, other.value))
                .hint("take the line out of that file, or put its value into the inventory")
                .into());
        }
        self.set(machine)?;
        let path = self.path(self.place())?;
        ensure_directory(machine, path.parent())?;
        write_root(machine, &path, self.content().as_bytes())
    }

    fn validate(&self) -> Result<(), String> {
        // No device and no setting has a colon, a pattern or a comment's sign in its name.
        let fine = |c: char| c.is_ascii_graphic() && !"=*?[]:;#\\\"'".contains(c);
        let part = |part: &String| !part.is_empty() && part != "." && part != ".." && part.chars().all(fine);
        let parts = parts(&self.name);
        if parts.len() < 2 || !parts.iter().all(part) || self.name.starts_with('-') || self.name.len() > 200 {
            return Err(format!(
                "`name` `{}` is no setting of the kernel, as in `net.ipv4.ip_forward`",
                self.name.escape_debug()
            ));
        }
        match plain(&self.value).is_empty() || self.value.chars().any(char::is_control) {
            true => Err("`value` is empty or holds a control character".to_owned()),
            false => Ok(()),
        }
    }

    fn things(&self) -> Vec<Thing> {
        vec![Thing::new(ThingKind::File, self.place())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sysctl(name: &str, value: &str) -> Sysctl {
        Sysctl { name: name.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn the_first_separator_says_what_a_dot_and_a_slash_mean() {
        for name in ["net.ipv4.conf.eth0/100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter"] {
            let step = sysctl(name, "1");
            assert_eq!(step.live().unwrap().as_str(), "/proc/sys/net/ipv4/conf/eth0.100/rp_filter");
            assert_eq!(step.place(), "/etc/sysctl.d/60-paquerette-net.ipv4.conf.eth0:100.rp_filter.conf");
            assert!(step.content().as_str().ends_with("\nnet.ipv4.conf.eth0/100.rp_filter = 1\n"));
        }
    }

    #[test]
    fn a_name_that_leads_elsewhere_or_is_a_pattern_is_refused() {
        for name in ["", "vm", "vm.", ".vm.x", "vm/../../etc", "net.*.x", "-vm.x", "vm.a b", "vm.x=1", "vm.é"]
        {
            assert!(sysctl(name, "1").validate().is_err(), "{name}");
        }
        for value in ["", "  ", "1\n2", "1\t2"] {
            assert!(sysctl("vm.swappiness", value).validate().is_err(), "{value:?}");
        }
        assert_eq!(sysctl("net.ipv4.ip_local_port_range", "1024  65000").validate(), Ok(()));
    }

    #[test]
    fn the_last_value_in_a_file_counts_however_its_name_is_written() {
        let text =
            "# vm.swappiness = 1\n;vm.swappiness=2\nvm/swappiness=3\n -vm.swappiness =\t4 \nvm.* = 5\n";
        assert_eq!(last_value(text, &parts("vm.swappiness")).as_deref(), Some("4"));
        assert_eq!(last_value(text, &parts("vm.overcommit_memory")), None);
    }
}
