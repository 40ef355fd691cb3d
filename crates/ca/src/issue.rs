//! The certificate: only what the CA says, whatever was asked.

use crate::{Checked, Refused, Signer};
use rcgen::{
    CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SerialNumber};
use std::time::{Duration, SystemTime};
use weft_identity::Identity;

/// Shortest life of a certificate: renewal needs some time.
pub const SHORTEST_TTL: Duration = Duration::from_secs(30);
/// How far the clock of whoever verifies may be behind ours.
const BACKDATED: Duration = Duration::from_secs(60);

/// A workload's certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issued {
    /// PEM: the leaf, then what leads to the root, and last all trusted roots in one text.
    pub chain: Vec<String>,
    /// End of validity.
    pub not_after: SystemTime,
}

impl Signer {
    /// A certificate for a checked request, for `wished` but at most `longest` and no longer than the
    /// CA's own; zero wishes for `longest`.
    ///
    /// # Errors
    /// [`Refused::NoCa`] if the CA's own certificate ends too soon.
    pub fn issue(
        &self,
        request: &Checked,
        wished: Duration,
        longest: Duration,
        now: SystemTime,
    ) -> Result<Issued, Refused> {
        let left = self.remaining(now);
        if left < SHORTEST_TTL {
            return Err(Refused::NoCa {
                reason: "its certificate has expired".into(),
            });
        }
        let wished = if wished.is_zero() { longest } else { wished };
        let ttl = wished.min(longest).max(SHORTEST_TTL).min(left);
        let uri = request.id.as_str().try_into().map_err(unsigned)?;
        let usages = [
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let params = leaf(vec![SanType::URI(uri)], &usages, now..now + ttl);
        let leaf = self.sign(params, &request.key)?;
        let mut chain = vec![leaf];
        chain.extend(self.chain.iter().cloned());
        chain.push(self.roots.clone());
        Ok(Issued {
            chain,
            not_after: now + ttl,
        })
    }

    /// A server certificate with a fresh key, for the program that holds this CA.
    ///
    /// # Errors
    /// [`Refused::NoCa`] if the CA cannot sign it.
    pub fn serve_as(
        &self,
        dns_names: &[String],
        ttl: Duration,
        now: SystemTime,
    ) -> Result<Identity, Refused> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(unsigned)?;
        let name = |name: &String| {
            name.as_str()
                .try_into()
                .map(SanType::DnsName)
                .map_err(unsigned)
        };
        let names = dns_names.iter().map(name).collect::<Result<_, _>>()?;
        let ttl = ttl.min(self.remaining(now));
        let params = leaf(
            names,
            &[ExtendedKeyUsagePurpose::ServerAuth],
            now..now + ttl,
        );
        let chain = self.sign(params, &key)? + &self.chain.concat();
        Identity::parse(&chain, &key.serialize_pem(), &self.roots).map_err(unsigned)
    }

    fn sign(&self, params: CertificateParams, key: &impl PublicKeyData) -> Result<String, Refused> {
        params
            .signed_by(key, &self.issuer)
            .map(|cert| cert.pem())
            .map_err(unsigned)
    }
}

/// An empty subject makes the names critical (RFC 5280 §4.2.1.6), as SPIFFE's X.509-SVID §4.1 asks.
fn leaf(
    names: Vec<SanType>,
    usages: &[ExtendedKeyUsagePurpose],
    life: std::ops::Range<SystemTime>,
) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = names;
    params.not_before = (life.start - BACKDATED).into();
    params.not_after = life.end.into();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = usages.to_vec();
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(serial());
    params
}

/// 126 random bits: positive, and of one length (RFC 5280 §4.1.2.2).
fn serial() -> SerialNumber {
    let mut bytes: [u8; 16] = rand::random();
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn unsigned(error: impl std::fmt::Display) -> Refused {
    Refused::NoCa {
        reason: error.to_string(),
    }
}
