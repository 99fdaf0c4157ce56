"""Puts a prefix before the names of topics."""

from typing import Optional

import towpath_plugin as towpath


class Prefix(towpath.Router):
    name = "{{name}}"
    version = "0.1.0"
    documentation = "Puts a prefix before the names of topics."
    config = [towpath.required("prefix", "string", "Such as eu-1.")]

    def configure(self, config: towpath.Config) -> None:
        self.prefix = config.string("prefix") or ""
        if self.prefix == "":
            config.mistake("prefix", "must not be empty; such as eu-1.")

    def map_topic(self, topic: str) -> Optional[str]:
        return self.prefix + topic

    def unmap_topic(self, topic: str) -> Optional[str]:
        """The way back: the host checks that it leads to where the topic came from."""
        return topic.removeprefix(self.prefix) if topic.startswith(self.prefix) else None


Plugin, Router = towpath.export(Prefix)
