//! Hosts, facts and recipes in, steps out.
