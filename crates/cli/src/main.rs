//! `weftctl`: asks a mesh how it is, and shows what the injector makes of a pod.
//!
//! Flows in: a kubeconfig, manifests. Flows out: an [`Answer`] as table, JSON or YAML, and an exit
//! code. Only `cluster` talks to an API server, and it only reads. Everything else is pure, and
//! decides about pods by the injector's own code.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program talks to a person at a terminal"
)]

mod answer;
mod check;
mod cluster;
mod inject;
mod status;
#[cfg(test)]
mod tests;
mod why;

use answer::{Answer, Output};
use anyhow::{Context, Result};
use clap::{CommandFactory, Parser, Subcommand};
use cluster::Cluster;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use weft_api::injection::InjectionSettings;

/// The answer is no: the mesh is not well, the pod has no sidecar.
const NO: u8 = 1;
/// There is no answer: the cluster cannot be asked, a file cannot be read. 2 is clap's: bad usage.
const UNKNOWN: u8 = 3;

#[derive(Debug, Parser)]
#[command(
    name = "weftctl",
    version,
    about = "Asks a Weft mesh how it is",
    after_help = "Exit codes: 0 yes, all is well; 1 no, see the answer; 2 bad usage; 3 no answer"
)]
struct Command {
    #[command(subcommand)]
    task: Task,
    /// Form of the answer.
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Context of the kubeconfig; the current one if absent.
    #[arg(long, global = true)]
    context: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Say what is wrong with the mesh, and what to do.
    Check,
    /// Show meshes, their conditions and programs, and who has sidecars.
    Status,
    /// Say why a pod has a sidecar or has none.
    Why {
        /// Such as `pod/cart-7c9f` or `cart-7c9f`.
        pod: String,
        /// Namespace of the pod.
        #[arg(short, long, default_value = "default")]
        namespace: String,
    },
    /// Print manifests with their sidecars, as the injector would make them.
    Inject {
        /// File of manifests; `-` reads standard input.
        #[arg(short, long)]
        filename: PathBuf,
        /// Namespace of manifests that name none.
        #[arg(short, long, default_value = "default")]
        namespace: String,
        /// File with the injector's settings, in place of the mesh's own; needs no cluster.
        #[arg(long)]
        settings: Option<PathBuf>,
    },
    /// Show this program's version and the mesh's.
    Version {
        /// Ask no cluster.
        #[arg(long)]
        client: bool,
    },
    /// Print completions for a shell.
    Completion {
        /// Which.
        shell: clap_complete::Shell,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let command = Command::parse();
    let output = command.output;
    match run(command).await {
        Ok(answer) => {
            answer.notes.iter().for_each(|note| eprintln!("{note}"));
            print!("{}", answer.render(output));
            ExitCode::from(if answer.good { 0 } else { NO })
        }
        Err(error) => {
            eprintln!("weftctl: {error:#}");
            ExitCode::from(UNKNOWN)
        }
    }
}

async fn run(command: Command) -> Result<Answer> {
    let connect = || Cluster::connect(command.context.as_deref());
    match command.task {
        Task::Check => Ok(check::answer(&connect().await?.facts().await?)),
        Task::Status => Ok(status::answer(&connect().await?.facts().await?)),
        Task::Why { pod, namespace } => {
            let cluster = connect().await?;
            let name = pod.strip_prefix("pod/").unwrap_or(&pod);
            let (pod, namespace) = cluster.pod(&namespace, name).await?;
            why::answer(pod, &namespace, &cluster.settings().await?)
        }
        Task::Inject {
            filename,
            namespace,
            settings,
        } => {
            let settings = match settings {
                Some(file) => settings_of(&file)?,
                None => connect().await?.settings().await?,
            };
            inject::answer(&text(&filename)?, &namespace, &settings)
        }
        Task::Version { client: true } => Ok(status::version(None)),
        Task::Version { client: false } => {
            let facts = connect().await?.facts().await?;
            Ok(status::version(Some(&facts)))
        }
        Task::Completion { shell } => Ok(completion(shell)),
    }
}

fn completion(shell: clap_complete::Shell) -> Answer {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Command::command(), "weftctl", &mut script);
    Answer::text(String::from_utf8_lossy(&script).into_owned())
}

fn settings_of(file: &Path) -> Result<InjectionSettings> {
    serde_saphyr::from_str(&text(file)?)
        .with_context(|| format!("{} holds no settings of the injector", file.display()))
}

/// The content of `file`.
fn text(file: &Path) -> Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}
