"""Asks the registries everything that a plugin can ask: its cases are ../cases, its sisters in other languages stand beside it."""

from typing import Optional

import towpath_plugin as towpath
import towpath_registry as registry


class Remap(towpath.Transformation):
    name, version = "remap", "0.1.0"
    documentation = "Puts the target's schema ids in place of the source's."
    config = [
        towpath.optional("subject", "string", "The subject to look under; any where it is not given."),
        towpath.default("schemas", "boolean", "false", "Shows the schemas in headers."),
        towpath.default("early", "boolean", "false", "Asks before it may."),
    ]
    reads = {"value"}
    effects = {"value", "headers"}

    def configure(self, config: towpath.Config) -> None:
        self.subject = config.string("subject")
        self.schemas = config.boolean("schemas")
        if config.boolean("early"):
            try:
                registry.translate_id(7)
            except towpath.Failure as failure:
                config.mistake("early", f"{failure} ({'retriable' if failure.retriable else 'final'})")

    def transform(self, batch: towpath.Batch, edits: towpath.Edits) -> None:
        for index, value in enumerate(batch.values()):
            if value is None or len(value) < 5 or value[0] != 0:
                continue
            id = int.from_bytes(value[1:5], "big")
            if self.schemas:
                edits.append_header(index, "source", shown(registry.schema("source", id)))
                edits.append_header(index, "target", shown(registry.schema("target", id)))
                continue
            target = registry.translate_id(id, self.subject)
            if target is None:
                edits.reject(index, f"id {id} is not on the target")
            else:
                edits.set_value(index, b"\0" + target.to_bytes(4, "big") + value[5:])


def shown(schema: Optional[registry.SchemaText]) -> Optional[str]:
    if schema is None:
        return None
    references = "".join(f", {name}: {text}" for name, text in schema.references)
    return f"{schema.schema_type}: {schema.schema}{references}"


Plugin, Transformation = towpath.export(Remap)
