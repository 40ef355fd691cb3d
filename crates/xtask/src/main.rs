//! The project's tasks: `cargo xtask <task>`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "these tasks talk to a person at a terminal"
)]

mod bench;
mod cluster;
mod codegen;
mod command;
mod demo;
mod fields;
mod images;
mod place;
mod soak;
mod target;
mod test;
mod tidy;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

#[derive(Debug, Parser)]
#[command(about = "Weft's build, cluster and test tasks")]
enum Task {
    /// Write the CRDs from the Rust types, and the proxy's table of Envoy's fields.
    Codegen {
        /// Only say whether they are fresh.
        #[arg(long)]
        check: bool,
    },
    /// Check the house rules: layers, sizes, comments, generated files.
    Tidy,
    /// Build the programs and their OCI archives under target/images.
    Images {
        /// `release`, or `dev` for a quick try.
        #[arg(long, default_value = "release")]
        profile: String,
        /// Also load them into the local cluster.
        #[arg(long)]
        load: bool,
        /// Which programs; all if none is named.
        programs: Vec<String>,
    },
    /// Run a local Kubernetes.
    #[command(subcommand)]
    Cluster(ClusterTask),
    /// Measure the release build of the proxy beside stock Envoy.
    Bench(bench::Options),
    /// Install a mesh with a shop in it and show what it does; `demo down` removes it.
    Demo { down: Option<Down> },
    /// Run everything that must pass before a change lands, the end-to-end tests in their short form included.
    Test,
    /// Run the end-to-end tests on a cluster.
    E2e {
        /// Which build of the images: `release` is what ships, `dev` is quicker to make.
        #[arg(long, default_value = "release")]
        profile: String,
    },
    /// Run the end-to-end tests in their long form, and keep what they came to in e2e/soak.md.
    Soak,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Down {
    Down,
}

#[derive(Debug, Subcommand)]
enum ClusterTask {
    /// Build the cluster's programs.
    Build,
    /// Start it.
    Up {
        #[arg(default_value_t = 2)]
        nodes: u8,
    },
    /// Load OCI archives into each node.
    Load { archives: Vec<PathBuf> },
    /// Stop it and remove everything.
    Down,
}

fn main() -> Result<()> {
    match Task::parse() {
        Task::Codegen { check } => codegen::run(check),
        Task::Tidy => tidy::run(),
        Task::Images {
            profile,
            load,
            programs,
        } => images(&profile, load, &programs),
        Task::Cluster(task) => cluster(task),
        Task::Bench(options) => bench::run(&options),
        Task::Demo { down: None } => demo::run(),
        Task::Demo {
            down: Some(Down::Down),
        } => demo::down(),
        Task::Test => test::run(),
        Task::E2e { profile } => test::stories(&profile),
        Task::Soak => soak::soak(),
    }
}

fn images(profile: &str, load: bool, programs: &[String]) -> Result<()> {
    let archives = images::build(profile, programs)?;
    if load {
        cluster::load(&archives)
    } else {
        Ok(())
    }
}

fn cluster(task: ClusterTask) -> Result<()> {
    match task {
        ClusterTask::Build => cluster::build(),
        ClusterTask::Up { nodes } => cluster::up(nodes).map(drop),
        ClusterTask::Load { archives } => cluster::load(&archives),
        ClusterTask::Down => cluster::down(),
    }
}
