//! Resources in, configurations out.
