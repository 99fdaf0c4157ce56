// Finds subjects that have fewer versions on the target than at the source.
import * as towpath from "./towpath/plugin.js";

const described = {
  name: "{{name}}",
  version: "0.1.0",
  documentation: "Finds subjects that have fewer versions on the target than at the source.",
};

export const { plugin, schemaChecker } = towpath.schemaChecker(described, () => ({
  check(source, target) {
    // a subject on the target alone
    if (source === null) {
      return [];
    }
    const expected = source.versions.length;
    const found = target === null ? 0 : target.versions.length;
    if (found >= expected) {
      return [];
    }
    return [
      {
        severity: "blocking",
        subject: source.subject,
        message: "has fewer versions on the target",
        expected: String(expected),
        found: String(found),
        remedy: "register the versions that are missing",
      },
    ];
  },
}));
