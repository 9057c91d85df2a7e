//! The bridge on which machines meet each other and this computer; nothing of it is routed further.

use std::net::Ipv4Addr;
use std::path::Path;

use super::error::{Error, Result};
use super::host;

pub(super) const BRIDGE: &str = "pqlab0";

/// This computer's address on the bridge: packages, sources and test servers answer there.
pub const HOST_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

/// Its own. Without one it takes the lowest of what hangs on it, another one with each machine that comes or goes, and for
/// seconds the other machines reach nothing.
const HARDWARE: &str = "02:70:71:6c:61:62";

/// Addresses end in one of these; what is below is left to people.
const ENDINGS: std::ops::RangeInclusive<u8> = 11..=250;

/// Makes the bridge, unless it is there.
pub(super) fn raise() -> Result<()> {
    if !bridge_exists() {
        host::run("ip", ["link", "add", BRIDGE, "address", HARDWARE, "type", "bridge"])
            .map_err(|error| error.hint("the kernel needs bridges: `modprobe bridge`"))?;
    }
    host::run("ip", ["addr", "replace", &format!("{HOST_ADDRESS}/24"), "dev", BRIDGE])?;
    host::run("ip", ["link", "set", BRIDGE, "up"])?;
    Ok(())
}

/// Takes the bridge away.
pub(super) fn lower() -> Result<()> {
    if bridge_exists() {
        host::run("ip", ["link", "delete", BRIDGE])?;
    }
    Ok(())
}

fn bridge_exists() -> bool {
    Path::new("/sys/class/net").join(BRIDGE).exists()
}

/// The first address that no machine has.
pub(super) fn free_address(taken: &[Ipv4Addr]) -> Result<Ipv4Addr> {
    ENDINGS
        .map(|ending| Ipv4Addr::new(10, 77, 0, ending))
        .find(|address| !taken.contains(address))
        .ok_or_else(|| Error::new("no address is free on the bridge").hint("`lab ls` lists the machines"))
}

/// Forgets which machine had an address before: until it is asked anew, this computer would go on sending to that one.
pub(super) fn forget(address: Ipv4Addr) -> Result<()> {
    host::run("ip", ["neigh", "flush", "to", &address.to_string(), "dev", BRIDGE]).map(drop)
}

/// What systemd-networkd reads inside the machine.
pub(super) fn inside(address: Ipv4Addr) -> String {
    format!("[Match]\nName=host0\n\n[Network]\nAddress={address}/24\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_given_once() {
        let first = free_address(&[]).unwrap();
        assert_eq!(first, Ipv4Addr::new(10, 77, 0, 11));
        assert_eq!(free_address(&[first]).unwrap(), Ipv4Addr::new(10, 77, 0, 12));
        let all: Vec<_> = ENDINGS.map(|ending| Ipv4Addr::new(10, 77, 0, ending)).collect();
        assert!(free_address(&all).is_err());
    }
}
