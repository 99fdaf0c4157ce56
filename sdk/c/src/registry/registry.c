// The host's `schema-registry`. A component imports it where the plugin calls one of these: the linker leaves out what nobody calls.

#include "../internal.h"
#include <towpath/registry.h>

_Static_assert((int)TOWPATH_SOURCE == TOWPATH_PLUGIN_SCHEMA_REGISTRY_SIDE_SOURCE &&
                   (int)TOWPATH_TARGET == TOWPATH_PLUGIN_SCHEMA_REGISTRY_SIDE_TARGET,
               "the sides are the contract's");

/// Until the end of the call; an empty text is not null.
static towpath_bytes scratch(wit_string_t text) {
    return (towpath_bytes){memcpy(towpath_scratch(text.len), text.ptr, text.len), text.len};
}

static towpath_registry failed(towpath_plugin_schema_registry_failure_t *from, towpath_failure *to) {
    *to = (towpath_failure){.message = scratch(from->message), .retriable = from->retriable};
    towpath_plugin_schema_registry_failure_free(from);
    return TOWPATH_REGISTRY_FAILED;
}

towpath_registry towpath_schema(towpath_side side, uint32_t id, towpath_schema_text *schema, towpath_failure *failure) {
    towpath_plugin_schema_registry_option_schema_text_t found;
    towpath_plugin_schema_registry_failure_t error;
    if (!towpath_plugin_schema_registry_schema((uint8_t)side, id, &found, &error)) {
        return failed(&error, failure);
    }
    if (!found.is_some) {
        return TOWPATH_REGISTRY_MISSING;
    }
    size_t count = found.val.references.len;
    towpath_reference *references = towpath_scratch(count * sizeof *references);
    for (size_t i = 0; i < count; i++) {
        wit_tuple2_string_string_t from = found.val.references.ptr[i];
        references[i] = (towpath_reference){.name = scratch(from.f0), .schema = scratch(from.f1)};
    }
    *schema = (towpath_schema_text){
        .schema_type = scratch(found.val.schema_type),
        .schema = scratch(found.val.schema),
        .references = references,
        .reference_count = count,
    };
    towpath_plugin_schema_registry_option_schema_text_free(&found);
    return TOWPATH_REGISTRY_FOUND;
}

towpath_registry towpath_translate_id(uint32_t source_id, towpath_bytes subject, uint32_t *target_id,
                                      towpath_failure *failure) {
    wit_string_t name = {(uint8_t *)subject.data, subject.len};
    wit_option_u32_t found;
    towpath_plugin_schema_registry_failure_t error;
    if (!towpath_plugin_schema_registry_translate_id(source_id, towpath_is_null(subject) ? NULL : &name, &found, &error)) {
        return failed(&error, failure);
    }
    if (!found.is_some) {
        return TOWPATH_REGISTRY_MISSING;
    }
    *target_id = found.val;
    return TOWPATH_REGISTRY_FOUND;
}
