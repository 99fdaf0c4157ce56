/// A validator judges pairs of records.
#ifndef TOWPATH_VALIDATOR_H
#define TOWPATH_VALIDATOR_H

#include <towpath/records.h>
#include <wit.h>

/// A record of the source and what became of it, by index into the batches, where `is_some`. Never both are missing.
typedef exports_towpath_plugin_validator_pair_t towpath_pair;

typedef struct towpath_rejections towpath_rejections;

/// Defined by the plugin: rejects the pairs that are wrong, ascending. False: see `towpath_fail`.
bool towpath_validate(towpath_batch *source, towpath_batch *target, const towpath_pair *pairs, uint32_t count,
                      towpath_rejections *rejections, towpath_failure *failure);

/// One sentence, lower case, without the record's content.
void towpath_reject_pair(towpath_rejections *rejections, uint32_t pair, towpath_bytes reason);

#endif
