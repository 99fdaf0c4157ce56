/// An ACL checker compares access rules.
#ifndef TOWPATH_ACL_CHECKER_H
#define TOWPATH_ACL_CHECKER_H

#include <towpath/findings.h>

typedef exports_towpath_checks_acl_checker_acl_binding_t towpath_acl_binding;
typedef exports_towpath_checks_acl_checker_list_acl_binding_t towpath_acl_bindings;

/// Defined by the plugin. `due`: must be on the target now. `pending`: will be granted later, present or not. `target`: what is there.
bool towpath_check(const towpath_acl_bindings *due, const towpath_acl_bindings *pending,
                   const towpath_acl_bindings *target, towpath_findings *findings, towpath_failure *failure);

/// The same in every part.
bool towpath_same_binding(const towpath_acl_binding *one, const towpath_acl_binding *other);

#endif
