// Rejects records whose value is not JSON, or lacks a field.
import * as towpath from "./towpath/plugin.js";

const described = {
  name: "{{name}}",
  version: "0.1.0",
  documentation: "Rejects records whose value on the target is not JSON, or lacks a field.",
  config: [towpath.required("field", "string", "The field, such as id or customer.id.")],
};

export const { plugin, validator } = towpath.validator(described, (config) => {
  const field = config.string("field") ?? "";
  if (field === "") {
    config.mistake("field", "must not be empty; such as id or customer.id");
  }
  return {
    // what it reads, as configured: the host gives no more
    reads: ["value"],
    validate(_source, target, pairs) {
      const values = target.values();
      /** @type {{ index: number, reason: string }[]} */
      const rejected = [];
      pairs.forEach((pair, index) => {
        const value = pair.target === null ? null : values[pair.target];
        const reason = value === null ? null : judge(value, field);
        if (reason !== null) {
          rejected.push({ index, reason });
        }
      });
      return rejected;
    },
  };
});

/**
 * Why the value is wrong, without what it holds; null: it is right.
 * @param {Uint8Array} value
 * @param {string} field
 */
function judge(value, field) {
  let found;
  try {
    found = towpath.json(value);
  } catch {
    return "the value is not JSON";
  }
  for (const name of field.split(".")) {
    const has = found !== null && typeof found === "object" && !Array.isArray(found) && Object.hasOwn(found, name);
    if (!has) {
      return `the value has no field ${field}`;
    }
    found = found[name];
  }
  return null;
}
