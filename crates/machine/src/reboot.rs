//! Whether the machine should be booted anew, and why.

use std::cmp::Ordering;
use std::fs;
use std::path::Path;

use crate::packages::Packages;

/// Where packages say so, as Debian's and Ubuntu's do.
const REQUIRED: &str = "run/reboot-required";

/// Why the machine should be booted anew; empty where it need not.
pub fn reasons(root: &Path, packages: &Packages) -> Vec<String> {
    let mut why = Vec::new();
    if root.join(REQUIRED).exists() {
        let named = fs::read_to_string(root.join(format!("{REQUIRED}.pkgs"))).unwrap_or_default();
        let mut named: Vec<&str> = named.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
        named.sort_unstable();
        named.dedup();
        why.push(match named.is_empty() {
            true => format!("`/{REQUIRED}` says so"),
            false => format!("packages ask for it: {}", named.join(", ")),
        });
    }
    // The kernel of a container is not its own.
    if !root.join("run/systemd/container").exists() {
        let uname = rustix::system::uname();
        let (release, build) = (uname.release().to_string_lossy(), uname.version().to_string_lossy());
        why.extend(kernel(&installed(root), packages, &release, &build));
    }
    why
}

/// The releases of the kernels in `/boot`.
fn installed(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root.join("boot")).into_iter().flatten().flatten();
    entries.filter_map(|it| it.file_name().to_str()?.strip_prefix("vmlinuz-").map(str::to_owned)).collect()
}

/// Whether a newer kernel is there than the one that runs.
fn kernel(installed: &[String], packages: &Packages, release: &str, build: &str) -> Option<String> {
    let newest = installed
        .iter()
        .filter(|it| flavour(it) == flavour(release))
        .max_by(|one, other| compare(one, other))?;
    if compare(newest, release) == Ordering::Greater {
        return Some(format!("kernel {newest} is installed, and {release} runs"));
    }
    // Debian names the version of the package that it was built from: `#1 SMP PREEMPT_DYNAMIC Debian 6.1.119-1 (2024-11-22)`.
    let runs = build.split_once("Debian ")?.1.split(' ').next()?;
    let package = packages.get(&format!("linux-image-{release}"))?;
    (package.configured && package.version != runs)
        .then(|| format!("kernel {release} of {} is installed, and that of {runs} runs", package.version))
}

/// What stands behind the version: `amd64`, `cloud-amd64`, `generic`.
fn flavour(release: &str) -> &str {
    let mut rest = release;
    while let Some((head, tail)) = rest.split_once('-') {
        if !head.starts_with(|c: char| c.is_ascii_digit()) {
            break;
        }
        rest = tail;
    }
    rest
}

/// Compares versions by their numbers: `6.1.0-9` comes before `6.1.0-28`.
fn compare(one: &str, other: &str) -> Ordering {
    let numbers = |text: &str| -> Vec<u64> {
        text.split(|c: char| !c.is_ascii_digit()).filter_map(|it| it.parse().ok()).collect()
    };
    numbers(one).cmp(&numbers(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(installed: &[&str], release: &str, build: &str) -> Option<String> {
        let installed: Vec<String> = installed.iter().map(|it| (*it).to_owned()).collect();
        let packages = Packages::parse(
            "Package: linux-image-6.1.0-28-amd64\nStatus: install ok installed\nVersion: 6.1.119-1\n",
        );
        kernel(&installed, &packages, release, build)
    }

    #[test]
    fn a_newer_kernel_of_the_same_flavour_asks_for_a_boot() {
        let build = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.119-1 (2024-11-22)";
        assert_eq!(said(&["6.1.0-28-amd64", "6.1.0-9-amd64"], "6.1.0-28-amd64", build), None);
        assert_eq!(
            said(&["6.1.0-28-amd64", "6.1.0-9-amd64"], "6.1.0-9-amd64", "").unwrap(),
            "kernel 6.1.0-28-amd64 is installed, and 6.1.0-9-amd64 runs"
        );
        assert_eq!(said(&["6.8.0-90-generic", "6.9.0-1-lowlatency"], "6.8.0-90-generic", ""), None);
        assert_eq!(
            said(&[], "6.18.0", ""),
            None,
            "another's kernel, as in a virtual machine without its own"
        );
    }

    #[test]
    fn a_kernel_that_was_replaced_under_its_own_name_asks_for_a_boot() {
        let build = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.115-1 (2024-11-01)";
        let said = said(&["6.1.0-28-amd64"], "6.1.0-28-amd64", build).unwrap();
        assert_eq!(said, "kernel 6.1.0-28-amd64 of 6.1.119-1 is installed, and that of 6.1.115-1 runs");
    }

    #[test]
    fn packages_that_ask_for_it_are_named() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("run/systemd")).unwrap();
        fs::write(root.path().join("run/systemd/container"), "systemd-nspawn").unwrap();
        let why = || reasons(root.path(), &Packages::default());
        assert!(why().is_empty());
        fs::write(root.path().join(REQUIRED), "*** System restart required ***\n").unwrap();
        assert_eq!(why(), ["`/run/reboot-required` says so"]);
        fs::write(root.path().join("run/reboot-required.pkgs"), "libc6\ndbus\nlibc6\n").unwrap();
        assert_eq!(why(), ["packages ask for it: dbus, libc6"]);
    }
}
