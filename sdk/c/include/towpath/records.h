/// Records as the host holds them. A column is fetched when it is first asked for, as a whole, and freed after the call.
#ifndef TOWPATH_RECORDS_H
#define TOWPATH_RECORDS_H

#include <towpath.h>

typedef struct towpath_batch towpath_batch;

/// How many records there are; their indexes are below it, and any other index is a trap.
uint32_t towpath_len(const towpath_batch *batch);

/// The topic that the batch was read from.
towpath_bytes towpath_topic(towpath_batch *batch);
uint32_t towpath_partition(const towpath_batch *batch);

/// Null: no key. Declares TOWPATH_READS_KEY.
towpath_bytes towpath_record_key(towpath_batch *batch, uint32_t index);

/// Null: a tombstone. Declares TOWPATH_READS_VALUE.
towpath_bytes towpath_value(towpath_batch *batch, uint32_t index);

/// The last value of the headers of this key; null: there is none, or it is null. Ask for one key of all records before the next. Declares
/// TOWPATH_READS_HEADER.
towpath_bytes towpath_header(towpath_batch *batch, uint32_t index, towpath_bytes key);

/// ms since the epoch; -1: none. Declares TOWPATH_READS_TIMESTAMP.
int64_t towpath_timestamp(towpath_batch *batch, uint32_t index);

/// -1: not written yet. Declares TOWPATH_READS_OFFSET.
int64_t towpath_offset(towpath_batch *batch, uint32_t index);

#endif
