"""Towpath's SDK for plugins in Python. It belongs to the `towpath` program, which writes it anew: do not edit.

A plugin is a class of a kind, such as `Transformation`, and one line that exports it:

    import towpath_plugin as towpath

    class Mark(towpath.Transformation):
        name, version, documentation = "mark", "0.1.0", "Marks every record."
        effects = {"headers"}

        def transform(self, batch, edits):
            for index in range(len(batch)):
                edits.append_header(index, "mark", b"1")

    Plugin, Transformation = towpath.export(Mark)
"""

from __future__ import annotations

import json as _json
import re
import traceback
from dataclasses import dataclass, field
from typing import Any, Callable, ClassVar, Iterable, Literal, NoReturn, Optional, Sequence, Tuple, Union

from componentize_py_types import Err
from wit_world.exports import plugin as _plugin
from wit_world.imports import host as _host
from wit_world.imports import types as _types

Data = Union[bytes, str, None]
"""Bytes, a text for its UTF-8, or null."""

Type = Literal["boolean", "int", "long", "double", "string", "list", "class", "password"]
Column = Literal["key", "value", "header", "timestamp", "offset"]
Effect = Literal["key", "value", "headers", "drop", "split", "topic"]
Level = Literal["trace", "debug", "info", "warn", "error"]
Pair = Tuple[Optional[int], Optional[int]]


# --- the host ---


def log(level: Level, message: str) -> None:
    """A line in the worker's log. `print` makes one, too."""
    _host.log(_host.Level[level.upper()], message)


def count(name: str, by: int = 1) -> None:
    """Adds to a counter of the plugin's own, shown at `/metrics`. At most 16 names of `[a-z0-9_]`."""
    _host.count(name, by)


# --- configuration ---


@dataclass
class Key:
    """A configuration key: the host checks values against it, and documents it."""

    name: str
    type: Type
    documentation: str
    presence: Any
    importance: Literal["low", "medium", "high"] = "medium"
    valid_values: Sequence[str] = ()
    recommended: Sequence[str] = ()
    display_name: str = ""
    group: str = ""
    order: int = 0

    def _wit(self) -> Any:
        return _plugin.ConfigKey(
            self.name,
            _plugin.ConfigType[self.type.upper()],
            self.presence,
            _plugin.Importance[self.importance.upper()],
            self.documentation,
            self.display_name,
            self.group,
            self.order,
            list(self.valid_values),
            list(self.recommended),
        )


def required(name: str, type: Type, documentation: str, **more: Any) -> Key:
    """A key that must be given. `more`: see `Key`."""
    return Key(name, type, documentation, _plugin.Presence_Required(), **more)


def optional(name: str, type: Type, documentation: str, **more: Any) -> Key:
    """A key that may be given."""
    return Key(name, type, documentation, _plugin.Presence_Optional(), **more)


def default(name: str, type: Type, value: str, documentation: str, **more: Any) -> Key:
    """A key that has this value where none is given."""
    return Key(name, type, documentation, _plugin.Presence_Default(value), **more)


class Config:
    """What a plugin is configured with: every key is known, and every value of its type. None: not given."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values = dict(pairs)
        self.mistakes: list[tuple[str, str]] = []

    def string(self, name: str) -> Optional[str]:
        return self._values.get(name)

    def integer(self, name: str) -> Optional[int]:
        return self._read(name, int)

    def double(self, name: str) -> Optional[float]:
        return self._read(name, float)

    def boolean(self, name: str) -> Optional[bool]:
        return self._read(name, lambda value: value.strip().lower() == "true")

    def list(self, name: str) -> Optional[list[str]]:
        return self._read(name, lambda value: [item.strip() for item in value.split(",") if item.strip()])

    def mistake(self, name: str, message: str) -> None:
        """Says what is wrong with a value. All mistakes are told at once, when the plugin has looked at everything."""
        self.mistakes.append((name, message))

    def _read(self, name: str, read: Callable[[str], Any]) -> Any:
        value = self._values.get(name)
        return None if value is None else read(value)


# --- records ---


@dataclass
class Header:
    """A record's header; a key may occur more than once."""

    key: str
    value: Data = None

    def _wit(self) -> Any:
        return _types.Header(self.key, _bytes(self.value))


@dataclass
class Outgoing:
    """A record to be written in place of another one."""

    key: Data = None
    value: Data = None
    headers: Sequence[Header] = field(default_factory=list)

    def _wit(self) -> Any:
        return _types.Outgoing(_bytes(self.key), _bytes(self.value), [header._wit() for header in self.headers])


class Batch:
    """Records of one partition, lent for one call. Ask for whole columns: a call costs much more than a byte."""

    def __init__(self, lent: Any) -> None:
        self._lent = lent
        self._len: int = lent.len()

    def __len__(self) -> int:
        return self._len

    @property
    def topic(self) -> str:
        return self._lent.topic()

    @property
    def partition(self) -> int:
        return self._lent.partition()

    @property
    def timestamp_type(self) -> Literal["create-time", "log-append-time"]:
        return self._lent.timestamp_type().name.lower().replace("_", "-")

    def offsets(self) -> list[int]:
        return self._lent.offsets()

    def timestamps(self) -> list[int]:
        """ms since the epoch; -1: none."""
        return self._lent.timestamps()

    def keys(self) -> list[Optional[bytes]]:
        return _items(self._lent.keys())

    def values(self) -> list[Optional[bytes]]:
        """None: a tombstone."""
        return _items(self._lent.values())

    def key(self, index: int) -> Optional[bytes]:
        return self._lent.key(index)

    def value(self, index: int) -> Optional[bytes]:
        return self._lent.value(index)

    def headers(self, index: int) -> list[Header]:
        return [Header(header.key, header.value) for header in self._lent.headers(index)]

    def header_column(self, key: str) -> list[Optional[bytes]]:
        """The last value of this header, a record; None where there is none, and where it is null."""
        return _items(self._lent.header_column(key))


class Edits:
    """What a transformation wants done. Records may come in any order, the edits of one record apply in theirs."""

    def __init__(self) -> None:
        self._edits: list[tuple[int, Any]] = []
        self._values: dict[int, Optional[bytes]] = {}

    def drop(self, index: int) -> None:
        self._edits.append((index, _types.Edit_Drop()))

    def set_topic(self, index: int, topic: str) -> None:
        self._edits.append((index, _types.Edit_SetTopic(topic)))

    def set_key(self, index: int, key: Data) -> None:
        self._edits.append((index, _types.Edit_SetKey(_bytes(key))))

    def set_value(self, index: int, value: Data) -> None:
        """Goes into one column with all new values of the batch. None: a tombstone."""
        self._values[index] = _bytes(value)

    def set_headers(self, index: int, headers: Iterable[Header]) -> None:
        self._edits.append((index, _types.Edit_SetHeaders([header._wit() for header in headers])))

    def append_header(self, index: int, key: str, value: Data) -> None:
        self._edits.append((index, _types.Edit_AppendHeader(_types.Header(key, _bytes(value)))))

    def remove_headers(self, index: int, key: str) -> None:
        self._edits.append((index, _types.Edit_RemoveHeaders(key)))

    def replace(self, index: int, records: Iterable[Outgoing]) -> None:
        self._edits.append((index, _types.Edit_Replace([record._wit() for record in records])))

    def reject(self, index: int, reason: str) -> None:
        """This record cannot be handled; `errors.tolerance` decides what follows. Without the record's content."""
        self._edits.append((index, _types.Edit_Reject(reason)))

    def _finish(self) -> Any:
        """As the contract has them: ascending, values in a column of their own."""
        self._edits.sort(key=lambda edit: edit[0])
        rows = sorted(self._values)
        values = _column([self._values[row] for row in rows])
        return _types.Edits(self._edits, _types.ValueEdits(rows, values))


def _bytes(data: Data) -> Optional[bytes]:
    return data.encode() if isinstance(data, str) else data


def _items(column: Any) -> list[Optional[bytes]]:
    data, start = column.data, 0
    items: list[Optional[bytes]] = []
    for end in column.ends:
        items.append(data[start:end])
        start = end
    for index in column.nulls:
        items[index] = None
    return items


def _column(items: Sequence[Optional[bytes]]) -> Any:
    ends, nulls, end = [], [], 0
    for index, item in enumerate(items):
        if item is None:
            nulls.append(index)
        else:
            end += len(item)
        ends.append(end)
    return _types.BytesColumn(b"".join(item for item in items if item is not None), ends, nulls)


# --- JSON ---

LEVELS = 127
"""Of arrays and objects. The SDKs of all languages take the same texts for JSON."""


def json(data: bytes) -> Any:
    """The value of a JSON text. ValueError: it is none (strict UTF-8, no NaN, at most `LEVELS`)."""
    text = data.decode()
    if text.count("[") + text.count("{") > LEVELS and _levels(text) > LEVELS:
        raise ValueError("too deep")
    return _json.loads(text, parse_constant=_no_constant)


def _levels(text: str) -> int:
    level = deepest = 0
    for mark in re.findall(r"[\[\]{}]", re.sub(r'"(?:[^"\\]|\\.)*"', "", text, flags=re.DOTALL)):
        level += 1 if mark in "[{" else -1
        deepest = max(deepest, level)
    return deepest


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# --- kinds ---


class Failure(Exception):
    """Raised: the call as a whole failed, and the pipeline decides what follows. Any other exception breaks the plugin."""

    def __init__(self, message: str, retriable: bool = False) -> None:
        super().__init__(message)
        self.retriable = retriable


class _Kind:
    """What every kind has. `configure` is called once, before anything else."""

    name: ClassVar[str]
    version: ClassVar[str]
    documentation: ClassVar[str]
    config: ClassVar[Sequence[Key]] = ()
    reads: Iterable[Column] = ()
    effects: Iterable[Effect] = ()

    def configure(self, config: Config) -> None:
        """Reads the configuration; may set `self.reads` and `self.effects` as it needs them."""


class Transformation(_Kind):
    """Changes records."""

    def transform(self, batch: Batch, edits: Edits) -> None:
        raise NotImplementedError


class Router(_Kind):
    """Renames topics: two functions, each other's inverse. None: not routed."""

    def map_topic(self, topic: str) -> Optional[str]:
        raise NotImplementedError

    def unmap_topic(self, topic: str) -> Optional[str]:
        raise NotImplementedError


class Predicate(_Kind):
    """Says which records a transformation applies to."""

    def matching(self, batch: Batch) -> Iterable[int]:
        """Indexes of the records that match, ascending."""
        raise NotImplementedError


class Validator(_Kind):
    """Judges pairs of a source record and what became of it."""

    def validate(self, source: Batch, target: Batch, pairs: Sequence[Pair]) -> Iterable[tuple[int, str]]:
        """The pairs that are wrong, ascending: (index into `pairs`, why, without the record's content)."""
        raise NotImplementedError


@dataclass
class Finding:
    """What a checker found about one thing."""

    severity: Literal["info", "warning", "blocking"]
    subject: str
    message: str
    expected: Optional[str] = None
    found: Optional[str] = None
    remedy: Optional[str] = None

    def _wit(self) -> Any:
        from wit_world.imports import findings

        severity = findings.Severity[self.severity.upper()]
        return findings.Finding(severity, self.subject, self.message, self.expected, self.found, self.remedy)


class SchemaChecker(_Kind):
    """Compares a subject on both registries; None: it does not exist on that side. The fields are those of `checks.wit`."""

    def check(self, source: Any, target: Any) -> Iterable[Finding]:
        raise NotImplementedError


class AclChecker(_Kind):
    """Compares access rules: what must be there now, what comes later, and what is there. The fields are those of `checks.wit`."""

    def check(self, due: Sequence[Any], pending: Sequence[Any], target: Sequence[Any]) -> Iterable[Finding]:
        raise NotImplementedError


def export(kind: type[_Kind]) -> tuple[type, type]:
    """The two classes that the component exports: `Plugin`, and the one that has the kind's name."""
    configured: list[Any] = []

    class Plugin:
        def describe(self) -> Any:
            keys = [key._wit() for key in kind.config]
            return _plugin.Descriptor(kind.name, kind.version, kind.documentation, keys)

        def init(self, pairs: Any) -> Any:
            try:
                config, it = Config(pairs), kind()
                it.configure(config)
                if not config.mistakes:
                    configured[:] = [it]
                    reads = _flags(_plugin.Reads, it.reads)
                    return _plugin.Needs(reads, _flags(_plugin.Effects, it.effects))
            except Exception as error:
                _broken(error)
            raise Err([_plugin.ConfigError(name, message) for name, message in config.mistakes])

    def call(made: Callable[[Any], Any]) -> Any:
        try:
            return made(configured[0])
        except Failure as failure:
            raise Err(_types.Failure(str(failure), failure.retriable)) from failure
        except Exception as error:
            _broken(error)

    class OfTransformation:
        def transform(self, batch: Any) -> Any:
            def made(it: Transformation) -> Any:
                edits = Edits()
                it.transform(Batch(batch), edits)
                return edits._finish()

            return call(made)

    class OfRouter:
        def map_topic(self, topic: str) -> Any:
            return call(lambda it: it.map_topic(topic))

        def unmap_topic(self, topic: str) -> Any:
            return call(lambda it: it.unmap_topic(topic))

    class OfPredicate:
        def matching(self, batch: Any) -> Any:
            return call(lambda it: list(it.matching(Batch(batch))))

    class OfValidator:
        def validate(self, source: Any, target: Any, pairs: Any) -> Any:
            from wit_world.exports import validator

            def made(it: Validator) -> Any:
                given = [(pair.source, pair.target) for pair in pairs]
                rejected = it.validate(Batch(source), Batch(target), given)
                return [validator.Rejection(index, reason) for index, reason in rejected]

            return call(made)

    class OfChecker:
        def check(self, *sides: Any) -> Any:
            return call(lambda it: [finding._wit() for finding in it.check(*sides)])

    kinds: list[tuple[type, type]] = [
        (Transformation, OfTransformation),
        (Router, OfRouter),
        (Predicate, OfPredicate),
        (Validator, OfValidator),
        (SchemaChecker, OfChecker),
        (AclChecker, OfChecker),
    ]
    for base, exported in kinds:
        if issubclass(kind, base):
            return Plugin, exported
    raise TypeError(f"{kind.__name__} is of no kind: derive it from {', '.join(base.__name__ for base, _ in kinds)}")


def _flags(flags: Any, names: Iterable[str]) -> Any:
    value = flags(0)
    for name in names:
        value |= flags[name.upper()]
    return value


def _broken(error: Exception) -> NoReturn:
    """The plugin is broken: the worker's status has the error, and a fresh instance takes over."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{where.filename}:{where.lineno} in {where.name}"
    _host.log(_host.Level.ERROR, f"{type(error).__name__}: {error} ({place})")
    raise error
