//! The operating system, by its own word.

use pq_steps::Error;

use crate::cause::failed;

const FILE: &str = "/etc/os-release";

/// `debian-12`, from `/etc/os-release`.
pub fn name() -> Result<String, Error> {
    let text =
        std::fs::read_to_string(FILE).map_err(|error| failed(format!("cannot read `{FILE}`"), error))?;
    parse(&text)
        .ok_or_else(|| Error::failed("cannot tell the operating system", format!("`{FILE}` does not say it")))
}

/// `ID` and `VERSION_ID`; os-release(5). Without a version, as Debian's testing is, the code name.
fn parse(text: &str) -> Option<String> {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(line.trim_matches(['"', '\'']).to_owned()).filter(|value| !value.is_empty())
    };
    let version = value("VERSION_ID").or_else(|| value("VERSION_CODENAME"));
    Some(format!("{}-{}", value("ID")?, version?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_id_and_version() {
        assert_eq!(parse("NAME=\"Debian\"\nVERSION_ID=\"12\"\nID=debian\n").unwrap(), "debian-12");
        assert_eq!(parse("ID=ubuntu\nVERSION_ID=\"24.04\"\n").unwrap(), "ubuntu-24.04");
        assert_eq!(parse("ID=debian\nVERSION_CODENAME=forky\n").unwrap(), "debian-forky");
        assert_eq!(parse("NAME=x\n"), None);
    }
}
