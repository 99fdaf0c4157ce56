/// Finds a value in JSON text, without building a tree.
#ifndef TOWPATH_JSON_H
#define TOWPATH_JSON_H

#include <towpath.h>

typedef enum { TOWPATH_JSON_FOUND, TOWPATH_JSON_MISSING, TOWPATH_JSON_INVALID } towpath_json;

/// Where a path of names such as `customer.id` leads, from the outermost object on. The whole text is checked, also where the path does not
/// lead: what is not JSON (RFC 8259, containers at most 127 deep) is invalid. `value` may be NULL; of a name that is there twice, it is the last.
towpath_json towpath_json_find(towpath_bytes json, towpath_bytes path, towpath_bytes *value);

#endif
