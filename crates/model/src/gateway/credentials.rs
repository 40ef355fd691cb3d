//! Which Secrets servers can use.

use super::Termination;
use crate::objects::credential::Credential;
use crate::objects::{Key, Store};
use std::sync::Arc;

/// What is wrong with a Secret: its name, and how it fails.
pub(super) type Unusable = (String, String);

/// The Secret `name` with a certificate.
pub(super) fn certificate(
    secrets: &Store<Credential>,
    namespace: &str,
    name: &str,
) -> Result<Arc<Credential>, Unusable> {
    let wrong = |how: String| (name.to_owned(), how);
    let found = secrets.get(&Key::new(namespace, name));
    let found = found.ok_or_else(|| wrong("it does not exist".into()))?;
    found.check_certificate().map_err(wrong)?;
    Ok(found.clone())
}

/// The Secret `<name>-cacert`, else `name`, with the roots of clients.
pub(super) fn roots(
    secrets: &Store<Credential>,
    namespace: &str,
    name: &str,
) -> Result<Arc<Credential>, Unusable> {
    let apart = format!("{name}-cacert");
    let wrong = |how: String| (apart.clone(), how);
    let mut found = [apart.as_str(), name].into_iter();
    let found = found.find_map(|name| {
        let secret = secrets.get(&Key::new(namespace, name))?;
        (!secret.roots.is_empty()).then_some(secret)
    });
    let found = found.ok_or_else(|| wrong(format!("neither it nor {name} has a ca.crt")))?;
    if found.has_revocations {
        return Err(wrong("its ca.crl would not be obeyed; remove it".into()));
    }
    found.check_roots().map_err(wrong)?;
    Ok(found.clone())
}

/// Everything that is wrong with what `termination` names in `namespace`.
pub(super) fn faults(
    secrets: &Store<Credential>,
    namespace: &str,
    termination: &Termination,
) -> Vec<Unusable> {
    let own = termination.certificate_secret();
    let own = own.and_then(|name| certificate(secrets, namespace, name).err());
    let clients = termination.roots_secret();
    let clients = clients.and_then(|name| roots(secrets, namespace, name).err());
    own.into_iter().chain(clients).collect()
}
