"""Adds a header to every record that says which topic it came from."""

import towpath_plugin as towpath


class MarkTopic(towpath.Transformation):
    name = "{{name}}"
    version = "0.1.0"
    documentation = "Adds a header that says which topic a record came from."
    config = [towpath.default("header", "string", "source.topic", "The header's key.")]
    # what it reads and changes: the host gives no more, and allows no more
    reads = set()
    effects = {"headers"}

    def configure(self, config: towpath.Config) -> None:
        self.header = config.string("header") or ""
        if self.header == "":
            config.mistake("header", "must not be empty; such as source.topic")

    def transform(self, batch: towpath.Batch, edits: towpath.Edits) -> None:
        topic = batch.topic.encode()
        for index in range(len(batch)):
            edits.append_header(index, self.header, topic)


Plugin, Transformation = towpath.export(MarkTopic)
