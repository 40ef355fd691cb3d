//! Writes an OCI archive (image layout specification 1.0) that holds one program and runs it.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::tar::{Entry, tar};

/// What an archive is made of.
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
    let (archive, digest) = archive(image.name, &file_name, &program);
    std::fs::write(path, archive).with_context(|| path.display().to_string())?;
    Ok(digest)
}

fn archive(name: &str, file_name: &str, program: &[u8]) -> (Vec<u8>, String) {
    let layer = tar(&[Entry {
        name: file_name,
        data: program,
        mode: 0o755,
    }]);
    let config = encode(&json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": [format!("/{file_name}")]},
        "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
    }));
    let manifest = encode(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("config.v1+json", &config),
        "layers": [descriptor("layer.v1.tar", &layer)],
    }));
    let mut reference = descriptor("manifest.v1+json", &manifest);
    reference["annotations"] = json!({"io.containerd.image.name": name});
    let index = encode(&json!({"schemaVersion": 2, "manifests": [reference]}));
    let blobs = [&layer, &config, &manifest].map(|blob| (blob_name(blob), blob));
    let mut entries = vec![entry("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)];
    entries.extend(blobs.iter().map(|(name, blob)| entry(name, blob)));
    entries.push(entry("index.json", &index));
    (tar(&entries), digest(&manifest))
}

fn entry<'a>(name: &'a str, data: &'a [u8]) -> Entry<'a> {
    Entry {
        name,
        data,
        mode: 0o644,
    }
}

fn descriptor(kind: &str, blob: &[u8]) -> Value {
    json!({"mediaType": format!("application/vnd.oci.image.{kind}"), "digest": digest(blob), "size": blob.len()})
}

fn blob_name(blob: &[u8]) -> String {
    format!("blobs/{}", digest(blob).replace(':', "/"))
}

fn digest(blob: &[u8]) -> String {
    let hash = Sha256::digest(blob);
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

    #[test]
    fn the_same_program_gives_the_same_bytes() {
        assert_eq!(
            archive("localhost/a:dev", "a", b"program"),
            archive("localhost/a:dev", "a", b"program")
        );
    }

    #[test]
    fn another_name_does_not_change_the_digest() {
        let (_, first) = archive("localhost/a:1", "a", b"program");
        let (_, second) = archive("localhost/a:2", "a", b"program");
        assert_eq!(first, second);
    }

    #[test]
    fn digests_are_those_of_the_specification() {
        // FIPS 180-2, appendix B.1.
        let expected = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest(b"abc"), expected);
    }
}
