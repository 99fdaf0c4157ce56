//! Configuration definitions.
