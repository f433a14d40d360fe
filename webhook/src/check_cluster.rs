//! Whether the API server asks headlint: the way from a client through the
//! webhook configuration, its caBundle and the Service to a replica, and back.

use anyhow::{Context, bail};
use http_body_util::BodyExt;
use hyper::Request;
use serde_json::{Value, json};

use crate::args::CheckClusterArgs;
use crate::context::connect;

/// What headlint says of the Service, unless it is told not to.
const RULE: &str = "headless-port-target-mismatch";

/// Sends a headless Service whose port isn't its target port, as a dry run.
/// Returns what headlint said of it.
pub(crate) async fn check(args: &CheckClusterArgs) -> anyhow::Result<String> {
    let client = connect(args.kubeconfig.as_deref()).await?;
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"generateName": "headlint-check-"},
        "spec": {
            "clusterIP": "None",
            "selector": {"app.kubernetes.io/name": "headlint-check"},
            "ports": [{"port": 80, "targetPort": 8080}],
        },
    });
    let path = format!("/api/v1/namespaces/{}/services?dryRun=All", args.namespace);
    let request = Request::post(path).header("content-type", "application/json");
    let request = request.body(service.to_string().into_bytes().into())?;
    let answer = client.send(request).await.context("the API server doesn't answer")?;
    let (head, body) = answer.into_parts();
    let warnings = head.headers.get_all("warning").iter();
    // `299 - "text"`
    let warning = warnings
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .find(|warning| warning.contains(RULE));
    if let Some(warning) = warning {
        return Ok(format!("headlint was asked, and warns: {warning}"));
    }
    let body = body.collect().await.context("the API server breaks off")?.to_bytes();
    let status: Value = serde_json::from_slice(&body).unwrap_or_default();
    match status["message"].as_str() {
        Some(message) if message.contains(RULE) => {
            Ok(format!("headlint was asked, and denies: {message}"))
        }
        Some(message) => bail!("the API server refuses the Service: {message}"),
        None => bail!(
            "nobody says {RULE} of a Service in {}: the API server doesn't ask headlint there, \
             or the rule is off",
            args.namespace
        ),
    }
}
