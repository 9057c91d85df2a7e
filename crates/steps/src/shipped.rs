//! Whether a file is as Debian brought it, so that nobody's work is in it.
//!
//! Asked only of a file that is not as we would write it and that we never wrote: it reads dpkg's lists, and hashes.

use md5::{Digest, Md5};

use crate::{AbsPath, Error, Probe};

/// Lists with lines of `<md5> <path>` in some order: configuration files of dpkg, and those that ucf keeps.
const LISTS: [&str; 2] = ["/var/lib/dpkg/status", "/var/lib/ucf/hashfile"];

/// Where dpkg lists what each package brought, but for configuration files.
const BROUGHT: &str = "/var/lib/dpkg/info";

/// What `base-files` copies into `/etc` when it is installed.
const COPIED: &str = "/usr/share/base-files";

/// Whether a file has the content that its package gave it.
///
/// # Errors
/// Where the machine does not answer.
pub fn as_shipped(machine: &dyn Probe, path: &AbsPath) -> Result<bool, Error> {
    let Some(content) = machine.read(path)? else { return Ok(false) };
    let md5 = Md5::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for list in LISTS {
        let text = machine.read(&AbsPath::known(list))?.unwrap_or_default();
        if String::from_utf8_lossy(&text).lines().any(|line| says(line, path.as_str(), &md5)) {
            return Ok(true);
        }
    }
    if path.parent().is_some_and(|parent| parent.as_str() == "/etc") {
        let copied = AbsPath::known(COPIED).join(path.name());
        if let Ok(copied) = copied
            && machine.read(&copied)?.is_some_and(|it| it == content)
        {
            return Ok(true);
        }
    }
    let directory = AbsPath::known(BROUGHT);
    for name in machine.list(&directory)?.unwrap_or_default() {
        let Ok(list) = directory.join(&name) else { continue };
        if !name.ends_with(".md5sums") {
            continue;
        }
        let text = machine.read(&list)?.unwrap_or_default();
        let relative = &path.as_str()[1..];
        if String::from_utf8_lossy(&text).lines().any(|line| says(line, relative, &md5)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a line of a list names this path with this digest: ` /etc/x <md5>` of dpkg, `<md5>  usr/x` and `<md5>  /etc/x`.
fn says(line: &str, path: &str, md5: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    matches!((words.next(), words.next()), (Some(one), Some(other)) if (one, other) == (path, md5) || (one, other) == (md5, path))
}

#[cfg(test)]
mod tests {
    use super::says;

    #[test]
    fn every_list_names_a_file_and_its_digest() {
        let md5 = "d41d8cd98f00b204e9800998ecf8427e";
        assert!(says(&format!(" /etc/x {md5}"), "/etc/x", md5));
        assert!(says(&format!(" /etc/x {md5} obsolete"), "/etc/x", md5));
        assert!(says(&format!("{md5}  usr/share/x"), "usr/share/x", md5));
        assert!(!says(&format!(" /etc/xy {md5}"), "/etc/x", md5));
        assert!(!says(" /etc/x newconffile", "/etc/x", md5));
    }
}
