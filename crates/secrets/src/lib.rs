//! Age files, sealing, sinks and derivation.
