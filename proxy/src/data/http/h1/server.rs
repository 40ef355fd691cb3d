//! Serving a client that speaks HTTP/1.
