//! A proxy dies without a word, as the kernel's memory killer would end it.

use anyhow::{Context, Result, bail};
use tokio::process::Command;

/// Kills the proxy of a pod on this machine; needs root.
///
/// # Errors
/// When no such process runs here.
pub async fn kill_proxy(pod: &str) -> Result<()> {
    let number =
        proxy_process(pod)?.with_context(|| format!("no proxy of {pod} runs on this machine"))?;
    let status = Command::new("kill").args(["-9", &number]).status().await?;
    if !status.success() {
        bail!("kill -9 {number}: {status}");
    }
    Ok(())
}

/// The process that was told that it belongs to the pod.
fn proxy_process(pod: &str) -> Result<Option<String>> {
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let belongs = |environment: Vec<u8>| {
            environment
                .split(|byte| *byte == 0)
                .any(|setting| setting == format!("POD_NAME={pod}").as_bytes())
        };
        let is_proxy = std::fs::read_to_string(entry.path().join("comm"))
            .is_ok_and(|name| name.trim() == "weft-proxy");
        if is_proxy && std::fs::read(entry.path().join("environ")).is_ok_and(belongs) {
            return Ok(Some(entry.file_name().to_string_lossy().into_owned()));
        }
    }
    Ok(None)
}
