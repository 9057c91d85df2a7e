//! Checks and executes the steps of a machine.
