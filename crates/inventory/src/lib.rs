//! An inventory directory in, hosts out.
