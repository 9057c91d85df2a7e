//! End to end, on disposable machines: real Debian, real systemd, the tools as they are built.
//!
//! `make e2e T=name` runs those whose name holds `name`.

mod demo;
mod executor;
mod fleet;
mod fleet_secrets;
mod kill;
mod laws;
mod refuse;
mod secrets;
mod ssh;
mod stop;
mod world;
mod writer;
