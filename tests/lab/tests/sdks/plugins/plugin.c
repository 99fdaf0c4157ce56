/// Asks the registries everything that a plugin can ask: its cases are ../cases, its sisters in other languages stand beside it.
#include <towpath/registry.h>
#include <towpath/transformation.h>

static const towpath_key KEYS[] = {
    {.name = "subject", .type = TOWPATH_STRING, .presence = TOWPATH_OPTIONAL,
     .documentation = "The subject to look under; any where it is not given."},
    {.name = "schemas", .type = TOWPATH_BOOLEAN, .presence = TOWPATH_DEFAULT, .value = "false",
     .documentation = "Shows the schemas in headers."},
    {.name = "early", .type = TOWPATH_BOOLEAN, .presence = TOWPATH_DEFAULT, .value = "false",
     .documentation = "Asks before it may."},
};

const towpath_descriptor towpath_plugin = {
    .name = "remap",
    .version = "0.1.0",
    .documentation = "Puts the target's schema ids in place of the source's.",
    .keys = KEYS,
    .key_count = 3,
};

static towpath_bytes subject;
static bool schemas;

void towpath_init(towpath_config *config, towpath_needs *needs) {
    needs->reads = TOWPATH_READS_VALUE;
    needs->effects = TOWPATH_CHANGES_VALUE | TOWPATH_CHANGES_HEADERS;
    subject = towpath_get(config, "subject");
    schemas = towpath_equal(towpath_get(config, "schemas"), towpath_text("true"));
    uint32_t target;
    towpath_failure failure;
    if (towpath_equal(towpath_get(config, "early"), towpath_text("true")) &&
        towpath_translate_id(7, TOWPATH_NULL, &target, &failure) == TOWPATH_REGISTRY_FAILED) {
        towpath_bytes kind = towpath_text(failure.retriable ? " (retriable)" : " (final)");
        towpath_bytes message = towpath_join(failure.message, kind, (towpath_bytes){(const uint8_t *)"", 1});
        towpath_mistake(config, "early", (const char *)message.data);
    }
}

static bool show(towpath_side side, uint32_t id, towpath_bytes *shown, towpath_failure *failure) {
    towpath_schema_text schema;
    *shown = TOWPATH_NULL;
    switch (towpath_schema(side, id, &schema, failure)) {
    case TOWPATH_REGISTRY_FAILED:
        return false;
    case TOWPATH_REGISTRY_MISSING:
        return true;
    case TOWPATH_REGISTRY_FOUND:
        break;
    }
    *shown = towpath_join(schema.schema_type, towpath_text(": "), schema.schema);
    for (size_t i = 0; i < schema.reference_count; i++) {
        towpath_reference reference = schema.references[i];
        *shown = towpath_join(*shown, towpath_text(", "), reference.name, towpath_text(": "), reference.schema);
    }
    return true;
}

bool towpath_transform(towpath_batch *batch, towpath_edits *edits, towpath_failure *failure) {
    for (uint32_t index = 0; index < towpath_len(batch); index++) {
        towpath_bytes value = towpath_value(batch, index);
        if (value.len < 5 || value.data[0] != 0) continue;
        uint32_t id = (uint32_t)value.data[1] << 24 | (uint32_t)value.data[2] << 16 | (uint32_t)value.data[3] << 8 | value.data[4];
        if (schemas) {
            towpath_bytes source, target;
            if (!show(TOWPATH_SOURCE, id, &source, failure) || !show(TOWPATH_TARGET, id, &target, failure)) return false;
            towpath_append_header(edits, index, towpath_text("source"), source);
            towpath_append_header(edits, index, towpath_text("target"), target);
            continue;
        }
        uint32_t target;
        switch (towpath_translate_id(id, subject, &target, failure)) {
        case TOWPATH_REGISTRY_FAILED:
            return false;
        case TOWPATH_REGISTRY_MISSING:
            towpath_reject(edits, index, towpath_join(towpath_text("id "), towpath_decimal(id), towpath_text(" is not on the target")));
            break;
        case TOWPATH_REGISTRY_FOUND: {
            uint8_t head[] = {0, target >> 24, target >> 16, target >> 8, target};
            towpath_bytes rest = {value.data + sizeof head, value.len - sizeof head};
            towpath_set_value(edits, index, towpath_join((towpath_bytes){head, sizeof head}, rest));
        }
        }
    }
    return true;
}
