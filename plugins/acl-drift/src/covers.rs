//! What one binding says of another: as Kafka's StandardAuthorizer reads them.

use towpath_plugin::AclBinding;

/// Everything that `narrow` says is said by `wide` too.
pub fn covers(wide: &AclBinding, narrow: &AclBinding) -> bool {
    wide.permission == narrow.permission
        && is_about(wide, narrow)
        && (is_operation(&wide.operation, &narrow.operation)
            // only what is allowed implies more
            || wide.permission == "ALLOW" && implies(&wide.operation, &narrow.operation))
}

/// A denial takes from what is allowed here.
pub fn hits(denial: &AclBinding, allowed: &AclBinding) -> bool {
    denial.permission == "DENY"
        && allowed.permission == "ALLOW"
        && is_about(denial, allowed)
        && is_operation(&denial.operation, &allowed.operation)
}

fn is_about(wide: &AclBinding, narrow: &AclBinding) -> bool {
    wide.resource_type == narrow.resource_type
        && (wide.principal == narrow.principal || wide.principal == "User:*")
        && (wide.host == narrow.host || wide.host == "*")
        && is_pattern(wide, narrow)
}

fn is_pattern(wide: &AclBinding, narrow: &AclBinding) -> bool {
    let is_literal = |binding: &AclBinding| binding.pattern_type == "LITERAL";
    match (is_literal(wide), is_literal(narrow)) {
        (true, _) if wide.resource_name == "*" => true,
        (true, true) => wide.resource_name == narrow.resource_name,
        (true, false) => false,
        // A literal `*` means every name, which no prefix does but the empty one.
        (false, true) if narrow.resource_name == "*" => wide.resource_name.is_empty(),
        (false, _) => narrow.resource_name.starts_with(&wide.resource_name),
    }
}

fn is_operation(wide: &str, narrow: &str) -> bool {
    wide == narrow || wide == "ALL"
}

/// `AclOperation`'s implications: whoever may read, write, delete or alter may describe.
fn implies(wide: &str, narrow: &str) -> bool {
    match narrow {
        "DESCRIBE" => matches!(wide, "READ" | "WRITE" | "DELETE" | "ALTER"),
        "DESCRIBE_CONFIGS" => wide == "ALTER_CONFIGS",
        _ => false,
    }
}
