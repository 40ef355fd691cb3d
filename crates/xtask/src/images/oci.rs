//! Writes OCI archives (image layout specification 1.0): of one program that it runs, or of any layers.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::tar::{Body, Entry, tar, write};
use crate::command::{output, words};

/// What an archive of one program is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Image<'a> {
    /// Full name with registry host and tag, such as `localhost/weft-proxy:dev`.
    pub(crate) name: &'a str,
    /// A static program; it becomes the entry point.
    pub(crate) program: &'a Path,
}

/// Writes the archive and answers with the digest of its manifest, the same for the same program.
pub(crate) fn write_archive(image: &Image, path: &Path) -> Result<String> {
    let program =
        std::fs::read(image.program).with_context(|| image.program.display().to_string())?;
    let file_name = image
        .program
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let layer = Blob::bytes(tar(&[Entry::file(file_name.as_ref(), 0o755, program)])?);
    let settings = json!({"Entrypoint": [format!("/{file_name}")]});
    write_layers(image.name, &settings, vec![layer], path)
}

/// Writes an archive of layers, the lowest first, and answers with the digest of its manifest.
pub(super) fn write_layers(
    name: &str,
    settings: &Value,
    layers: Vec<Blob>,
    path: &Path,
) -> Result<String> {
    let (entries, digest) = archive(name, settings, layers);
    let mut file = BufWriter::new(File::create(path).with_context(|| path.display().to_string())?);
    write(&entries, &mut file)?;
    file.flush()?;
    Ok(digest)
}

/// A part of an image, by its digest.
#[derive(Clone, Debug)]
pub(super) struct Blob {
    body: Body,
    digest: String,
    size: u64,
}

impl Blob {
    pub(super) fn bytes(data: Vec<u8>) -> Self {
        Self {
            digest: digest(&data),
            size: data.len() as u64,
            body: Body::Bytes(data),
        }
    }

    /// A large one. An unoptimized build of ours would take a minute for what `sha256sum` does in a second.
    pub(super) fn file(path: &Path) -> Result<Self> {
        let line = output(words("sha256sum --").arg(path))?;
        let sum = line.split_whitespace().next().context("sha256sum's sum")?;
        Ok(Self {
            body: Body::File(path.to_owned()),
            digest: format!("sha256:{sum}"),
            size: std::fs::metadata(path)?.len(),
        })
    }

    fn descriptor(&self, kind: &str) -> Value {
        json!({"mediaType": format!("application/vnd.oci.image.{kind}"), "digest": self.digest, "size": self.size})
    }

    fn entry(self) -> Entry {
        Entry {
            name: format!("blobs/{}", self.digest.replace(':', "/")),
            mode: 0o644,
            body: self.body,
        }
    }
}

fn archive(name: &str, settings: &Value, layers: Vec<Blob>) -> (Vec<Entry>, String) {
    let digests: Vec<_> = layers.iter().map(|layer| &layer.digest).collect();
    let config = Blob::bytes(encode(&json!({
        "architecture": "amd64",
        "os": "linux",
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": digests},
    })));
    let descriptors: Vec<_> = layers
        .iter()
        .map(|layer| layer.descriptor("layer.v1.tar"))
        .collect();
    let manifest = Blob::bytes(encode(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config.descriptor("config.v1+json"),
        "layers": descriptors,
    })));
    let mut reference = manifest.descriptor("manifest.v1+json");
    reference["annotations"] = json!({"io.containerd.image.name": name});
    let index = json!({"schemaVersion": 2, "manifests": [reference]});
    let digest = manifest.digest.clone();
    let layout = r#"{"imageLayoutVersion":"1.0.0"}"#;
    let mut entries = vec![Entry::file("oci-layout", 0o644, layout)];
    entries.extend(
        layers
            .into_iter()
            .chain([config, manifest])
            .map(Blob::entry),
    );
    entries.push(Entry::file("index.json", 0o644, encode(&index)));
    (entries, digest)
}

/// The digest of bytes as images write it.
pub(super) fn digest(data: &[u8]) -> String {
    let hash = Sha256::digest(data);
    hash.iter().fold("sha256:".to_owned(), |text, byte| {
        format!("{text}{byte:02x}")
    })
}

fn encode(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> (Vec<u8>, String) {
        let layer = Blob::bytes(tar(&[Entry::file("a", 0o755, "program")]).unwrap());
        let (entries, digest) = archive(name, &json!({"Entrypoint": ["/a"]}), vec![layer]);
        (tar(&entries).unwrap(), digest)
    }

    #[test]
    fn the_same_program_gives_the_same_bytes() {
        assert_eq!(of("localhost/a:dev"), of("localhost/a:dev"));
    }

    #[test]
    fn another_name_does_not_change_the_digest() {
        assert_eq!(of("localhost/a:1").1, of("localhost/a:2").1);
    }

    #[test]
    fn digests_are_those_of_the_specification() {
        // FIPS 180-2, appendix B.1.
        let expected = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest(b"abc"), expected);
    }

    #[test]
    fn a_file_has_the_digest_of_its_bytes() {
        let path = std::env::temp_dir().join(format!("weft-blob-{}", std::process::id()));
        std::fs::write(&path, "abc").unwrap();
        let blob = Blob::file(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!((blob.digest, blob.size), (digest(b"abc"), 3));
    }
}
