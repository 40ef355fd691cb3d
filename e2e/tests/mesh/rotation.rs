//! Certificates live for seconds, connections for longer.

use std::cell::RefCell;
use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use serde_json::json;
use weft_e2e::{Length, Mesh, certificates, eventually, figure};

#[tokio::test]
async fn rotating_certificates_drops_no_request() -> Result<()> {
    let length = Length::chosen();
    let lifetime = format!("{}s", length.pick(30, 60));
    let mesh = Mesh::install(json!({"ca": {"workloadCertTTL": lifetime}})).await?;
    let namespace = mesh.namespace("e2e-rotation").await?;
    let [client, server] = namespace.apps(["client", "server"]).await?;

    let traffic = client.keep_calling(&server, 200).await?;
    let serials = RefCell::new(BTreeSet::new());
    eventually(length.time(150, 300), || async {
        let held = certificates(&server).await?;
        let mut seen = serials.borrow_mut();
        seen.extend(
            held.into_iter()
                .map(|certificate| certificate.serial_number),
        );
        ensure!(seen.len() > 4, "only {} certificates so far", seen.len());
        Ok(())
    })
    .await?;
    traffic.go_on(length.time(0, 180)).await;
    let report = traffic.stop().await?;
    figure(format_args!(
        "certificates of {lifetime}: {} serials, {report}",
        serials.borrow().len()
    ));

    ensure!(
        report.sent > 1_000,
        "too little traffic to prove anything: {report}"
    );
    ensure!(report.failed == 0, "{report}");
    namespace.delete().await
}
