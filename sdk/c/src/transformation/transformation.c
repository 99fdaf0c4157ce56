// A transformation's call, and its edits.

#include "../records/batch.h"
#include <towpath/transformation.h>

typedef towpath_plugin_types_tuple2_u32_edit_t numbered;

struct towpath_edits {
    towpath_plugin_types_edits_t answer;
    size_t edit_room, row_room, end_room, null_room, data_room;
};

bool exports_towpath_plugin_transformation_transform(exports_towpath_plugin_transformation_borrow_batch_t handle,
                                                     exports_towpath_plugin_transformation_edits_t *ret,
                                                     exports_towpath_plugin_transformation_failure_t *err) {
    towpath_batch batch = towpath_lent(handle);
    towpath_edits edits = {0};
    towpath_failure failure = {0};
    bool done = towpath_transform(&batch, &edits, &failure);
    if (done) {
        *ret = edits.answer;
    } else {
        towpath_plugin_types_edits_free(&edits.answer);
        towpath_failed(failure, err);
    }
    towpath_returned(&batch);
    towpath_end_call();
    return done;
}

towpath_plugin_types_edit_t *towpath_edit(towpath_edits *edits, uint32_t index) {
    towpath_plugin_types_list_tuple2_u32_edit_t *list = &edits->answer.edits;
    list->ptr = towpath_grow(list->ptr, list->len, &edits->edit_room, sizeof(numbered));
    numbered *last = &list->ptr[list->len++];
    memset(last, 0, sizeof *last);
    last->f0 = index;
    return &last->f1;
}

static wit_option_list_u8_t optional(towpath_bytes bytes) {
    wit_option_list_u8_t option = {.is_some = !towpath_is_null(bytes)};
    if (option.is_some) {
        option.val = (wit_list_u8_t){towpath_copy(bytes), bytes.len};
    }
    return option;
}

void towpath_drop(towpath_edits *edits, uint32_t index) {
    towpath_edit(edits, index)->tag = TOWPATH_PLUGIN_TYPES_EDIT_DROP;
}

void towpath_set_topic(towpath_edits *edits, uint32_t index, towpath_bytes topic) {
    towpath_plugin_types_edit_t *edit = towpath_edit(edits, index);
    edit->tag = TOWPATH_PLUGIN_TYPES_EDIT_SET_TOPIC;
    edit->val.set_topic = towpath_string(topic);
}

void towpath_set_key(towpath_edits *edits, uint32_t index, towpath_bytes key) {
    towpath_plugin_types_edit_t *edit = towpath_edit(edits, index);
    edit->tag = TOWPATH_PLUGIN_TYPES_EDIT_SET_KEY;
    edit->val.set_key = optional(key);
}

void towpath_append_header(towpath_edits *edits, uint32_t index, towpath_bytes key, towpath_bytes value) {
    towpath_plugin_types_edit_t *edit = towpath_edit(edits, index);
    edit->tag = TOWPATH_PLUGIN_TYPES_EDIT_APPEND_HEADER;
    edit->val.append_header.key = towpath_string(key);
    edit->val.append_header.value = optional(value);
}

void towpath_remove_headers(towpath_edits *edits, uint32_t index, towpath_bytes key) {
    towpath_plugin_types_edit_t *edit = towpath_edit(edits, index);
    edit->tag = TOWPATH_PLUGIN_TYPES_EDIT_REMOVE_HEADERS;
    edit->val.remove_headers = towpath_string(key);
}

void towpath_reject(towpath_edits *edits, uint32_t index, towpath_bytes reason) {
    towpath_plugin_types_edit_t *edit = towpath_edit(edits, index);
    edit->tag = TOWPATH_PLUGIN_TYPES_EDIT_REJECT;
    edit->val.reject = towpath_string(reason);
}

static void push(wit_list_u32_t *list, size_t *room, uint32_t item) {
    list->ptr = towpath_grow(list->ptr, list->len, room, sizeof item);
    list->ptr[list->len++] = item;
}

void towpath_set_value(towpath_edits *edits, uint32_t index, towpath_bytes value) {
    towpath_plugin_types_value_edits_t *values = &edits->answer.values;
    wit_list_u8_t *data = &values->values.data;
    if (value.len > 0) {
        size_t whole;
        if (__builtin_add_overflow(data->len, value.len, &whole)) {
            abort();
        }
        if (whole > edits->data_room) {
            edits->data_room = whole > SIZE_MAX / 4 ? whole : whole * 2;
            data->ptr = realloc(data->ptr, edits->data_room);
        }
        memcpy(data->ptr + data->len, value.data, value.len);
        data->len = whole;
    }
    if (towpath_is_null(value)) {
        push(&values->values.nulls, &edits->null_room, (uint32_t)values->rows.len);
    }
    push(&values->values.ends, &edits->end_room, (uint32_t)data->len);
    push(&values->rows, &edits->row_room, index);
}
