//! The Secret and the webhook configuration in the cluster.
//!
//! Rights that this needs: get, list, watch, update of Secrets and get, list,
//! watch, patch of ValidatingWebhookConfigurations, each restricted to one name
//! (lists name it in their field selector); create of Secrets, which can't be
//! restricted, unless the Secret is there from the beginning; get of the
//! Deployment that owns it.

use futures::Stream;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use serde_json::json;

use super::material::{AUTHORITIES, AUTHORITY_KEY, CERTIFICATE, Data, KEY};
use super::{CertificateError, Settings, plan};

/// The annotation of a Secret that holds our data.
const MARK: &str = "headlint.dev/certificates";
const MARKED: &str = "self-managed";

/// Who we are in managedFields.
const MANAGER: &str = "headlint-webhook";

/// A Deployment as the owner of the Secret.
///
/// # Errors
/// When it isn't there, or may not be read.
pub async fn owner(
    client: Client,
    namespace: &str,
    deployment: &str,
) -> Result<OwnerReference, CertificateError> {
    let deployments: Api<Deployment> = Api::namespaced(client, namespace);
    let metadata =
        deployments.get(deployment).await.map_err(|source| CertificateError::Cluster {
            action: format!("get Deployment {namespace}/{deployment}"),
            source: Box::new(source),
        })?;
    let uid =
        metadata.metadata.uid.ok_or_else(|| CertificateError::Owner(deployment.to_owned()))?;
    Ok(OwnerReference {
        api_version: "apps/v1".to_owned(),
        kind: "Deployment".to_owned(),
        name: deployment.to_owned(),
        uid,
        ..OwnerReference::default()
    })
}

/// What a write came to.
#[derive(Debug)]
pub(super) enum Written<T> {
    /// It's done, and this is there now.
    Done(T),
    /// Somebody else wrote before.
    Conflict,
}

/// The two objects.
pub(super) struct Cluster {
    secrets: Api<Secret>,
    configurations: Api<ValidatingWebhookConfiguration>,
    settings: Settings,
}

impl Cluster {
    pub(super) fn new(client: Client, settings: Settings) -> Self {
        Self {
            secrets: Api::namespaced(client.clone(), &settings.namespace),
            configurations: Api::all(client),
            settings,
        }
    }

    /// The Secret whenever it changes; `None` while there is none. Errors are
    /// for the log: the watch heals itself.
    pub(super) fn watch_secret(
        &self,
    ) -> impl Stream<Item = Result<Option<Secret>, watcher::Error>> + Send + use<> {
        watcher::watch_object(self.secrets.clone(), &self.settings.secret).default_backoff()
    }

    /// The configuration, likewise.
    pub(super) fn watch_configuration(
        &self,
    ) -> impl Stream<Item = Result<Option<ValidatingWebhookConfiguration>, watcher::Error>> + Send + use<>
    {
        watcher::watch_object(self.configurations.clone(), &self.settings.configuration)
            .default_backoff()
    }

    pub(super) async fn secret(&self) -> Result<Option<Secret>, CertificateError> {
        let secret = self.secrets.get_opt(&self.settings.secret).await;
        secret.map_err(|source| self.failed("get", source))
    }

    pub(super) async fn configuration(
        &self,
    ) -> Result<Option<ValidatingWebhookConfiguration>, CertificateError> {
        let configuration = self.configurations.get_opt(&self.settings.configuration).await;
        configuration.map_err(|source| self.failed_configuration("get", source))
    }

    /// Writes the data, if the Secret is still as it was seen.
    pub(super) async fn store(
        &self,
        seen: Option<&Secret>,
        data: Data,
    ) -> Result<Written<Secret>, CertificateError> {
        let settings = &self.settings;
        let mut secret = seen.cloned().unwrap_or_else(|| Secret {
            metadata: ObjectMeta {
                name: Some(settings.secret.clone()),
                namespace: Some(settings.namespace.clone()),
                ..ObjectMeta::default()
            },
            type_: Some("Opaque".to_owned()),
            ..Secret::default()
        });
        secret.data = Some(data.into_iter().map(|(key, value)| (key, ByteString(value))).collect());
        let annotations = secret.metadata.annotations.get_or_insert_default();
        annotations.insert(MARK.to_owned(), MARKED.to_owned());
        if seen.is_none() {
            secret.metadata.owner_references = settings.owner.clone().map(|owner| vec![owner]);
        }
        let params =
            PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let (verb, written) = match seen {
            None => ("create", self.secrets.create(&params, &secret).await),
            Some(_) => ("update", self.secrets.replace(&settings.secret, &params, &secret).await),
        };
        written_or_conflict(written).map_err(|source| self.failed(verb, source))
    }

    /// Writes the caBundle of each webhook, and nothing else, if the
    /// configuration is still as it was seen.
    pub(super) async fn trust(
        &self,
        seen: &ValidatingWebhookConfiguration,
        bundle: &[u8],
    ) -> Result<Written<ValidatingWebhookConfiguration>, CertificateError> {
        let bundle = ByteString(bundle.to_vec());
        let webhooks = seen.webhooks.iter().flatten();
        let webhooks = webhooks
            .map(|webhook| json!({ "name": webhook.name, "clientConfig": { "caBundle": bundle } }));
        let patch = json!({
            "metadata": { "resourceVersion": seen.metadata.resource_version },
            "webhooks": webhooks.collect::<Vec<_>>(),
        });
        let params =
            PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let patch = Patch::Strategic(patch);
        let written =
            self.configurations.patch(&self.settings.configuration, &params, &patch).await;
        written_or_conflict(written).map_err(|source| self.failed_configuration("patch", source))
    }

    fn failed(&self, verb: &str, source: kube::Error) -> CertificateError {
        let Settings { namespace, secret, .. } = &self.settings;
        let action = format!("{verb} Secret {namespace}/{secret}");
        CertificateError::Cluster { action, source: Box::new(source) }
    }

    fn failed_configuration(&self, verb: &str, source: kube::Error) -> CertificateError {
        let action =
            format!("{verb} ValidatingWebhookConfiguration {}", self.settings.configuration);
        CertificateError::Cluster { action, source: Box::new(source) }
    }
}

fn written_or_conflict<T>(written: kube::Result<T>) -> kube::Result<Written<T>> {
    match written {
        Ok(object) => Ok(Written::Done(object)),
        // A Secret that is gone since is a conflict too, as is one that exists.
        Err(kube::Error::Api(status))
            if status.is_conflict() || status.is_already_exists() || status.is_not_found() =>
        {
            Ok(Written::Conflict)
        }
        Err(error) => Err(error),
    }
}

/// The Secret as the plan sees it.
pub(super) fn seen_secret(secret: Option<&Secret>) -> plan::Secret {
    let Some(secret) = secret else { return plan::Secret::Absent };
    let data = secret.data.iter().flatten().filter(|(_, value)| !value.0.is_empty());
    let data: Data = data.map(|(key, value)| (key.clone(), value.0.clone())).collect();
    let mark = secret.metadata.annotations.as_ref().and_then(|all| all.get(MARK));
    let marked = mark.is_some_and(|mark| mark == MARKED);
    let known = [AUTHORITIES, AUTHORITY_KEY, CERTIFICATE, KEY];
    let ours = marked && data.keys().all(|key| known.contains(&key.as_str()));
    if ours || data.is_empty() {
        plan::Secret::Ours(data)
    } else {
        plan::Secret::Foreign(data.into_keys().collect::<Vec<_>>().join(", "))
    }
}

/// The caBundles as the plan sees them.
pub(super) fn seen_bundles(
    configuration: &ValidatingWebhookConfiguration,
) -> Vec<(String, Vec<u8>)> {
    let webhooks = configuration.webhooks.iter().flatten();
    let bundle = |bundle: &Option<ByteString>| bundle.as_ref().map_or(Vec::new(), |b| b.0.clone());
    webhooks
        .map(|webhook| (webhook.name.clone(), bundle(&webhook.client_config.ca_bundle)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn secret(mark: bool, data: &[(&str, &str)]) -> Secret {
        let data = data.iter().map(|(k, v)| ((*k).to_owned(), ByteString((*v).into())));
        let annotations = BTreeMap::from([(MARK.to_owned(), MARKED.to_owned())]);
        Secret {
            metadata: ObjectMeta { annotations: mark.then_some(annotations), ..Default::default() },
            data: Some(data.collect()),
            ..Secret::default()
        }
    }

    #[test]
    fn an_empty_secret_is_taken_over() {
        let empty = plan::Secret::Ours(Data::new());
        assert_eq!(seen_secret(Some(&Secret::default())), empty);
        assert_eq!(seen_secret(Some(&secret(false, &[("tls.crt", ""), ("tls.key", "")]))), empty);
    }

    #[test]
    fn a_secret_with_our_mark_is_ours_whatever_its_values_are() {
        let seen = seen_secret(Some(&secret(true, &[("tls.crt", "junk")])));
        assert_eq!(seen, plan::Secret::Ours(Data::from([("tls.crt".to_owned(), b"junk".into())])));
    }

    #[test]
    fn a_secret_of_somebody_else_is_left_alone() {
        let foreign = |keys: &str| plan::Secret::Foreign(keys.to_owned());
        let pair = [("tls.crt", "a certificate"), ("tls.key", "a key")];
        assert_eq!(seen_secret(Some(&secret(false, &pair))), foreign("tls.crt, tls.key"));
        assert_eq!(seen_secret(Some(&secret(true, &[("password", "x")]))), foreign("password"));
    }

    #[test]
    fn no_secret_is_absent() {
        assert_eq!(seen_secret(None), plan::Secret::Absent);
    }
}
