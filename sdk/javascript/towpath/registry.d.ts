// The types of registry.js: the registries' schemas and ids, answered where the worker grants `schema-registry` to the plugin. Never asked while
// the plugin is configured. What exists never changes, so answers may be kept; a call that has to wait for one is begun again from its start, on
// a fresh instance. A `Failure` is thrown where the call as a whole cannot go on.

/** Which registry. */
export type Side = "source" | "target";

/** A schema as registered. */
export interface SchemaText {
  /** `AVRO`, `PROTOBUF` or `JSON` */
  schemaType: string;
  /** As the registry returns it. */
  schema: string;
  /** [name, schema] of what it refers to, dependencies first. */
  references: [name: string, schema: string][];
}

/** The schema of this id: the four bytes after the magic byte of a value. null: the registry has no such id. */
export function schema(side: Side, id: number): SchemaText | null;

/**
 * The target's id of the same schema. `subject`, by the source's name, tells schemas apart where ids are not global. null: the target does not
 * have it.
 */
export function translateId(sourceId: number, subject?: string | null): number | null;
