// Finds access rules that are due and not on the target.
import * as towpath from "./towpath/plugin.js";

const described = {
  name: "{{name}}",
  version: "0.1.0",
  documentation: "Finds access rules that are due and not on the target.",
};

/** @param {import("./towpath/plugin.js").AclBinding} binding */
const asText = (binding) =>
  JSON.stringify([
    binding.resourceType,
    binding.resourceName,
    binding.patternType,
    binding.principal,
    binding.host,
    binding.operation,
    binding.permission,
  ]);

export const { plugin, aclChecker } = towpath.aclChecker(described, () => ({
  check(due, _pending, target) {
    const present = new Set(target.map(asText));
    const missing = due.filter((binding) => !present.has(asText(binding)));
    return missing.map((binding) => ({
      severity: "blocking",
      subject: `${binding.principal} ${binding.operation} on ${binding.resourceType} ${binding.resourceName}`,
      message: "is not on the target",
      expected: binding.permission,
      remedy: "add it there",
    }));
  },
}));
