//! What outlives a restart of the container: the workload's key and certificate, and the last good
//! configuration.
//!
//! Kept in a memory-backed volume of the pod, mode 0600, replaced by rename. A file that is torn or
//! changed is reported and then as good as absent.

use prost::Message;
use sha2::{Digest, Sha256};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use weft_identity::{Identity, InvalidIdentity};

/// First bytes of each file; the digit is the version of the format.
const MAGIC: &[u8; 8] = b"weft-s1\n";
const DIGEST: usize = 32;
const IDENTITY: &str = "identity";
const RESOURCES: &str = "configuration";

/// Key, chain and roots, all PEM.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct SavedIdentity {
    /// The private key.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The chain, leaf first.
    #[prost(string, tag = "2")]
    pub chain: String,
    /// The roots that came with it.
    #[prost(string, tag = "3")]
    pub roots: String,
}

impl fmt::Debug for SavedIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SavedIdentity").finish_non_exhaustive()
    }
}

impl SavedIdentity {
    /// The identity, trusting `more` roots beside its own.
    ///
    /// # Errors
    /// What is wrong with the texts.
    pub fn parse(&self, more: &str) -> Result<Identity, InvalidIdentity> {
        let roots = format!("{}\n{more}", self.roots);
        Identity::parse(&self.chain, &self.key, &roots)
    }
}

/// One xDS resource as it came.
#[derive(Clone, PartialEq, Message)]
pub struct SavedResource {
    /// Its type.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// Its name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Its version.
    #[prost(string, tag = "3")]
    pub version: String,
    /// Its bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub value: Vec<u8>,
}

/// The last good configuration.
#[derive(Clone, PartialEq, Message)]
pub struct SavedConfiguration {
    /// All resources.
    #[prost(message, repeated, tag = "1")]
    pub resources: Vec<SavedResource>,
}

/// A file that is there but cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It cannot be read.
    #[error("read {}: {error}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Its checksum or its form is wrong.
    #[error("{} is damaged and is ignored", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

/// The directory of saved files.
#[derive(Clone, Debug)]
pub struct Saved {
    directory: PathBuf,
}

impl Saved {
    /// Files in `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    /// The saved identity, if there is one.
    ///
    /// # Errors
    /// [`Unusable`]; go on without.
    pub fn identity(&self) -> Result<Option<SavedIdentity>, Unusable> {
        self.load(IDENTITY)
    }

    /// The saved configuration, if there is one.
    ///
    /// # Errors
    /// [`Unusable`]; go on without.
    pub fn configuration(&self) -> Result<Option<SavedConfiguration>, Unusable> {
        self.load(RESOURCES)
    }

    /// Keeps `identity`.
    ///
    /// # Errors
    /// What the system said; the former file is then untouched.
    pub fn keep_identity(&self, identity: &SavedIdentity) -> io::Result<()> {
        self.store(IDENTITY, &identity.encode_to_vec())
    }

    /// Keeps `configuration`.
    ///
    /// # Errors
    /// What the system said; the former file is then untouched.
    pub fn keep_configuration(&self, configuration: &SavedConfiguration) -> io::Result<()> {
        self.store(RESOURCES, &configuration.encode_to_vec())
    }

    fn load<M: Message + Default>(&self, name: &str) -> Result<Option<M>, Unusable> {
        let path = self.directory.join(name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Unusable::Read { path, error }),
        };
        let content = checked(&bytes).and_then(|content| M::decode(content).ok());
        content.map(Some).ok_or(Unusable::Damaged { path })
    }

    fn store(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let temporary = self.directory.join(format!("{name}.new"));
        // A leftover of a crash may have another mode.
        if let Err(error) = fs::remove_file(&temporary)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut file = private(&temporary)?;
        file.write_all(MAGIC)?;
        file.write_all(&Sha256::digest(content))?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(temporary, self.directory.join(name))
    }
}

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (digest, content) = rest.split_at_checked(DIGEST)?;
    (Sha256::digest(content)[..] == *digest).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn configuration() -> SavedConfiguration {
        SavedConfiguration {
            resources: vec![SavedResource {
                type_url: "cluster".into(),
                name: "one".into(),
                version: "7".into(),
                value: vec![1, 2, 3],
            }],
        }
    }

    #[test]
    fn what_was_kept_comes_back_and_only_the_owner_may_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let saved = Saved::new(directory.path());
        assert!(saved.configuration().unwrap().is_none());
        saved.keep_configuration(&configuration()).unwrap();
        assert_eq!(saved.configuration().unwrap(), Some(configuration()));
        let mode = fs::metadata(directory.path().join(RESOURCES))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_with_any_changed_byte_is_damaged() {
        let directory = tempfile::tempdir().unwrap();
        let saved = Saved::new(directory.path());
        saved.keep_configuration(&configuration()).unwrap();
        let path = directory.path().join(RESOURCES);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut broken = whole.clone();
            broken[at] ^= 1;
            fs::write(&path, broken).unwrap();
            assert!(saved.configuration().is_err(), "byte {at}");
            fs::write(&path, &whole[..at]).unwrap();
            assert!(saved.configuration().is_err(), "cut at {at}");
        }
    }
}
