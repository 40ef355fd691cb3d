//! From what a mesh should be and what is there to what is written, in order. Pure.
//!
//! The webhook configuration comes last, once an injector is ready, and goes first. Nothing is
//! decided here by what an earlier pass did; only what the cluster holds counts.

use crate::ca::{self, Authority, CannotMake, Texts, WebhookStep};
use crate::fuse::{Fuse, Look, Rule};
use crate::inspect;
use crate::object::{Key, Object};
use crate::render::{self, INJECTOR, Unreadable};
use crate::resolve::{Mesh, Refused, Resolved, resolve};
use crate::world::{Namespace, PodName, World};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Namespace as KubeNamespace, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::ApiResource;
use std::collections::BTreeSet;
use weft_api::operator::{FailurePolicy, MeshOperator};

/// What one pass does.
#[derive(Debug)]
pub struct Plan {
    /// The mesh as it should be.
    pub resolved: Resolved,
    /// What the API server does while no injector answers.
    pub fuse: Fuse,
    /// Pods that missed their sidecar and are to be replaced now.
    pub evictions: Vec<PodName>,
    /// What is known of its certificate authority.
    pub authority: Authority,
    /// Whether the webhook's next certificate waits until the API server trusts it.
    pub changes_over: bool,
    /// Objects as they should be, in the order of writing.
    pub writes: Vec<Object>,
    /// Objects that should not be, in the order of deletion.
    pub deletes: Vec<(ApiResource, Key)>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum NoPlan {
    /// The spec describes no mesh.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A component's settings are not what Kubernetes expects.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// There is a mesh already.
    #[error("MeshOperator {0} describes the mesh of this cluster already; delete one of the two")]
    SecondMesh(String),
    /// The namespace is being deleted.
    #[error(
        "namespace {0} is being deleted; wait until it is gone, or set another spec.namespace on a new MeshOperator"
    )]
    NamespaceTerminating(String),
    /// A certificate could not be made.
    #[error(transparent)]
    Certificate(#[from] CannotMake),
}

/// Decides what one pass does.
///
/// # Errors
/// If nothing may be written, and why.
pub fn next(object: &MeshOperator, world: &World, own_image: &str) -> Result<Plan, NoPlan> {
    if let Some(rival) = &world.rival {
        return Err(NoPlan::SecondMesh(rival.clone()));
    }
    let mut resolved = resolve(object, own_image)?;
    let fuse = fuse(object, &resolved.mesh, world);
    if fuse.blown() {
        resolved.mesh.webhook.failure_policy = FailurePolicy::Ignore;
    }
    let mesh = &resolved.mesh;
    if world.namespace == Namespace::Terminating {
        return Err(NoPlan::NamespaceTerminating(mesh.namespace.clone()));
    }
    let mut rendered = render::objects(mesh)?;
    rendered.extend(render::gateways(mesh, &world.gateway_secrets)?);
    let (authority, mut secrets) = authority(mesh, world)?;
    let served = webhook_secret(mesh, world, &mut secrets)?;
    let bundle = served.get("ca.crt").cloned().unwrap_or_default();
    let mut writes = namespace(mesh, world);
    writes.extend(
        secrets
            .iter()
            .map(|(name, texts)| secret(mesh, name, texts)),
    );
    writes.extend(roots(mesh, world, &authority, &secrets));
    writes.extend(rendered);
    writes.extend(webhook(mesh, world, &bundle));
    let deletes = superfluous(world, &writes);
    Ok(Plan {
        resolved,
        fuse,
        evictions: evictions(fuse, world),
        authority,
        changes_over: ca::webhook_waits(&served),
        writes,
        deletes,
    })
}

/// The fuse after what `world` shows. Nobody is asked where there is no webhook yet, or no more.
fn fuse(object: &MeshOperator, mesh: &Mesh, world: &World) -> Fuse {
    let status = object.status.as_ref();
    let injection = object.spec.injection.clone().unwrap_or_default();
    let mut rule = Rule::of(&injection);
    rule.admits &= object.spec.paused != Some(true);
    let available = world.progress(&mesh.namespace, INJECTOR).available() > 0;
    let asked = mesh.injector.replicas > 0 && world.trusted_bundle(INJECTOR).is_some();
    let look = Look {
        now: world.now,
        answers: available || !asked,
        missed: world.missed.len(),
    };
    Fuse::read(status.and_then(|status| status.injection.as_ref())).step(rule, look)
}

/// Pods that missed their sidecar, once an injector gives one to those in their place.
fn evictions(fuse: Fuse, world: &World) -> Vec<PodName> {
    let replaced = world.missed.iter().filter(|pod| pod.replaced);
    match fuse.mends() {
        true => replaced.cloned().collect(),
        false => Vec::new(),
    }
}

/// The mesh's namespace, where nobody has made it.
fn namespace(mesh: &Mesh, world: &World) -> Vec<Object> {
    match world.namespace {
        Namespace::Active | Namespace::Terminating => Vec::new(),
        Namespace::Absent => vec![Object::new(&KubeNamespace {
            metadata: ObjectMeta {
                name: Some(mesh.namespace.clone()),
                ..ObjectMeta::default()
            },
            ..KubeNamespace::default()
        })],
    }
}

/// Texts of Secrets by name.
type Secrets = Vec<(&'static str, Texts)>;

/// The certificate authority, and the Secrets that must be written for it.
fn authority(mesh: &Mesh, world: &World) -> Result<(Authority, Secrets), CannotMake> {
    let (issuer, root) = (world.secrets.get(ca::ISSUER), world.secrets.get(ca::ROOT));
    let found = ca::authority(issuer, root, world.now);
    let domain = &mesh.settings.trust_domain;
    let writes = match (&found, root) {
        (Authority::Absent, _) => {
            let (root, issuer) = ca::make_all(domain, &mesh.lives, world.now)?;
            vec![(ca::ROOT, root), (ca::ISSUER, issuer)]
        }
        (Authority::NoIssuer | Authority::Aging(_), Some(root)) => {
            vec![(
                ca::ISSUER,
                ca::issue(root, issuer, domain, (&mesh.lives, world.now))?,
            )]
        }
        (Authority::NoIssuer | Authority::Aging(_), None)
        | (Authority::Sound { .. } | Authority::Damaged { .. }, _) => Vec::new(),
    };
    Ok((found, writes))
}

/// What the Secret of the injector's certificate should hold; it is added to `secrets` where it must
/// change.
fn webhook_secret(mesh: &Mesh, world: &World, secrets: &mut Secrets) -> Result<Texts, CannotMake> {
    let held = world.secrets.get(ca::WEBHOOK);
    let trusted = world.trusted_bundle(INJECTOR);
    let life = (mesh.lives.webhook, world.now);
    let step = ca::webhook_step(held, trusted.as_deref(), &mesh.namespace, life)?;
    Ok(match (step, held) {
        (WebhookStep::Keep, held) => held.cloned().unwrap_or_default(),
        (WebhookStep::Write(texts), _) => {
            secrets.push((ca::WEBHOOK, texts.clone()));
            texts
        }
    })
}

fn secret(mesh: &Mesh, name: &str, texts: &Texts) -> Object {
    let bytes = |text: &String| ByteString(text.clone().into_bytes());
    Object::new(&Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(mesh.namespace.clone()),
            labels: Some(render::labels(&mesh.name)),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        data: Some(
            texts
                .iter()
                .map(|(key, text)| (key.clone(), bytes(text)))
                .collect(),
        ),
        ..Secret::default()
    })
}

/// The trusted roots for every namespace; none where the authority is damaged.
fn roots(mesh: &Mesh, world: &World, authority: &Authority, secrets: &Secrets) -> Vec<Object> {
    let made = secrets.iter().find(|(name, _)| *name == ca::ISSUER);
    let made = made.and_then(|(_, texts)| texts.get("root-cert.pem"));
    let found = match authority {
        Authority::Sound { facts, .. } | Authority::Aging(facts) => Some(&facts.roots),
        Authority::Absent | Authority::NoIssuer | Authority::Damaged { .. } => None,
    };
    let Some(roots) = made.or(found) else {
        return Vec::new();
    };
    let mut namespaces: BTreeSet<&String> = world.namespaces.iter().collect();
    namespaces.insert(&mesh.namespace);
    let map = |namespace: &String| Object::new(&render::roots_map(&mesh.name, namespace, roots));
    namespaces.into_iter().map(map).collect()
}

/// The webhook configuration, once an injector can answer; one that exists stays as it should be.
fn webhook(mesh: &Mesh, world: &World, bundle: &str) -> Option<Object> {
    let wanted = mesh.injector.replicas > 0;
    let exists = world
        .object("MutatingWebhookConfiguration", "", INJECTOR)
        .is_some();
    let ready = world.progress(&mesh.namespace, INJECTOR).available() > 0;
    (wanted && (exists || ready)).then(|| Object::new(&render::webhook(mesh, bundle)))
}

/// What was made for the mesh and is not part of it any more.
fn superfluous(world: &World, writes: &[Object]) -> Vec<(ApiResource, Key)> {
    let wanted: BTreeSet<Key> = writes.iter().map(Object::key).collect();
    // Roots stay where they are while the authority cannot be read.
    let kept = |key: &Key| key.kind == "ConfigMap" && key.name == render::ROOTS;
    everything(world)
        .into_iter()
        .filter(|(_, key)| !wanted.contains(key) && !kept(key))
        .collect()
}

/// Everything that was made for the mesh, in the order of deletion: the webhook first.
pub fn everything(world: &World) -> Vec<(ApiResource, Key)> {
    let of_kind = |resource: ApiResource| {
        let keys = world
            .owned
            .keys()
            .filter(move |key| key.kind == resource.kind.as_str());
        let keys: Vec<Key> = keys.cloned().collect();
        keys
    };
    inspect::kinds()
        .into_iter()
        .flat_map(|resource| {
            let keys = of_kind(resource.clone());
            keys.into_iter().map(move |key| (resource.clone(), key))
        })
        .collect()
}
