//! etcd, API server, controller manager and scheduler, in the first node's network.

use anyhow::Result;

use super::kubectl;
use super::layout::{Node, SERVICES, programs, state};
use super::process::{await_program, start as run};

const NODE: Node = Node(1);

/// Starts them and waits until the API server is ready.
pub(super) fn start() -> Result<()> {
    let node = programs().join("node");
    let node = node.display();
    run(NODE, "etcd", &format!("{node} {}", etcd()))?;
    run(NODE, "apiserver", &format!("{node} {}", api_server()))?;
    await_program("apiserver", 90, || kubectl("get --raw /readyz"))?;
    run(
        NODE,
        "controller-manager",
        &format!("{node} {CONTROLLER_MANAGER}"),
    )?;
    run(NODE, "scheduler", &format!("{node} {SCHEDULER}"))
}

fn etcd() -> String {
    let data = state().join("etcd");
    format!(
        "etcd --data-dir {} --unsafe-no-fsync --listen-client-urls http://127.0.0.1:2379 \
         --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380",
        data.display()
    )
}

fn api_server() -> String {
    let address = &NODE.addresses()[0];
    format!(
        "apiserver --etcd-servers=http://127.0.0.1:2379 --advertise-address={address} --secure-port=6443
         --service-cluster-ip-range={} --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction
         --allow-privileged=true --tls-cert-file=apiserver.crt --tls-private-key-file=apiserver.key --client-ca-file=ca.crt
         --service-account-issuer=https://kubernetes.default.svc.cluster.local
         --service-account-key-file=service-account.pub --service-account-signing-key-file=service-account.key
         --kubelet-client-certificate=kubelet-client.crt --kubelet-client-key=kubelet-client.key
         --kubelet-certificate-authority=ca.crt --kubelet-preferred-address-types=InternalIP
         --requestheader-client-ca-file=ca.crt --requestheader-allowed-names=front-proxy-client
         --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group
         --requestheader-extra-headers-prefix=X-Remote-Extra-
         --proxy-client-cert-file=front-proxy.crt --proxy-client-key-file=front-proxy.key",
        SERVICES.join(",")
    )
}

const CONTROLLER_MANAGER: &str = "controller-manager --kubeconfig=controller-manager.conf
     --authentication-kubeconfig=controller-manager.conf --authorization-kubeconfig=controller-manager.conf
     --root-ca-file=ca.crt --service-account-private-key-file=service-account.key
     --cluster-signing-cert-file=ca.crt --cluster-signing-key-file=ca.key
     --use-service-account-credentials=true --leader-elect=false --bind-address=127.0.0.1";

const SCHEDULER: &str =
    "scheduler --kubeconfig=scheduler.conf --authentication-kubeconfig=scheduler.conf
     --authorization-kubeconfig=scheduler.conf --leader-elect=false --bind-address=127.0.0.1";
