"""Adds a header to every record, as plugins/insert-header does in Rust: the same golden cases hold for both."""

from typing import Optional

import towpath_plugin as towpath


class InsertHeader(towpath.Transformation):
    name = "insert-header"
    version = "0.1.0"
    documentation = (
        "Adds a header with a fixed value to every record, as Connect's InsertHeader does. What becomes of headers "
        "that are there already can be chosen."
    )
    config = [
        towpath.required("header", "string", "The header's key."),
        towpath.required("value.literal", "string", "The header's value. Its UTF-8 bytes are written as they are."),
        towpath.default(
            "existing",
            "string",
            "append",
            "What becomes of a record that has headers of this key: append adds one more behind them, keep leaves such a record "
            "as it is (a null value counts as none), replace removes them.",
            valid_values=["append", "keep", "replace"],
        ),
    ]
    effects = {"headers"}

    def configure(self, config: towpath.Config) -> None:
        self.header = config.string("header") or ""
        self.value = (config.string("value.literal") or "").encode()
        self.existing = (config.string("existing") or "").strip()
        if self.header == "":
            config.mistake("header", "must not be empty; a header's key, such as mirrored-from")
        if self.existing == "keep":
            self.reads = {"header"}

    def transform(self, batch: towpath.Batch, edits: towpath.Edits) -> None:
        present: list[Optional[bytes]] = [None] * len(batch)
        if self.existing == "keep":
            present = batch.header_column(self.header)
        for index in range(len(batch)):
            if self.existing == "replace":
                edits.remove_headers(index, self.header)
            if present[index] is None:
                edits.append_header(index, self.header, self.value)


Plugin, Transformation = towpath.export(InsertHeader)
