"""Matches records with large values."""

from typing import Iterable

import towpath_plugin as towpath


class LargeValue(towpath.Predicate):
    name = "{{name}}"
    version = "0.1.0"
    documentation = "Matches records whose value has at least so many bytes."
    config = [towpath.required("bytes", "int", "From so many bytes on, at least 1.")]
    # what it reads: the host gives no more
    reads = {"value"}

    def configure(self, config: towpath.Config) -> None:
        self.bytes = config.integer("bytes") or 0
        if self.bytes < 1:
            config.mistake("bytes", "must be a number of bytes, at least 1")

    def matching(self, batch: towpath.Batch) -> Iterable[int]:
        for index, value in enumerate(batch.values()):
            # None: a tombstone
            if value is not None and len(value) >= self.bytes:
                yield index


Plugin, Predicate = towpath.export(LargeValue)
