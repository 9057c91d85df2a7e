//! What apt would do, as its simulation says: `apt-get --simulate dist-upgrade`.
//!
//! Its lines are made for programs and have not changed since 1999; what is none of the kinds that are known here is an
//! error, and so is a sum that is another than that of the lines. The names of what stays as it is stand in texts for people.

use pq_steps::{Command, Error};
use pq_stream::{Diagnostic, PackageUpgrade};

/// What apt would do.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Simulation {
    /// What it would upgrade, or install for that, in its order.
    pub upgrades: Vec<PackageUpgrade>,
    /// What it would remove.
    pub removes: Vec<String>,
    /// What it leaves as it is.
    pub kept: Vec<String>,
    /// What Ubuntu gives to some machines before others, of which this is none yet.
    pub phased: Vec<String>,
}

/// The command that simulates; `what` are the words and options of the action.
pub fn command(what: &[&str]) -> Command {
    let mut argv = vec!["apt-get", "--simulate", "-q", "-y"];
    for option in [
        "APT::Color=0",
        "Debug::NoLocking=1",
        "APT::Get::Show-User-Simulation-Note=0",
        "APT::Output-Version=0",
    ] {
        argv.extend(["-o", option]);
    }
    argv.extend(what);
    let mut command = Command::new(argv);
    command.timeout = std::time::Duration::from_secs(5 * 60);
    command
}

/// Headings of the lists that matter, of apt 1 and 2, and of apt 3.
const KEPT: [&str; 2] = ["The following packages have been kept back:", "Not upgrading:"];
const PHASED: [&str; 2] =
    ["The following upgrades have been deferred due to phasing:", "Not upgrading yet due to phasing:"];

impl Simulation {
    /// Reads what apt said.
    ///
    /// # Errors
    /// Where it is not what apt says.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut all = Simulation::default();
        let mut sums = None;
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let list = match line {
                it if KEPT.contains(&it) => Some(&mut all.kept),
                it if PHASED.contains(&it) => Some(&mut all.phased),
                _ => None,
            };
            if let Some(list) = list {
                while let Some(names) = lines.next_if(|it| it.starts_with(' ')) {
                    list.extend(names.split_whitespace().map(str::to_owned));
                }
            } else if let Some(rest) = line.strip_prefix("Inst ") {
                all.upgrades.push(installed(rest).ok_or_else(|| unknown(line))?);
            } else if let Some(rest) = line.strip_prefix("Remv ") {
                let name = rest.split(' ').next().filter(|name| is_name(name));
                all.removes.push(name.ok_or_else(|| unknown(line))?.to_owned());
            } else if line.ends_with(" not upgraded.") || line.trim_start().starts_with("Upgrading: ") {
                sums = Some(line);
            }
        }
        match sums {
            None => Err(Error::failed("cannot read what apt would do", "its answer has no end")),
            Some(line) => match Sums::read(line) {
                Some(sums) if sums == Sums::of(&all) => Ok(all),
                _ => Err(unknown(line)),
            },
        }
    }
}

fn unknown(line: &str) -> Error {
    let line: String = line.chars().take(200).collect();
    Diagnostic::new("cannot read what apt would do")
        .cause(format!("this is none of the lines that are known: {line}"))
        .hint("report this line; `apt-get --simulate dist-upgrade` shows all of them")
        .into()
}

/// What follows `Inst`: `name [from] (to Label:1/archive, Label:2/archive [amd64]) [who is broken meanwhile]`.
fn installed(rest: &str) -> Option<PackageUpgrade> {
    let (name, rest) = rest.split_once(' ')?;
    let (from, rest) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (from, rest) = rest.split_once("] ")?;
            (Some(from.to_owned()), rest)
        }
        None => (None, rest),
    };
    let (body, _) = rest.strip_prefix('(')?.split_once("])")?;
    let (body, _architecture) = body.rsplit_once(" [")?;
    let (to, origins) = body.split_once(' ').unwrap_or((body, ""));
    let origins: Vec<String> = origins.split(", ").filter(|it| !it.is_empty()).map(str::to_owned).collect();
    let right = is_name(name) && is_version(to) && from.as_deref().is_none_or(is_version);
    right.then(|| PackageUpgrade {
        name: name.to_owned(),
        from,
        to: to.to_owned(),
        security: origins.iter().any(|it| is_security(it)),
        origins,
    })
}

/// Whether an origin is one of security updates: by its label, `Debian-Security`, or by the name of its archive,
/// `jammy-security`, `jammy-infra-security`.
fn is_security(origin: &str) -> bool {
    let (label, archive) = origin.split_once(':').unwrap_or((origin, ""));
    label == "Debian-Security" || archive.ends_with("-security")
}

/// Debian Policy 5.6.1, and an architecture behind it.
pub fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "+-.:".contains(c))
}

/// Debian Policy 5.6.12.
fn is_version(version: &str) -> bool {
    !version.is_empty() && version.chars().all(|c| c.is_ascii_alphanumeric() || ".+-~:".contains(c))
}

/// How many are changed how.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sums {
    upgraded: usize,
    new: usize,
    removed: usize,
}

impl Sums {
    fn of(all: &Simulation) -> Self {
        let upgraded = all.upgrades.iter().filter(|it| it.from.is_some()).count();
        Sums { upgraded, new: all.upgrades.len() - upgraded, removed: all.removes.len() }
    }

    /// Reads `1 upgraded, 2 newly installed, 0 to remove and 3 not upgraded.`, or `  Upgrading: 1, Installing: 2, …` of apt 3.
    fn read(line: &str) -> Option<Self> {
        let mut sums = Sums::default();
        for part in line.trim().trim_end_matches('.').replace(" and ", ", ").split(", ") {
            let (number, what) = match part.split_once(": ") {
                Some((what, number)) => (number, what),
                None => part.split_once(' ')?,
            };
            let number: usize = number.parse().ok()?;
            match what {
                "upgraded" | "downgraded" | "reinstalled" | "Upgrading" | "Downgrading" | "Reinstalling" => {
                    sums.upgraded += number;
                }
                "newly installed" | "Installing" => sums.new += number,
                "to remove" | "Removing" => sums.removed += number,
                "not upgraded" | "Not Upgrading" => {}
                _ => return None,
            }
        }
        Some(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Said by apt on machines of these; Ubuntu's put together from lines that were published, since none is booted here.
    const DEBIAN_11: &str = include_str!("../tests/apt/debian-11.txt");
    const DEBIAN_12: &str = include_str!("../tests/apt/debian-12.txt");
    const DEBIAN_13: &str = include_str!("../tests/apt/debian-13.txt");
    const UBUNTU_24: &str = include_str!("../tests/apt/ubuntu-24.04.txt");

    fn read(text: &str) -> Simulation {
        Simulation::parse(text).unwrap()
    }

    #[test]
    fn what_apt_says_on_each_debian_is_read() {
        for (text, label, kept) in [
            (DEBIAN_11, "Debian-Security:11/", "libexpat1"),
            (DEBIAN_12, "Debian-Security:12/", "libexpat1"),
            (DEBIAN_13, "Debian-Security:13/", "libzstd1"),
        ] {
            let all = read(text);
            assert!(!all.upgrades.is_empty() && all.removes.is_empty() && all.phased.is_empty(), "{label}");
            assert_eq!(all.kept, [kept], "{label}");
            for it in &all.upgrades {
                let from_there = it.origins.iter().any(|origin| origin.starts_with(label));
                assert_eq!(it.security, from_there, "{it:?}");
                assert!(it.from.as_ref().is_some_and(|from| *from != it.to), "{it:?}");
            }
        }
        let apt_3 = include_str!("../tests/apt/debian-13-output-30.txt");
        assert_eq!(read(DEBIAN_13), read(apt_3), "as apt 3 says it to people");
        let openssl = read(DEBIAN_12).upgrades.into_iter().find(|it| it.name == "openssl").unwrap();
        assert_eq!(openssl.from.as_deref(), Some("3.0.20-1~deb12u2"));
        assert_eq!(openssl.to, "3.0.22-1~deb12u2");
        assert!(openssl.security);
    }

    #[test]
    fn what_ubuntu_says_is_read_with_what_it_gives_to_others_first() {
        let all = read(UBUNTU_24);
        assert_eq!((all.kept, all.phased), (vec!["cloud-init".to_owned()], vec!["snapd".to_owned()]));
        let said: Vec<(&str, bool, bool)> =
            all.upgrades.iter().map(|it| (it.name.as_str(), it.from.is_some(), it.security)).collect();
        assert_eq!(
            said,
            [
                ("coreutils", true, false),
                ("libcap2", true, true),
                ("libnvidia-gl-525:i386", true, true),
                ("docker-ce", true, false),
                ("linux-modules-6.8.0-90-generic", false, true),
                ("linux-image-6.8.0-90-generic", false, true),
                ("linux-image-virtual", true, true),
            ]
        );
        assert_eq!(all.upgrades[3].origins, ["Docker CE:noble"]);
    }

    #[test]
    fn what_would_be_removed_is_known_and_what_is_not_known_is_an_error() {
        let sums = "0 upgraded, 0 newly installed, 1 to remove and 0 not upgraded.\n";
        assert_eq!(read(&format!("{sums}Remv exim4 [4.96-15] [mailutils:amd64 ]\n")).removes, ["exim4"]);
        let inst = "Inst a [1] (2 Debian:12/stable [amd64])\n";
        let one = "1 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n";
        assert_eq!(read(&format!("{one}{inst}")).upgrades.len(), 1);
        assert_eq!(
            read(&format!("Summary:\n  Upgrading: 1, Installing: 0, Removing: 0, Not Upgrading: 4\n{inst}"))
                .upgrades
                .len(),
            1
        );
        for wrong in [
            inst.to_owned(),
            one.to_owned(),
            format!("{one}{inst}{inst}"),
            format!("{one}Inst a [1] 2 Debian:12/stable [amd64]\n"),
            format!("{one}Inst a [1] (2 Debian:12/stable)\n"),
            format!("{one}Inst -oX=y [1] (2 Debian:12/stable [amd64])\n"),
            format!("{one}Inst a [1] (2;3 Debian:12/stable [amd64])\n"),
            format!("some upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n{inst}"),
        ] {
            assert!(Simulation::parse(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn security_is_told_by_the_label_or_the_end_of_the_archive_and_by_nothing_else() {
        for (origin, is) in [
            ("Debian-Security:13/stable-security", true),
            ("Debian-Security:10/oldstable", true),
            ("Ubuntu:16.04/xenial-security", true),
            ("UbuntuESM:18.04/bionic-infra-security", true),
            ("Ubuntu:24.04/noble-updates", false),
            ("foo-security:1/stable", false),
            ("Docker CE:bookworm", false),
            ("packages.example.org", false),
        ] {
            assert_eq!(is_security(origin), is, "{origin}");
        }
    }
}
