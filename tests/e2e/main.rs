//! End to end, on disposable machines: real Debian, real systemd, the tools as they are built.
//!
//! `make e2e T=name` runs those whose name holds `name`.

mod demo;
mod effects;
mod kill;
mod laws;
mod refuse;
mod repository;
mod secrets;
mod stop;
mod world;
mod writer;
