//! How every tool speaks: terminal or pipe, errors, exit statuses.
