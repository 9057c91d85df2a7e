//! The catalogue of recipes and its loader.
