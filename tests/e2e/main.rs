//! End to end, on disposable machines: real Debian, real systemd, the tools as they are built.
//!
//! `make e2e T=name` runs those whose name holds `name`.

mod acme;
mod apps;
mod backup;
mod backup_away;
mod backup_hosts;
mod backup_kill;
mod behind;
mod carried;
mod databases;
mod demo;
mod dist;
mod effects;
mod executor;
mod faults;
mod fleet;
mod fleet_secrets;
mod groupware;
mod hostile;
mod injection;
mod instances;
mod kill;
mod kill_apps;
mod kill_every;
mod laws;
mod mail;
mod monitor;
mod mysql;
mod own_recipe;
mod planted;
mod platform;
mod refuse;
mod repository;
mod secrets;
mod sessions;
mod ssh;
mod stop;
mod strategies;
mod tampered;
mod unused;
mod upgrade;
mod upkeep;
mod way_in;
mod world;
mod writer;
