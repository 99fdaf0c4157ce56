// Matches records with large values.
import * as towpath from "./towpath/plugin.js";

const described = {
  name: "{{name}}",
  version: "0.1.0",
  documentation: "Matches records whose value has at least so many bytes.",
  config: [towpath.required("bytes", "int", "From so many bytes on, at least 1.")],
};

export const { plugin, predicate } = towpath.predicate(described, (config) => {
  const bytes = config.integer("bytes") ?? 0;
  if (bytes < 1) {
    config.mistake("bytes", "must be a number of bytes, at least 1");
  }
  return {
    // what it reads, as configured: the host gives no more
    reads: ["value"],
    matching(batch) {
      /** @type {number[]} */
      const matching = [];
      batch.values().forEach((value, index) => {
        // null: a tombstone
        if (value !== null && value.length >= bytes) {
          matching.push(index);
        }
      });
      return matching;
    },
  };
});
