/// A router renames topics. Pure and invertible: the host checks that the way back leads to where a topic came from.
#ifndef TOWPATH_ROUTER_H
#define TOWPATH_ROUTER_H

#include <towpath.h>

/// Defined by the plugin: the target's name of a source topic. `mapped` is null at first: this topic is not routed, and is refused by name.
bool towpath_map_topic(towpath_bytes topic, towpath_bytes *mapped, towpath_failure *failure);

/// Defined by the plugin: the source's name of a target topic. Null: no source topic has that name there.
bool towpath_unmap_topic(towpath_bytes topic, towpath_bytes *unmapped, towpath_failure *failure);

#endif
