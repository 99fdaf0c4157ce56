/// The registries' schemas and ids: asked for by calling these, answered where the worker grants `schema-registry` to the plugin. Never in
/// `towpath_init`. What exists never changes, so answers may be kept; a call that has to wait for one is begun again from its start, on a fresh
/// instance.
#ifndef TOWPATH_REGISTRY_H
#define TOWPATH_REGISTRY_H

#include <towpath.h>
#include <wit.h>

#ifndef TOWPATH_PLUGIN_SCHEMA_REGISTRY_SIDE_SOURCE
#error "a router or a predicate is never granted the registries: leave <towpath/registry.h> out"
#endif

/// Which registry.
typedef enum { TOWPATH_SOURCE, TOWPATH_TARGET } towpath_side;

/// FAILED: the call as a whole cannot go on, `failure` says why, and the plugin returns false in turn.
typedef enum { TOWPATH_REGISTRY_FOUND, TOWPATH_REGISTRY_MISSING, TOWPATH_REGISTRY_FAILED } towpath_registry;

/// What a schema refers to.
typedef struct {
    towpath_bytes name, schema;
} towpath_reference;

/// A schema as registered, in memory that is freed after the call.
typedef struct {
    /// `AVRO`, `PROTOBUF` or `JSON`
    towpath_bytes schema_type;
    /// Byte for byte as the registry returns it.
    towpath_bytes schema;
    /// Dependencies first.
    const towpath_reference *references;
    size_t reference_count;
} towpath_schema_text;

/// The schema of this id: the four bytes after the magic byte of a value. MISSING: the registry has no such id.
towpath_registry towpath_schema(towpath_side side, uint32_t id, towpath_schema_text *schema, towpath_failure *failure);

/// The target's id of the same schema. `subject`, by the source's name, tells schemas apart where ids are not global; null: any. MISSING: the
/// target does not have it.
towpath_registry towpath_translate_id(uint32_t source_id, towpath_bytes subject, uint32_t *target_id,
                                      towpath_failure *failure);

#endif
