/// A predicate says which records a transformation applies to. Pure.
#ifndef TOWPATH_PREDICATE_H
#define TOWPATH_PREDICATE_H

#include <towpath/records.h>

typedef struct towpath_matches towpath_matches;

/// Defined by the plugin: notes the records that match, ascending. Without declared reads: all or none. False: see `towpath_fail`.
bool towpath_matching(towpath_batch *batch, towpath_matches *matches, towpath_failure *failure);

void towpath_match(towpath_matches *matches, uint32_t index);

#endif
