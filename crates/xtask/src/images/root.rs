//! A root file system of Debian packages, without root's rights over this machine and without its package database.
//!
//! `apt-get` resolves and fetches into a directory of its own that knows of no installed package; what it fetched is
//! unpacked, and no script of a package runs. The same packages give the same layer.

use std::fs::File;
use std::io::BufWriter;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::oci::digest;
use super::tar::{Body, Entry, write};
use crate::command::{has, output, step, words};

/// Unpacked packages and the layer that they make.
#[derive(Clone, Debug)]
pub(super) struct Root {
    pub(super) files: PathBuf,
    pub(super) layer: PathBuf,
}

/// Parts of paths that nothing in a test image needs.
const UNWANTED: [&str; 12] = [
    "usr/share/doc/",
    "usr/share/man/",
    "usr/share/locale/",
    "usr/share/i18n/",
    "usr/share/fonts/",
    "usr/share/perl/",
    "usr/share/nodejs/@types/",
    "linux-gnu/perl",
    "/lib/bitcode/",
    // PostgreSQL does without its just-in-time compiler, which is a fifth of everything.
    "llvmjit",
    "libLLVM",
    "libz3.so",
];

/// Where Debian keeps programs and libraries, and the old names of these places.
const MERGED: [&str; 4] = ["bin", "lib", "lib64", "sbin"];

/// Unpacks packages with all that they depend on, unless it was done before.
///
/// # Errors
/// When a program is missing or the package mirror does not answer.
pub(super) fn of_packages(packages: &[&str], home: &Path) -> Result<Root> {
    let key = digest(format!("{packages:?}{UNWANTED:?}").as_bytes());
    let key = &key["sha256:".len()..][..16];
    let root = Root {
        files: home.join(format!("root-{key}")),
        layer: home.join(format!("root-{key}.tar")),
    };
    if root.layer.exists() {
        return Ok(root);
    }
    step("fetch and unpack Debian packages for the image");
    for program in ["apt-get", "dpkg-deb"] {
        if !has(program) {
            bail!("the image of five languages needs {program}: run this on Debian");
        }
    }
    let fetched = fetch(packages, &home.join("apt"))?;
    unpack(&fetched, &root.files)?;
    let partial = home.join("partial.tar");
    let mut file = BufWriter::new(File::create(&partial)?);
    write(&tree(&root.files, "")?, &mut file)?;
    file.into_inner()?;
    std::fs::rename(partial, &root.layer)?;
    std::fs::remove_dir_all(home.join("apt"))?;
    Ok(root)
}

/// The paths of packages and of all that they depend on, in the order of their names.
fn fetch(packages: &[&str], home: &Path) -> Result<Vec<PathBuf>> {
    let archives = home.join("archives");
    std::fs::create_dir_all(archives.join("partial"))?;
    std::fs::create_dir_all(home.join("lists/partial"))?;
    std::fs::write(home.join("status"), "")?;
    output(apt_get(home).arg("update"))?;
    output(
        apt_get(home)
            .args(["install", "--yes", "--download-only"])
            .args(packages),
    )?;
    let mut found: Vec<_> = std::fs::read_dir(archives)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    found.retain(|path| path.extension().is_some_and(|extension| extension == "deb"));
    found.sort();
    Ok(found)
}

/// An `apt-get` with this machine's sources and nothing else of this machine.
fn apt_get(home: &Path) -> Command {
    let mut command = words("apt-get -q -o APT::Install-Recommends=false");
    let home = home.display();
    for setting in [
        format!("Dir::State={home}"),
        format!("Dir::State::status={home}/status"),
        format!("Dir::Cache={home}"),
        "APT::Sandbox::User=root".to_owned(), // its own user cannot write here
    ] {
        command.arg("-o").arg(setting);
    }
    command
}

fn unpack(packages: &[PathBuf], root: &Path) -> Result<()> {
    if root.exists() {
        std::fs::remove_dir_all(root)?; // what was interrupted
    }
    for name in MERGED {
        std::fs::create_dir_all(root.join("usr").join(name))?;
        symlink(format!("usr/{name}"), root.join(name))?;
    }
    // A package may hold /lib as a directory, which must not replace the link.
    let pipe = r#"dpkg-deb --fsys-tarfile "$1" | tar -x --no-same-owner --keep-directory-symlink -C "$2" -f -"#;
    for package in packages {
        let mut command = words("sh -e -c");
        output(command.arg(pipe).arg("sh").arg(package).arg(root))?;
    }
    Ok(())
}

/// What lies in a directory, in the order of names, under a name that is empty or ends with a slash.
pub(super) fn tree(directory: &Path, under: &str) -> Result<Vec<Entry>> {
    let mut found: Vec<_> = std::fs::read_dir(directory)
        .with_context(|| directory.display().to_string())?
        .collect::<std::io::Result<_>>()?;
    found.sort_by_key(std::fs::DirEntry::file_name);
    let mut entries = Vec::new();
    for one in found {
        let name = format!("{under}{}", one.file_name().to_string_lossy());
        let kind = one.file_type()?;
        let folder = format!("{name}/");
        if UNWANTED.iter().any(|part| folder.contains(part)) {
            continue;
        }
        let body = if kind.is_dir() {
            Body::Directory
        } else if kind.is_symlink() {
            Body::Link(
                std::fs::read_link(one.path())?
                    .to_string_lossy()
                    .into_owned(),
            )
        } else {
            Body::File(one.path())
        };
        let mode = one.metadata()?.permissions().mode() & 0o7777;
        entries.push(Entry { name, mode, body });
        if kind.is_dir() {
            entries.extend(tree(&one.path(), &folder)?);
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_in_the_order_of_names_and_without_what_nobody_needs() {
        let home = std::env::temp_dir().join(format!("weft-tree-{}", std::process::id()));
        for name in ["usr/share/doc/b", "usr/bin", "etc"] {
            std::fs::create_dir_all(home.join(name)).unwrap();
        }
        std::fs::write(home.join("usr/bin/z"), "").unwrap();
        symlink("z", home.join("usr/bin/a")).unwrap();
        let entries = tree(&home, "").unwrap();
        std::fs::remove_dir_all(&home).unwrap();
        let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
        let expected = [
            "etc",
            "usr",
            "usr/bin",
            "usr/bin/a",
            "usr/bin/z",
            "usr/share",
        ];
        assert_eq!(names, expected);
    }
}
