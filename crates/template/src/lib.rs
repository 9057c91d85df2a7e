//! The one Jinja environment.
