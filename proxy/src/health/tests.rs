//! Probes over real sockets.
