//! Every refusal by name, and what is issued as its verifiers see it.

mod request;
mod secret;
mod token;
