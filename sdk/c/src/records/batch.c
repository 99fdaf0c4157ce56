// Columns are fetched once, as a whole.

#include "batch.h"

towpath_batch towpath_lent(towpath_plugin_batches_borrow_batch_t handle) {
    return (towpath_batch){.handle = handle, .len = towpath_plugin_batches_method_batch_len(handle)};
}

static void forget(towpath_column *column) {
    if (column->fetched) {
        towpath_plugin_types_bytes_column_free(&column->column);
        column->fetched = false;
    }
}

void towpath_returned(towpath_batch *batch) {
    forget(&batch->keys);
    forget(&batch->values);
    forget(&batch->headers);
    free((void *)batch->header.data);
    if (batch->has_topic) {
        wit_string_free(&batch->topic);
    }
    if (batch->has_timestamps) {
        wit_list_s64_free(&batch->timestamps);
    }
    if (batch->has_offsets) {
        wit_list_s64_free(&batch->offsets);
    }
    towpath_plugin_batches_batch_drop_borrow(batch->handle);
}

uint32_t towpath_len(const towpath_batch *batch) {
    return batch->len;
}

uint32_t towpath_partition(const towpath_batch *batch) {
    return towpath_plugin_batches_method_batch_partition(batch->handle);
}

towpath_bytes towpath_topic(towpath_batch *batch) {
    if (!batch->has_topic) {
        towpath_plugin_batches_method_batch_topic(batch->handle, &batch->topic);
        batch->has_topic = true;
    }
    return batch->topic.len == 0 ? towpath_text("") : (towpath_bytes){batch->topic.ptr, batch->topic.len};
}

static bool is_null(const wit_list_u32_t *nulls, uint32_t index) {
    size_t low = 0, high = nulls->len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (nulls->ptr[middle] < index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < nulls->len && nulls->ptr[low] == index;
}

static towpath_bytes item(const towpath_column *from, uint32_t index) {
    const towpath_plugin_types_bytes_column_t *column = &from->column;
    if (index >= column->ends.len) {
        abort();
    }
    uint32_t start = index == 0 ? 0 : column->ends.ptr[index - 1], end = column->ends.ptr[index];
    if (start == end) {
        return is_null(&column->nulls, index) ? TOWPATH_NULL : towpath_text("");
    }
    return (towpath_bytes){column->data.ptr + start, end - start};
}

towpath_bytes towpath_record_key(towpath_batch *batch, uint32_t index) {
    if (!batch->keys.fetched) {
        towpath_plugin_batches_method_batch_keys(batch->handle, &batch->keys.column);
        batch->keys.fetched = true;
    }
    return item(&batch->keys, index);
}

towpath_bytes towpath_value(towpath_batch *batch, uint32_t index) {
    if (!batch->values.fetched) {
        towpath_plugin_batches_method_batch_values(batch->handle, &batch->values.column);
        batch->values.fetched = true;
    }
    return item(&batch->values, index);
}

towpath_bytes towpath_header(towpath_batch *batch, uint32_t index, towpath_bytes key) {
    if (!batch->headers.fetched || !towpath_equal(batch->header, key)) {
        forget(&batch->headers);
        free((void *)batch->header.data);
        // An empty key has memory too: it is not null.
        batch->header = (towpath_bytes){memcpy(malloc(key.len), key.data, key.len), key.len};
        wit_string_t name = {(uint8_t *)key.data, key.len};
        towpath_plugin_batches_method_batch_header_column(batch->handle, &name, &batch->headers.column);
        batch->headers.fetched = true;
    }
    return item(&batch->headers, index);
}

int64_t towpath_timestamp(towpath_batch *batch, uint32_t index) {
    if (!batch->has_timestamps) {
        towpath_plugin_batches_method_batch_timestamps(batch->handle, &batch->timestamps);
        batch->has_timestamps = true;
    }
    if (index >= batch->timestamps.len) {
        abort();
    }
    return batch->timestamps.ptr[index];
}

int64_t towpath_offset(towpath_batch *batch, uint32_t index) {
    if (!batch->has_offsets) {
        towpath_plugin_batches_method_batch_offsets(batch->handle, &batch->offsets);
        batch->has_offsets = true;
    }
    if (index >= batch->len) {
        abort();
    }
    return index < batch->offsets.len ? batch->offsets.ptr[index] : -1;
}
