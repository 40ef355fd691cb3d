//! The CA's signer and the server's own certificate, made from the Secret.

use crate::collect::Knowledge;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio_rustls::rustls::ServerConfig;
use weft_ca::{Material, Refused, Signer};
use weft_identity::TrustDomain;
use weft_identity::tls::{ClientCertificate, Peers, mesh_server};

/// Life of the server's certificate.
const TTL: Duration = Duration::from_secs(24 * 3600);

/// What depends on the CA's Secret; cheap to clone.
#[derive(Clone, Debug)]
pub struct Identities {
    knowledge: Knowledge,
    namespace: Arc<str>,
    made: Arc<Mutex<Made>>,
}

#[derive(Debug, Default)]
struct Made {
    material: Option<Arc<Material>>,
    signer: Option<Arc<Signer>>,
    /// Why there is no signer.
    fault: String,
    server: Option<Serving>,
}

#[derive(Clone, Debug)]
struct Serving {
    config: Arc<ServerConfig>,
    renew_at: SystemTime,
    domains: Vec<String>,
}

impl Identities {
    /// Identities of the control plane in `namespace`.
    pub fn new(knowledge: Knowledge, namespace: &str) -> Self {
        Self {
            knowledge,
            namespace: namespace.into(),
            made: Arc::default(),
        }
    }

    /// What signs now.
    ///
    /// # Errors
    /// [`Refused::NoCa`] says what is wrong with the Secret.
    pub fn signer(&self) -> Result<Arc<Signer>, Refused> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh(&mut made);
        made.signer.clone().ok_or_else(|| Refused::NoCa {
            reason: made.fault.clone(),
        })
    }

    /// How a connection that arrives now is served; `None` before there is a CA.
    pub fn server_config(&self) -> Option<Arc<ServerConfig>> {
        let now = SystemTime::now();
        let domains = self.trust_domains();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh(&mut made);
        let stale = |serving: &Serving| serving.renew_at <= now || serving.domains != domains;
        if made.server.as_ref().is_none_or(stale)
            && let Some(signer) = made.signer.clone()
            && let Some(serving) = self.serving(&signer, domains, now)
        {
            made.server = Some(serving);
        }
        made.server
            .as_ref()
            .map(|serving| Arc::clone(&serving.config))
    }

    /// Loads the Secret if it is another than before.
    fn refresh(&self, made: &mut Made) {
        let material = self.knowledge.borrow().ca.clone();
        if material == made.material && (made.signer.is_some() || material.is_some()) {
            return;
        }
        let loaded = match &material {
            Some(material) => {
                Signer::load(material, SystemTime::now()).map_err(|error| error.to_string())
            }
            None => Err("Secret weft-ca does not exist; the operator makes it".to_owned()),
        };
        made.material = material;
        (made.signer, made.fault) = match loaded {
            Ok(signer) => {
                made.server = None;
                (Some(Arc::new(signer)), String::new())
            }
            // Nothing is signed, but who has a certificate is still served, with the last good one.
            Err(fault) => {
                tracing::error!(%fault, "the CA cannot sign");
                (None, fault)
            }
        };
    }

    fn serving(&self, signer: &Signer, domains: Vec<String>, now: SystemTime) -> Option<Serving> {
        let identity = signer
            .serve_as(&self.names(), TTL, now)
            .inspect_err(|error| tracing::error!(%error, "no server certificate"))
            .ok()?;
        let trusted = domains
            .iter()
            .filter_map(|domain| domain.parse::<TrustDomain>().ok());
        let peers = Peers::AnyIn(trusted.collect());
        let half = identity.remaining(now) / 2;
        Some(Serving {
            config: mesh_server(&identity, ClientCertificate::Optional, peers, &[b"h2"]),
            renew_at: now + half,
            domains,
        })
    }

    fn trust_domains(&self) -> Vec<String> {
        let knowledge = self.knowledge.borrow();
        let settings = &knowledge.objects.settings;
        let aliases = settings.trust_domain_aliases.iter();
        std::iter::once(&settings.trust_domain)
            .chain(aliases)
            .cloned()
            .collect()
    }

    fn names(&self) -> Vec<String> {
        let namespace = &self.namespace;
        let domain = self
            .knowledge
            .borrow()
            .objects
            .settings
            .cluster_domain
            .clone();
        vec![
            "weft-control".to_owned(),
            format!("weft-control.{namespace}"),
            format!("weft-control.{namespace}.svc"),
            format!("weft-control.{namespace}.svc.{domain}"),
        ]
    }
}
