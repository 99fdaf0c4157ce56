/// A transformation changes records. Pure: what it does depends on configuration and batch alone.
#ifndef TOWPATH_TRANSFORMATION_H
#define TOWPATH_TRANSFORMATION_H

#include <towpath/records.h>
#include <wit.h>

typedef struct towpath_edits towpath_edits;

/// Defined by the plugin. Records without an edit pass unchanged; edits are given in the order of records. False: see `towpath_fail`.
bool towpath_transform(towpath_batch *batch, towpath_edits *edits, towpath_failure *failure);

/// The record is not written. Declares TOWPATH_DROPS.
void towpath_drop(towpath_edits *edits, uint32_t index);

/// Another target topic. Declares TOWPATH_CHANGES_TOPIC.
void towpath_set_topic(towpath_edits *edits, uint32_t index, towpath_bytes topic);

/// Null: no key. Declares TOWPATH_CHANGES_KEY.
void towpath_set_key(towpath_edits *edits, uint32_t index, towpath_bytes key);

/// Null: a tombstone. All new values go into one column. Declares TOWPATH_CHANGES_VALUE.
void towpath_set_value(towpath_edits *edits, uint32_t index, towpath_bytes value);

/// One more header, after the present ones. Declares TOWPATH_CHANGES_HEADERS.
void towpath_append_header(towpath_edits *edits, uint32_t index, towpath_bytes key, towpath_bytes value);

/// Every header of this key goes. Declares TOWPATH_CHANGES_HEADERS.
void towpath_remove_headers(towpath_edits *edits, uint32_t index, towpath_bytes key);

/// The record cannot be handled: one sentence, lower case, without the record's content.
void towpath_reject(towpath_edits *edits, uint32_t index, towpath_bytes reason);

/// Any edit, to be filled in as <wit.h> has it; what it points to is malloc's, and is freed with it.
towpath_plugin_types_edit_t *towpath_edit(towpath_edits *edits, uint32_t index);

#endif
