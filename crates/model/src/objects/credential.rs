//! Secrets with the certificates of gateways.

use super::Key;
use super::istio::Meta;
use k8s_openapi::api::core::v1::Secret;
use std::fmt;
use std::sync::Arc;
use weft_api::labels::OWNER;
use weft_identity::Identity;

/// A Secret with a certificate, its key and the roots of clients, each PEM and empty where absent.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Credential {
    /// Namespace and name.
    pub key: Key,
    /// `tls.crt` or `cert`.
    pub certificate: Arc<str>,
    /// `tls.key` or `key`.
    pub private_key: PrivateKey,
    /// `ca.crt` or `cacert`.
    pub roots: Arc<str>,
    /// Whether it has a list of revoked certificates, which nobody reads.
    pub has_revocations: bool,
}

/// A key in PEM, which never gets into a log.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct PrivateKey(Arc<str>);

impl PrivateKey {
    /// The text.
    pub fn pem(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey")
    }
}

impl From<&Secret> for Credential {
    /// Of the mesh's own Secrets nothing is kept: they are for nobody's gateway.
    fn from(secret: &Secret) -> Self {
        let labels = secret.metadata.labels.as_ref();
        let own = labels.is_some_and(|labels| labels.contains_key(OWNER));
        let data = secret.data.as_ref().filter(|_| !own);
        let text = |names: [&str; 2]| -> Arc<str> {
            let bytes = data.and_then(|data| names.iter().find_map(|name| data.get(*name)));
            let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes.0).into_owned());
            text.unwrap_or_default().into()
        };
        Self {
            key: Meta::from(&secret.metadata).key,
            certificate: text(["tls.crt", "cert"]),
            private_key: PrivateKey(text(["tls.key", "key"])),
            roots: text(["ca.crt", "cacert"]),
            has_revocations: !text(["ca.crl", "ca.crl"]).is_empty(),
        }
    }
}

impl Credential {
    /// Whether a server can show its certificate.
    ///
    /// # Errors
    /// Which of its values is wrong, and how.
    pub fn check_certificate(&self) -> Result<(), String> {
        if self.certificate.is_empty() || self.private_key.pem().is_empty() {
            return Err("it has no tls.crt with a tls.key".into());
        }
        let read = Identity::parse(&self.certificate, self.private_key.pem(), &self.certificate);
        read.map(drop).map_err(|error| error.to_string())
    }

    /// Whether clients can be verified by its roots.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn check_roots(&self) -> Result<(), String> {
        if self.roots.is_empty() {
            return Err("it has no ca.crt".into());
        }
        let read = weft_identity::cert::roots(&self.roots);
        read.map(drop).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    fn secret(labels: &[(&str, &str)]) -> Secret {
        let text = |text: (&str, &str)| (text.0.to_owned(), text.1.to_owned());
        let bytes = |(name, text): (&str, &str)| (name.to_owned(), ByteString(text.into()));
        Secret {
            metadata: ObjectMeta {
                labels: Some(labels.iter().copied().map(text).collect()),
                ..ObjectMeta::default()
            },
            data: Some(
                [("cert", "C"), ("key", "secret-key"), ("ca.crt", "R")]
                    .map(bytes)
                    .into(),
            ),
            ..Secret::default()
        }
    }

    #[test]
    fn both_names_of_each_value_are_read_and_keys_are_not_shown() {
        let read = Credential::from(&secret(&[]));
        let texts = (&*read.certificate, read.private_key.pem(), &*read.roots);
        assert_eq!(texts, ("C", "secret-key", "R"));
        assert!(!format!("{read:?}").contains("secret-key"));
    }

    #[test]
    fn secrets_of_the_mesh_are_for_nobodys_gateway() {
        let read = Credential::from(&secret(&[(OWNER, "mesh")]));
        assert!(read.certificate.is_empty() && read.private_key.pem().is_empty());
    }
}
