//! The server of both variants.
