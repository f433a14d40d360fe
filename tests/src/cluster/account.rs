//! Programs as accounts of the cluster, with no rights but theirs.

use std::fs;
use std::path::PathBuf;

use hyper::Method;
use serde_json::{Value, json};

use super::Cluster;

impl Cluster {
    /// What a client needs to be a ServiceAccount: a token, as a Pod has it.
    ///
    /// # Panics
    /// When there is no such account.
    #[must_use]
    pub fn kubeconfig_of(&self, namespace: &str, account: &str) -> PathBuf {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"});
        let answer = self.call(Method::POST, &path, &request).expect("there is the account");
        let own = fs::read(self.kubeconfig()).expect("it was written");
        let mut kubeconfig: Value = serde_json::from_slice(&own).expect("it is JSON");
        kubeconfig["users"][0]["user"] = json!({"token": answer["status"]["token"]});
        let file = self.folder().join(format!("kubeconfig-{namespace}-{account}"));
        fs::write(&file, kubeconfig.to_string()).expect("it can be written");
        file
    }
}
