//! What paquerette keeps on a machine: locks, journal, ledger, reload hashes.
