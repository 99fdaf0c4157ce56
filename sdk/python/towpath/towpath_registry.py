"""The registries' schemas and ids. It belongs to the `towpath` program, which writes it anew: do not edit.

    import towpath_registry as registry

Answered where the worker grants `schema-registry` to the plugin; never asked in `configure`. What exists never changes, so answers may be kept; a
call that has to wait for one is begun again from its start, on a fresh instance.

A module of its own, because a component has the registries only where towpath.json says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Literal, Optional

from componentize_py_types import Err

from towpath_plugin import Failure

try:
    from wit_world.imports import schema_registry as _registry
except ImportError:
    raise ImportError('towpath_registry needs "registries": true in towpath.json') from None

Side = Literal["source", "target"]
"""Which registry."""


@dataclass(frozen=True)
class SchemaText:
    """A schema as registered."""

    schema_type: str
    """`AVRO`, `PROTOBUF` or `JSON`."""
    schema: str
    """As the registry returns it."""
    references: list[tuple[str, str]]
    """(name, schema) of what it refers to, dependencies first."""


def schema(side: Side, id: int) -> Optional[SchemaText]:
    """The schema of this id: the four bytes after the magic byte of a value. None: the registry has no such id."""
    found = _asked(lambda: _registry.schema(_registry.Side[side.upper()], id))
    return None if found is None else SchemaText(found.schema_type, found.schema, found.references)


def translate_id(source_id: int, subject: Optional[str] = None) -> Optional[int]:
    """The target's id of the same schema. `subject`, by the source's name, tells schemas apart where ids are not global.

    None: the target does not have it.
    """
    return _asked(lambda: _registry.translate_id(source_id, subject))


def _asked(ask: Callable[[], Any]) -> Any:
    """The contract's failure as the SDK's: left as it is, it would count as a broken plugin."""
    try:
        return ask()
    except Err as error:
        raise Failure(error.value.message, error.value.retriable) from error
