//! The cluster's certificate authority and a certificate and kubeconfig for each of its programs.

use std::path::Path;

use anyhow::Result;

use super::layout::{Node, kubeconfig, pki};
use crate::command::{output, run, words};

const API_NAMES: &str = "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,\
    DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:127.0.0.1,IP:10.96.0.1";

/// Makes the authority and everything that the control plane needs.
pub(super) fn issue_all() -> Result<()> {
    authority()?;
    let api_names = format!("{API_NAMES},IP:{}", Node(1).addresses()[0]);
    issue("apiserver", "/CN=kube-apiserver", &api_names)?;
    for (name, subject) in [
        ("admin", "/O=system:masters/CN=admin"),
        ("controller-manager", "/CN=system:kube-controller-manager"),
        ("scheduler", "/CN=system:kube-scheduler"),
        ("proxy", "/CN=system:kube-proxy"),
        (
            "kubelet-client",
            "/O=system:masters/CN=kube-apiserver-kubelet-client",
        ),
        ("front-proxy", "/CN=front-proxy-client"),
    ] {
        issue(name, subject, &format!("DNS:{name}"))?;
    }
    std::fs::copy(pki().join("admin.conf"), kubeconfig())?;
    Ok(())
}

/// Makes a certificate for a node's kubelet, for both its sides.
pub(super) fn issue_node(node: Node) -> Result<()> {
    let (name, [v4, v6]) = (node.name(), node.addresses());
    issue(
        &name,
        &format!("/O=system:nodes/CN=system:node:{name}"),
        &format!("DNS:{name},IP:{v4},IP:{v6}"),
    )
}

fn authority() -> Result<()> {
    openssl("ecparam -genkey -name prime256v1 -noout -out ca.key")?;
    openssl(
        "req -x509 -new -key ca.key -subj /CN=weft-cluster -days 30 -out ca.crt \
         -addext keyUsage=critical,keyCertSign,cRLSign",
    )?;
    openssl("genrsa -out service-account.key 2048")?;
    openssl("rsa -in service-account.key -pubout -out service-account.pub")
}

fn issue(name: &str, subject: &str, alternative_names: &str) -> Result<()> {
    let usage =
        format!("extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName={alternative_names}\n");
    std::fs::write(pki().join(format!("{name}.ext")), usage)?;
    openssl(&format!(
        "ecparam -genkey -name prime256v1 -noout -out {name}.key"
    ))?;
    openssl(&format!(
        "req -new -key {name}.key -subj {subject} -out {name}.csr"
    ))?;
    openssl(&format!(
        "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out {name}.crt -extfile {name}.ext"
    ))?;
    write_kubeconfig(name)
}

fn write_kubeconfig(name: &str) -> Result<()> {
    let config = format!(
        "apiVersion: v1
kind: Config
clusters: [{{name: weft, cluster: {{server: 'https://{}:6443', certificate-authority-data: {}}}}}]
users: [{{name: user, user: {{client-certificate-data: {}, client-key-data: {}}}}}]
contexts: [{{name: weft, context: {{cluster: weft, user: user}}}}]
current-context: weft
",
        Node(1).addresses()[0],
        base64(&pki().join("ca.crt"))?,
        base64(&pki().join(format!("{name}.crt")))?,
        base64(&pki().join(format!("{name}.key")))?,
    );
    Ok(std::fs::write(pki().join(format!("{name}.conf")), config)?)
}

fn base64(file: &Path) -> Result<String> {
    Ok(run(&format!("base64 -w0 {}", file.display()))?
        .trim()
        .to_owned())
}

fn openssl(arguments: &str) -> Result<()> {
    output(words(&format!("openssl {arguments}")).current_dir(pki())).map(drop)
}
