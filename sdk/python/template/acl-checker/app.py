"""Finds access rules that are due and not on the target."""

from typing import Any, Iterable, Sequence

import towpath_plugin as towpath


class DueArePresent(towpath.AclChecker):
    name = "{{name}}"
    version = "0.1.0"
    documentation = "Finds access rules that are due and not on the target."

    def check(self, due: Sequence[Any], pending: Sequence[Any], target: Sequence[Any]) -> Iterable[towpath.Finding]:
        for binding in due:
            if binding not in target:
                yield towpath.Finding(
                    severity="blocking",
                    subject=f"{binding.principal} {binding.operation} on {binding.resource_type} {binding.resource_name}",
                    message="is not on the target",
                    expected=binding.permission,
                    remedy="add it there",
                )


Plugin, AclChecker = towpath.export(DueArePresent)
