//! Finds where the target's ACLs are not those of the source: see README.md.
#![forbid(unsafe_code)]

mod covers;

use towpath_plugin::{
    AclBinding, AclChecker, Config, ConfigKey, ConfigType, Descriptor, Failure, Finding, Plugin, Severity,
    export_plugin,
};

use covers::{covers, hits};

/// The configured plugin.
pub struct AclDrift {
    resource_types: Vec<String>,
    ignored: Vec<String>,
    extra: Option<Severity>,
}

const RESOURCE_TYPES: [&str; 3] = ["TOPIC", "GROUP", "TRANSACTIONAL_ID"];

// === impl AclDrift ===

impl Plugin for AclDrift {
    fn describe() -> Descriptor {
        let documentation = "Finds where the target's ACLs are not those of the source. Grants are compared by what they allow, not by how they are written.";
        Descriptor::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), documentation)
            .key(
                ConfigKey::default("resource.types", ConfigType::List, "TOPIC,GROUP,TRANSACTIONAL_ID")
                    .valid_values(&RESOURCE_TYPES)
                    .documentation("The types of resources that are compared."),
            )
            .key(
                ConfigKey::optional("ignore.principals", ConfigType::List)
                    .documentation("Principals whose bindings are not compared, such as User:monitoring."),
            )
            .key(
                ConfigKey::default("extra", ConfigType::String, "warning")
                    .valid_values(&["ignore", "info", "warning", "blocking"])
                    .documentation("What a grant is on the target that the source does not have."),
            )
    }

    fn init(config: &mut Config) -> Option<Self> {
        let resource_types = config.list("resource.types");
        let ignored = match config.get("ignore.principals") {
            Some(_) => config.list("ignore.principals"),
            None => Some(Vec::new()),
        };
        let extra = config.string("extra").map(|text| match text.as_str() {
            "ignore" => None,
            "info" => Some(Severity::Info),
            "blocking" => Some(Severity::Blocking),
            _ => Some(Severity::Warning),
        });
        Some(Self {
            resource_types: resource_types?,
            ignored: ignored?,
            extra: extra?,
        })
    }
}

impl AclChecker for AclDrift {
    fn check(
        &mut self,
        due: Vec<AclBinding>,
        pending: Vec<AclBinding>,
        target: Vec<AclBinding>,
    ) -> Result<Vec<Finding>, Failure> {
        let [due, pending, target] =
            [due, pending, target].map(|bindings| self.compared(bindings).collect::<Vec<_>>());
        let mut findings = Vec::new();
        for binding in &due {
            if !target.iter().any(|there| covers(there, binding)) {
                findings.push(missing(binding));
            }
        }
        for denial in target.iter().filter(|there| there.permission == "DENY") {
            if due.iter().any(|binding| covers(binding, denial)) {
                continue;
            }
            if let Some(hit) = due.iter().find(|binding| hits(denial, binding)) {
                findings.push(denied(denial, hit));
            }
        }
        if let Some(severity) = self.extra {
            for there in target.iter().filter(|there| there.permission == "ALLOW") {
                let mut known = due.iter().chain(&pending);
                let concerns = due.iter().chain(&pending).any(|binding| {
                    (&binding.resource_type, &binding.resource_name)
                        == (&there.resource_type, &there.resource_name)
                });
                if concerns && !known.any(|binding| covers(binding, there)) {
                    findings.push(extra(there, severity));
                }
            }
        }
        Ok(findings)
    }
}

impl AclDrift {
    fn compared(&self, bindings: Vec<AclBinding>) -> impl Iterator<Item = AclBinding> + '_ {
        bindings.into_iter().filter(|binding| {
            self.resource_types.contains(&binding.resource_type) && !self.ignored.contains(&binding.principal)
        })
    }
}

fn missing(binding: &AclBinding) -> Finding {
    Finding {
        severity: Severity::Blocking,
        subject: told(binding),
        message: "is not on the target".to_owned(),
        expected: Some(whole(binding)),
        found: None,
        remedy: Some(command("--add", binding)),
    }
}

fn denied(denial: &AclBinding, hit: &AclBinding) -> Finding {
    Finding {
        severity: Severity::Blocking,
        subject: told(hit),
        message: "is denied on the target, and not at the source".to_owned(),
        expected: Some(whole(hit)),
        found: Some(whole(denial)),
        remedy: Some(command("--remove", denial)),
    }
}

fn extra(there: &AclBinding, severity: Severity) -> Finding {
    Finding {
        severity,
        subject: told(there),
        message: "is granted on the target, and not at the source".to_owned(),
        expected: None,
        found: Some(whole(there)),
        remedy: Some(command("--remove", there)),
    }
}

/// `User:alice READ on TOPIC payments`
fn told(binding: &AclBinding) -> String {
    let AclBinding {
        principal,
        operation,
        resource_type,
        resource_name,
        ..
    } = binding;
    format!("{principal} {operation} on {resource_type} {resource_name}")
}

/// As `kafka-acls --list` has it, on one line.
fn whole(binding: &AclBinding) -> String {
    format!(
        "resourceType={}, name={}, patternType={}, principal={}, host={}, operation={}, permissionType={}",
        binding.resource_type,
        binding.resource_name,
        binding.pattern_type,
        binding.principal,
        binding.host,
        binding.operation,
        binding.permission
    )
}

/// With what `kafka-acls` does it.
fn command(action: &str, binding: &AclBinding) -> String {
    let permission = match binding.permission.as_str() {
        "DENY" => "deny",
        _ => "allow",
    };
    let resource = match binding.resource_type.as_str() {
        "TOPIC" => "topic",
        "GROUP" => "group",
        _ => "transactional-id",
    };
    let mut command = format!(
        "kafka-acls {action} --{permission}-principal '{}' --operation {} --{resource} '{}'",
        binding.principal,
        operation(&binding.operation),
        binding.resource_name
    );
    if binding.host != "*" {
        command.push_str(&format!(" --{permission}-host '{}'", binding.host));
    }
    if binding.pattern_type == "PREFIXED" {
        command.push_str(" --resource-pattern-type prefixed");
    }
    command
}

/// `DESCRIBE_CONFIGS` is DescribeConfigs there.
fn operation(operation: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first
            .into_iter()
            .chain(letters.map(|c| c.to_ascii_lowercase()))
            .collect::<String>()
    };
    operation.split('_').map(word).collect()
}

export_plugin!(acl_checker: AclDrift);

#[cfg(test)]
mod tests {
    use towpath_plugin::testing::cases;

    use super::*;

    #[test]
    fn does_what_the_cases_say() {
        cases::acl_checker::<AclDrift>("cases");
    }
}
