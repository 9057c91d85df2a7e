//! Disposable machines, a machine in memory, and the laws every step obeys.

pub mod hostile;
pub mod lab;
pub mod laws;
pub mod memory;
