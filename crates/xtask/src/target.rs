//! The cluster that demo and tests run on: one that the user named, kind, or the local one.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{has, output, run, show, step, words};
use crate::{cluster, place};

/// Where to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The user's own, by kubeconfig; it must find the images by itself, unless it is kind's.
    Named(PathBuf),
    /// kind, on a Docker engine.
    Kind,
    /// `e2e/cluster`, on Linux as root.
    Local,
}

/// kind's name for our cluster.
const KIND: &str = "weft";

impl Target {
    /// The one to use: `KUBECONFIG` if it is set, else kind where a Docker engine answers, else the local cluster.
    pub(crate) fn choose() -> Self {
        match place::named_kubeconfig() {
            Some(named) if named == cluster::kubeconfig() => Self::Local,
            Some(named) => Self::Named(named),
            None if has("kind") && run("docker info").is_ok() => Self::Kind,
            None => Self::Local,
        }
    }

    /// Brings it up; a named one must be up.
    pub(crate) fn up(&self) -> Result<()> {
        match self {
            Self::Named(_) => self.kubectl("get --raw /readyz").map(drop),
            Self::Kind => self.kind_up(),
            Self::Local => cluster::up(2).map(drop),
        }
    }

    /// Whether it answers now.
    pub(crate) fn is_up(&self) -> bool {
        self.kubeconfig().exists() && self.kubectl("get --raw /readyz").is_ok()
    }

    /// Puts images where its nodes find them.
    pub(crate) fn load(&self, archives: &[PathBuf]) -> Result<()> {
        match self {
            Self::Local => cluster::load(archives),
            Self::Kind => kind_load(KIND, archives),
            Self::Named(_) => match self.kind_context() {
                Some(name) => kind_load(&name, archives),
                None => {
                    step(
                        "images are not loaded: this cluster must be able to pull localhost/weft-*:dev, from target/images/release",
                    );
                    Ok(())
                }
            },
        }
    }

    /// Removes it; a named one stays.
    pub(crate) fn down(&self) -> Result<()> {
        match self {
            Self::Named(_) => Ok(()),
            Self::Kind => run(&format!("kind delete cluster --name {KIND}")).map(drop),
            Self::Local => cluster::down(),
        }
    }

    /// How to reach it.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        match self {
            Self::Named(path) => path.clone(),
            Self::Kind => place::target().join("kind.conf"),
            Self::Local => cluster::kubeconfig(),
        }
    }

    /// Runs kubectl with words that hold no space.
    pub(crate) fn kubectl(&self, arguments: &str) -> Result<String> {
        output(self.kubectl_command().args(arguments.split_whitespace()))
    }

    /// A kubectl to which arguments can be added.
    pub(crate) fn kubectl_command(&self) -> Command {
        let ours = cluster::programs_directory().join("kubectl");
        let program = if ours.exists() {
            ours
        } else {
            PathBuf::from("kubectl")
        };
        let mut command = Command::new(program);
        command.arg("--kubeconfig").arg(self.kubeconfig());
        command
    }

    /// What a person must type to use it.
    pub(crate) fn export(&self) -> String {
        let programs = cluster::programs_directory();
        let path = if has("kubectl") {
            String::new()
        } else {
            format!(" PATH=$PATH:{}", programs.display())
        };
        format!("export KUBECONFIG={}{path}", self.kubeconfig().display())
    }

    fn kind_up(&self) -> Result<()> {
        if self.is_up() {
            return Ok(());
        }
        step("start a kind cluster of two nodes");
        let mut command = words(&format!("kind create cluster --name {KIND} --config"));
        show(
            command
                .arg(place::repository().join("e2e/kind.yaml"))
                .arg("--kubeconfig")
                .arg(self.kubeconfig()),
        )
    }

    /// The name of the kind cluster that a named kubeconfig stands for.
    fn kind_context(&self) -> Option<String> {
        let context = self.kubectl("config current-context").ok()?;
        Some(context.trim().strip_prefix("kind-")?.to_owned())
    }
}

fn kind_load(name: &str, archives: &[PathBuf]) -> Result<()> {
    for archive in archives {
        output(words(&format!("kind load image-archive --name {name}")).arg(archive))?;
    }
    Ok(())
}

/// The directory of `helm`, which is built from its Go module where it is not installed.
pub(crate) fn helm_directory() -> Result<Option<PathBuf>> {
    let tools = place::target().join("tools");
    if has("helm") {
        return Ok(None);
    }
    if !tools.join("helm").exists() {
        build_helm(&tools)?;
    }
    Ok(Some(tools))
}

fn build_helm(tools: &Path) -> Result<()> {
    if !has("go") {
        bail!("install Helm (https://helm.sh), or Go to build it");
    }
    step("build Helm");
    std::fs::create_dir_all(tools).context("the directory of tools")?;
    let mut command = words("go install helm.sh/helm/v3/cmd/helm@v3.22.0");
    output(command.env("GOBIN", tools).env("CGO_ENABLED", "0")).map(drop)
}

/// The name or path of `helm`.
pub(crate) fn helm() -> Result<Command> {
    let directory = helm_directory()?;
    Ok(Command::new(directory.map_or_else(
        || PathBuf::from("helm"),
        |directory| directory.join("helm"),
    )))
}
