//! DescribeAcls: every binding of a cluster.

use kafka_protocol::messages::{DescribeAclsRequest, describe_acls_response::DescribeAclsResource};
use towpath_domain::checks::AclBinding;

use super::Client;
use crate::{Error, KafkaError, api::Call, retry::Attempts};

/// `AclOperation.ANY`, `ResourceType.ANY`, `PatternType.ANY`, `AclPermissionType.ANY`
const ANY: i8 = 1;

/// By `ResourceType`, `PatternType`, `AclOperation` and `AclPermissionType`: the codes of Kafka's protocol.
const RESOURCE_TYPES: &[&str] = &[
    "UNKNOWN",
    "ANY",
    "TOPIC",
    "GROUP",
    "CLUSTER",
    "TRANSACTIONAL_ID",
    "DELEGATION_TOKEN",
    "USER",
];
const PATTERN_TYPES: &[&str] = &["UNKNOWN", "ANY", "MATCH", "LITERAL", "PREFIXED"];
const OPERATIONS: &[&str] = &[
    "UNKNOWN",
    "ANY",
    "ALL",
    "READ",
    "WRITE",
    "CREATE",
    "DELETE",
    "ALTER",
    "DESCRIBE",
    "CLUSTER_ACTION",
    "DESCRIBE_CONFIGS",
    "ALTER_CONFIGS",
    "IDEMPOTENT_WRITE",
    "CREATE_TOKENS",
    "DESCRIBE_TOKENS",
    "TWO_PHASE_COMMIT",
];
const PERMISSIONS: &[&str] = &["UNKNOWN", "ANY", "DENY", "ALLOW"];

// === impl Client ===

impl Client {
    /// Every ACL binding, sorted. Needs Describe on the cluster; a cluster without an authorizer answers SECURITY_DISABLED.
    pub async fn acls(&self) -> Result<Vec<AclBinding>, Error> {
        let mut attempts = Attempts::new(&self.0.options);
        loop {
            match self.acls_once().await {
                Ok(bindings) => return Ok(bindings),
                Err(error) => attempts.wait(error).await?,
            };
        }
    }

    async fn acls_once(&self) -> Result<Vec<AclBinding>, Error> {
        let api = DescribeAclsRequest::API;
        let request = DescribeAclsRequest::default()
            .with_resource_type_filter(ANY)
            .with_resource_name_filter(None)
            .with_pattern_type_filter(ANY)
            .with_principal_filter(None)
            .with_host_filter(None)
            .with_operation(ANY)
            .with_permission_type(ANY);
        let connection = self.any().await?;
        let answer = connection
            .call(&request, connection.version(api, i16::MAX)?)
            .await?;
        if let Some(error) = KafkaError::of(answer.error_code) {
            let message = answer.error_message.map(|message| message.to_string());
            let message = message.filter(|message| !message.is_empty());
            return Err(connection.refusal(api, None, error, message));
        }
        let mut bindings: Vec<AclBinding> = answer.resources.iter().flat_map(bindings).collect();
        bindings.sort();
        Ok(bindings)
    }
}

fn bindings(resource: &DescribeAclsResource) -> impl Iterator<Item = AclBinding> + '_ {
    resource.acls.iter().map(|acl| AclBinding {
        resource_type: name(RESOURCE_TYPES, resource.resource_type),
        resource_name: resource.resource_name.to_string(),
        pattern_type: name(PATTERN_TYPES, resource.pattern_type),
        principal: acl.principal.to_string(),
        host: acl.host.to_string(),
        operation: name(OPERATIONS, acl.operation),
        permission: name(PERMISSIONS, acl.permission_type),
    })
}

/// A code newer than the list is shown as such, and equals no other.
fn name(names: &[&str], code: i8) -> String {
    let known = usize::try_from(code).ok().and_then(|code| names.get(code));
    known.map_or_else(|| format!("UNKNOWN({code})"), |name| (*name).to_owned())
}
