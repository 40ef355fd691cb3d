//! Writes a tar file (POSIX ustar) that depends on its content only: no times, no owners.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

/// One name in the file.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// At most 100 bytes, or 255 with a slash at a place where the format can split it.
    pub(super) name: String,
    pub(super) mode: u32,
    pub(super) body: Body,
}

/// What stands under a name.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Bytes(Vec<u8>),
    /// A file that is read when it is written out, for it may be large.
    File(PathBuf),
    /// A symbolic link, to at most 100 bytes.
    Link(String),
    Directory,
}

impl Entry {
    /// A regular file.
    pub(super) fn file(name: impl Into<String>, mode: u32, data: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            mode,
            body: Body::Bytes(data.into()),
        }
    }
}

const BLOCK: usize = 512;

/// The whole file in memory.
pub(super) fn tar(entries: &[Entry]) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    write(entries, &mut file)?;
    Ok(file)
}

/// Writes the whole file.
pub(super) fn write(entries: &[Entry], into: &mut impl Write) -> Result<()> {
    for entry in entries {
        let size = size(entry)?;
        into.write_all(&header(entry, size)?)?;
        match &entry.body {
            Body::Bytes(data) => into.write_all(data)?,
            Body::File(path) => drop(std::io::copy(&mut File::open(path)?, into)?),
            Body::Link(_) | Body::Directory => {}
        }
        let padding = size.next_multiple_of(BLOCK as u64) - size;
        into.write_all(&[0; BLOCK][..usize::try_from(padding)?])?;
    }
    into.write_all(&[0; 2 * BLOCK])?;
    Ok(())
}

fn size(entry: &Entry) -> Result<u64> {
    match &entry.body {
        Body::Bytes(data) => Ok(data.len() as u64),
        Body::File(path) => Ok(std::fs::metadata(path)
            .with_context(|| path.display().to_string())?
            .len()),
        Body::Link(_) | Body::Directory => Ok(0),
    }
}

fn header(entry: &Entry, size: u64) -> Result<[u8; BLOCK]> {
    let (kind, target) = match &entry.body {
        Body::Bytes(_) | Body::File(_) => ("0", ""),
        Body::Link(target) => ("2", target.as_str()),
        Body::Directory => ("5", ""),
    };
    let (prefix, name) = split(&entry.name)?;
    ensure!(
        target.len() <= 100,
        "{}: a link to more than 100 bytes does not fit",
        entry.name
    );
    let mut header = [0; BLOCK];
    put(&mut header, 0, name);
    put(&mut header, 100, &format!("{:07o}", entry.mode));
    put(&mut header, 108, "0000000"); // owner
    put(&mut header, 116, "0000000"); // group
    put(&mut header, 124, &format!("{size:011o}"));
    put(&mut header, 136, "00000000000"); // time
    put(&mut header, 148, "        "); // the checksum counts its own field as spaces
    put(&mut header, 156, kind);
    put(&mut header, 157, target);
    put(&mut header, 257, "ustar\x0000");
    put(&mut header, 345, prefix);
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    put(&mut header, 148, &format!("{sum:06o}\0 "));
    Ok(header)
}

/// A name in the two fields of the format, the first of which may be empty.
fn split(name: &str) -> Result<(&str, &str)> {
    if name.len() <= 100 {
        return Ok(("", name));
    }
    name.match_indices('/')
        .map(|(at, _)| (&name[..at], &name[at + 1..]))
        .find(|(prefix, rest)| prefix.len() <= 155 && rest.len() <= 100)
        .with_context(|| format!("{name}: too long a name for a tar file"))
}

fn put(header: &mut [u8; BLOCK], at: usize, text: &str) {
    header[at..at + text.len()].copy_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::output;
    use std::process::Command;

    #[test]
    fn the_systems_tar_reads_it() {
        let path = std::env::temp_dir().join(format!("weft-tar-{}", std::process::id()));
        let long = format!("{}/{}", "d".repeat(90), "f".repeat(90));
        let special = |name: &str, body| Entry {
            name: name.to_owned(),
            mode: 0o755,
            body,
        };
        let entries = [
            special("a", Body::Directory),
            Entry::file("a/b", 0o755, "hello"),
            Entry::file(&long, 0o644, ""),
            special("link", Body::Link("a/b".to_owned())),
        ];
        std::fs::write(&path, tar(&entries).unwrap()).unwrap();
        let list = output(Command::new("tar").arg("-tvf").arg(&path)).unwrap();
        let content = output(Command::new("tar").arg("-xOf").arg(&path).arg("a/b")).unwrap();
        std::fs::remove_file(&path).unwrap();
        let lines: Vec<_> = list.lines().collect();
        assert!(lines[0].starts_with("drwxr-xr-x 0/0"), "{list}");
        assert!(
            lines[1].starts_with("-rwxr-xr-x 0/0")
                && lines[1].contains(" 5 1970-01-01 ")
                && lines[1].ends_with("a/b"),
            "{list}"
        );
        assert!(lines[2].ends_with(&long), "{list}");
        assert!(lines[3].ends_with("link -> a/b"), "{list}");
        assert_eq!(content, "hello");
    }

    #[test]
    fn a_name_that_does_not_fit_is_an_error() {
        assert!(tar(&[Entry::file("n".repeat(101), 0o644, "")]).is_err());
    }
}
