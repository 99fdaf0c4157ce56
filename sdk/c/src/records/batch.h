/// A batch, for the files of the kinds that are given some.
#ifndef TOWPATH_BATCH_H
#define TOWPATH_BATCH_H

#include "../internal.h"
#include <towpath/records.h>

typedef struct {
    bool fetched;
    towpath_plugin_types_bytes_column_t column;
} towpath_column;

struct towpath_batch {
    towpath_plugin_batches_borrow_batch_t handle;
    uint32_t len;
    bool has_topic, has_timestamps, has_offsets;
    wit_string_t topic;
    towpath_column keys, values, headers;
    /// of which `headers` is the column
    towpath_bytes header;
    wit_list_s64_t timestamps, offsets;
};

towpath_batch towpath_lent(towpath_plugin_batches_borrow_batch_t handle);

/// Frees what was fetched, and gives the batch back: the host insists on that.
void towpath_returned(towpath_batch *batch);

#endif
