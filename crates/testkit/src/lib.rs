//! The vocabulary of tests: objects from YAML that a user could write, and xDS as readable JSON.
//!
//! Flows in: YAML, encoded resources. Flows out: [`weft_model::Objects`], JSON. Panics on what it
//! does not understand: a test that says nonsense must fail. Never part of a program.

pub mod endpoints;
pub mod envoy;
pub mod golden;
pub mod objects;
pub mod print;

pub use objects::objects;
pub use print::json;
