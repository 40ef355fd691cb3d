//! Whole connections over loopback: a client of ours, the proxy, servers of ours.

mod books;
mod filters;
mod h1;
mod h2;
mod hostile;
mod peer;
mod policy;
mod retry;
mod routes;
mod support;
