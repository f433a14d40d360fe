//! The end of an installation. While a webhook configuration is there, an API
//! server calls its Service, and with failurePolicy Fail refuses what it can't
//! ask about. So the configuration has to go first, and the rest only when each
//! API server knows it.

use std::time::Duration;

use anyhow::Context;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::Api;
use kube::api::{DeleteParams, Preconditions};
use tokio::time::sleep;

use crate::args::WithdrawArgs;
use crate::context::connect;

/// Helm puts it on what it installs, and on nothing that it only renders: who
/// applies a rendered chart applies its hooks too, and means no uninstallation.
const INSTALLED: &str = "meta.helm.sh/release-name";

/// Returns what it came to.
pub(crate) async fn withdraw(args: &WithdrawArgs) -> anyhow::Result<String> {
    let client = connect(args.kubeconfig.as_deref()).await?;
    let configurations: Api<ValidatingWebhookConfiguration> = Api::all(client);
    let name = &args.webhook_configuration;
    let found = configurations.get_metadata_opt(name).await;
    let found = found.with_context(|| format!("ValidatingWebhookConfiguration {name}"))?;
    let Some(found) = found else {
        return Ok(format!("ValidatingWebhookConfiguration {name} isn't there"));
    };
    if !found.metadata.annotations.iter().flatten().any(|(key, _)| key == INSTALLED) {
        return Ok(format!(
            "ValidatingWebhookConfiguration {name} stays: Helm didn't install it, and doesn't \
             uninstall it"
        ));
    }
    let same = Preconditions { uid: found.metadata.uid, ..Preconditions::default() };
    let deleted = configurations.delete(name, &DeleteParams::default().preconditions(same)).await;
    deleted.with_context(|| format!("can't delete ValidatingWebhookConfiguration {name}"))?;
    sleep(Duration::from_secs(args.settle_seconds.into())).await;
    Ok(format!("ValidatingWebhookConfiguration {name} is gone"))
}
