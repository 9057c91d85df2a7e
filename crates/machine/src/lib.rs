//! Looks at and changes a real Linux machine.
