//! The image of five languages: Debian's Python, Node, Java, PostgreSQL and Redis, and the programs of `e2e/polyglot`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::oci::{Blob, digest, write_layers};
use super::root::{self, Root};
use super::tar::{Body, Entry, tar};
use crate::command::{has, output, step, words};
use crate::place;

/// The program in Rust, which gives the image its name.
pub(super) const NAME: &str = "weft-polyglot";

const PACKAGES: [&str; 18] = [
    "coreutils",
    "dash",
    "openssl",
    "python3-minimal",
    "python3-grpcio",
    "python3-h2",
    "python3-websockets",
    "nodejs",
    "node-ws",
    "default-jre-headless",
    "libgoogle-gson-java",
    "libgrpc-java",
    "libguava-java",
    "libnetty-java",
    "libperfmark-java",
    "postgresql",
    "redis-server",
    "redis-tools",
];

/// Programs that build those of `e2e/polyglot`, and where they come from.
const NEEDED: [(&str, &str); 3] = [
    ("go", "see https://go.dev/doc/install"),
    ("javac", "apt-get install -y default-jdk-headless"),
    ("npm", "apt-get install -y npm"),
];

/// Writes the archive; answers with the digest of its manifest.
///
/// # Errors
/// Names what is missing, or what does not build.
pub(super) fn archive(name: &str, rust: &Path, path: &Path) -> Result<String> {
    for (program, remedy) in NEEDED {
        if !has(program) {
            bail!("the image of five languages needs {program}: {remedy}");
        }
    }
    let home = place::target().join("polyglot");
    std::fs::create_dir_all(&home)?;
    let root = root::of_packages(&PACKAGES, &home)?;
    step("build the programs of five languages");
    let sources = place::repository().join("e2e/polyglot");
    let mut entries = surroundings();
    entries.push(file("polyglot/rust", rust.to_owned()));
    entries.push(file("polyglot/go", go(&sources, &home)?));
    entries.extend(root::tree(&sources.join("python"), "polyglot/python/")?);
    entries.extend(root::tree(&sources.join("node"), "polyglot/node/")?);
    entries.extend(root::tree(
        &modules(&sources.join("node"), &home)?,
        "polyglot/node/",
    )?);
    entries.extend(root::tree(
        &java(&sources, &home, &root)?,
        "polyglot/java/",
    )?);
    let layers = vec![Blob::file(&root.layer)?, Blob::bytes(tar(&entries)?)];
    write_layers(name, &settings(&root)?, layers, path)
}

fn file(name: &str, path: PathBuf) -> Entry {
    Entry {
        name: name.to_owned(),
        mode: 0o755,
        body: Body::File(path),
    }
}

/// What the scripts of the packages would have made.
fn surroundings() -> Vec<Entry> {
    let users = "root:x:0:0::/:/bin/sh\npostgres:x:999:999::/tmp:/bin/sh\n";
    let groups = "root:x:0:\npostgres:x:999:\n";
    vec![
        Entry {
            name: "tmp".to_owned(),
            mode: 0o1777,
            body: Body::Directory,
        },
        Entry::file("etc/passwd", 0o644, users),
        Entry::file("etc/group", 0o644, groups),
    ]
}

fn settings(root: &Root) -> Result<serde_json::Value> {
    let postgres = only(&root.files, "usr/lib/postgresql", |_| true)?;
    let java = only(&root.files, "usr/lib/jvm", |path| {
        path.join("bin/java").exists() && !path.is_symlink()
    })?;
    Ok(json!({"Env": [
        format!("PATH=/{postgres}/bin:/{java}/bin:/usr/bin:/bin"),
        "NODE_PATH=/usr/share/nodejs",
        "PYTHONDONTWRITEBYTECODE=1",
    ]}))
}

/// The one directory of that kind in another, whose name has a version in it.
fn only(root: &Path, directory: &str, wanted: impl Fn(&Path) -> bool) -> Result<String> {
    let found = std::fs::read_dir(root.join(directory))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| wanted(path))
        .with_context(|| format!("nothing in /{directory}"))?;
    Ok(found.strip_prefix(root)?.to_string_lossy().into_owned())
}

fn go(sources: &Path, home: &Path) -> Result<PathBuf> {
    let program = home.join("go");
    let mut command = words("go build -trimpath -buildvcs=false -ldflags -s -o");
    command.arg(&program).arg(".").env("CGO_ENABLED", "0");
    output(command.current_dir(sources.join("go")))?;
    Ok(program)
}

/// Classes for the oldest Java that a supported Debian has.
fn java(sources: &Path, home: &Path, root: &Root) -> Result<PathBuf> {
    let classes = home.join("java");
    let mut command = words("javac --release 17 -encoding UTF-8 -d");
    command.arg(&classes).arg("-cp");
    command.arg(root.files.join("usr/share/java").join("*"));
    for entry in std::fs::read_dir(sources.join("java"))? {
        command.arg(entry?.path());
    }
    output(&mut command)?;
    Ok(classes)
}

/// A directory with the `node_modules` of a lock file, which were fetched before or are fetched now.
fn modules(sources: &Path, home: &Path) -> Result<PathBuf> {
    let lock = std::fs::read(sources.join("package-lock.json"))?;
    let key = digest(&lock).replace("sha256:", "npm-");
    let directory = home.join(key);
    if !directory.exists() {
        let partial = home.join("npm");
        std::fs::create_dir_all(&partial)?;
        for name in ["package.json", "package-lock.json"] {
            std::fs::copy(sources.join(name), partial.join(name))?;
        }
        output(
            words("npm ci --omit=dev --ignore-scripts --no-audit --no-fund").current_dir(&partial),
        )?;
        for name in ["package.json", "package-lock.json"] {
            std::fs::remove_file(partial.join(name))?;
        }
        std::fs::rename(partial, &directory)?;
    }
    Ok(directory)
}
