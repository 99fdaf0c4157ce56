"""Rejects records whose value is not JSON, or lacks a field."""

from typing import Iterable, Optional, Sequence

import towpath_plugin as towpath


class HasField(towpath.Validator):
    name = "{{name}}"
    version = "0.1.0"
    documentation = "Rejects records whose value on the target is not JSON, or lacks a field."
    config = [towpath.required("field", "string", "The field, such as id or customer.id.")]
    # what it reads: the host gives no more
    reads = {"value"}

    def configure(self, config: towpath.Config) -> None:
        self.field = config.string("field") or ""
        if self.field == "":
            config.mistake("field", "must not be empty; such as id or customer.id")

    def validate(
        self, source: towpath.Batch, target: towpath.Batch, pairs: Sequence[towpath.Pair]
    ) -> Iterable[tuple[int, str]]:
        values = target.values()
        for index, (_, at) in enumerate(pairs):
            value = None if at is None else values[at]
            reason = None if value is None else self.judge(value)
            if reason is not None:
                yield index, reason

    def judge(self, value: bytes) -> Optional[str]:
        """Why the value is wrong, without what it holds; None: it is right."""
        try:
            found = towpath.json(value)
        except ValueError:
            return "the value is not JSON"
        for name in self.field.split("."):
            if not isinstance(found, dict) or name not in found:
                return f"the value has no field {self.field}"
            found = found[name]
        return None


Plugin, Validator = towpath.export(HasField)
