// Adds a header to every record that says which topic it came from.
import * as towpath from "./towpath/plugin.js";

const described = {
  name: "{{name}}",
  version: "0.1.0",
  documentation: "Adds a header that says which topic a record came from.",
  config: [towpath.withDefault("header", "string", "source.topic", "The header's key.")],
};

export const { plugin, transformation } = towpath.transformation(described, (config) => {
  const header = config.string("header") ?? "";
  if (header === "") {
    config.mistake("header", "must not be empty; such as source.topic");
  }
  return {
    // what it reads and changes, as configured: the host gives no more, and allows no more
    reads: [],
    effects: ["headers"],
    transform(batch, edits) {
      const topic = towpath.bytes(batch.topic);
      for (let index = 0; index < batch.length; index += 1) {
        edits.appendHeader(index, header, topic);
      }
    },
  };
});
