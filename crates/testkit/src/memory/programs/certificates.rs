//! `certbot certonly`, and what `openssl` says of keys.

use pq_steps::{AbsPath, Command, Error, Meta, Mode, Output, System};

use super::{arguments, done, fails, says};
use crate::memory::MemoryMachine;
use crate::memory::certificates::key_in;

const TOP: &str = "/etc/letsencrypt";

/// The number of the key that a certificate is for, or that is one.
pub(super) fn openssl(machine: &mut MemoryMachine, command: &Command) -> Result<Output, Error> {
    let arguments = arguments(command);
    let path = arguments.last().copied().unwrap_or_default();
    match key_in(&machine.disk.text(path)) {
        Some(number) => says(format!("{number}\n")),
        None => fails(1, format!("Could not read from {path}")),
    }
}

/// Makes its files in the order in which the real one does: a file of settings that says nothing yet is the first.
pub(super) fn certbot(machine: &mut MemoryMachine, command: &Command) -> Result<Output, Error> {
    let arguments = arguments(command);
    let value = |option: &str| {
        let at = arguments.iter().position(|word| *word == option);
        at.and_then(|at| arguments.get(at + 1).copied()).unwrap_or_default()
    };
    let (name, server) = (value("--cert-name"), value("--server"));
    let mut names: Vec<&str> =
        arguments.windows(2).filter(|pair| pair[0] == "-d").map(|pair| pair[1]).collect();
    names.sort_unstable();
    let at = |below: String| {
        AbsPath::new(format!("{TOP}/{below}")).map_err(|cause| Error::failed("certbot", cause))
    };
    let conf = at(format!("renewal/{name}.conf"))?;
    let (live, archive) = (at(format!("live/{name}"))?, at(format!("archive/{name}"))?);
    let there = machine.disk.get(conf.as_str()).is_some();
    let whole = machine.disk.text(conf.as_str()).contains("[renewalparams]");
    if there != whole || !whole && machine.disk.get(live.as_str()).is_some() {
        return fails(1, format!("something of {name} is there already"));
    }
    let open = |mode| Meta::new(Mode::from_bits(mode), "root", "root");
    machine.make_dir(&at("renewal".to_owned())?, &open(0o755))?;
    if !there {
        machine.write(&conf, b"", &open(0o644))?;
    }
    machine.make_dir(&archive, &open(0o700))?;
    machine.make_dir(&live, &open(0o700))?;
    let number = machine.disk.clock.to_string();
    let chain = machine.certificate_text(&names.join(" "), 90, &number, "public");
    for (file, text, mode) in [("privkey", format!("key: {number}\n"), 0o600), ("fullchain", chain, 0o644)] {
        machine.write_text(&at(format!("archive/{name}/{file}1.pem"))?, &text, mode)?;
        machine
            .symlink(&format!("../../archive/{name}/{file}1.pem"), &at(format!("live/{name}/{file}.pem"))?)?;
    }
    let settings = format!("[renewalparams]\nserver = {server}\n");
    if machine.disk.text(conf.as_str()) != settings {
        machine.write_text(&conf, &settings, 0o644)?;
    }
    done()
}
