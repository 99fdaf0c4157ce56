// Asks the registries everything that a plugin can ask: its cases are ../cases, its sisters in other languages stand beside it.
import * as towpath from "./towpath/plugin.js";
import * as registry from "./towpath/registry.js";

const described = {
  name: "remap",
  version: "0.1.0",
  documentation: "Puts the target's schema ids in place of the source's.",
  config: [
    towpath.optional("subject", "string", "The subject to look under; any where it is not given."),
    towpath.withDefault("schemas", "boolean", "false", "Shows the schemas in headers."),
    towpath.withDefault("early", "boolean", "false", "Asks before it may."),
  ],
};

export const { plugin, transformation } = towpath.transformation(described, (config) => {
  if (config.boolean("early")) {
    try {
      registry.translateId(7);
    } catch (error) {
      if (!(error instanceof towpath.Failure)) {
        throw error;
      }
      config.mistake("early", `${error.message} (${error.retriable ? "retriable" : "final"})`);
    }
  }
  const subject = config.string("subject");
  const schemas = config.boolean("schemas");
  return {
    reads: ["value"],
    effects: ["value", "headers"],
    transform(batch, edits) {
      batch.values().forEach((value, index) => {
        if (value === null || value.length < 5 || value[0] !== 0) {
          return;
        }
        const id = new DataView(value.buffer, value.byteOffset, value.length).getUint32(1);
        if (schemas) {
          edits.appendHeader(index, "source", shown(registry.schema("source", id)));
          edits.appendHeader(index, "target", shown(registry.schema("target", id)));
          return;
        }
        const target = registry.translateId(id, subject);
        if (target === null) {
          edits.reject(index, `id ${id} is not on the target`);
          return;
        }
        const translated = value.slice();
        new DataView(translated.buffer).setUint32(1, target);
        edits.setValue(index, translated);
      });
    },
  };
});

/** @param {registry.SchemaText | null} schema */
function shown(schema) {
  if (schema === null) {
    return null;
  }
  const references = schema.references.map(([name, text]) => `, ${name}: ${text}`);
  return `${schema.schemaType}: ${schema.schema}${references.join("")}`;
}
