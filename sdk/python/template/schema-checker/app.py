"""Finds subjects that have fewer versions on the target than at the source."""

from typing import Any, Iterable

import towpath_plugin as towpath


class AllVersions(towpath.SchemaChecker):
    name = "{{name}}"
    version = "0.1.0"
    documentation = "Finds subjects that have fewer versions on the target than at the source."

    def check(self, source: Any, target: Any) -> Iterable[towpath.Finding]:
        # a subject on the target alone
        if source is None:
            return
        expected = len(source.versions)
        found = 0 if target is None else len(target.versions)
        if found < expected:
            yield towpath.Finding(
                severity="blocking",
                subject=source.subject,
                message="has fewer versions on the target",
                expected=str(expected),
                found=str(found),
                remedy="register the versions that are missing",
            )


Plugin, SchemaChecker = towpath.export(AllVersions)
