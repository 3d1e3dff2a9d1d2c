"""The SQL files: where they are, their statements in order, and the tables that they declare.

The DDL in these files is the contract between the Flink jobs, the loader and the server. It is parsed here, once, so
that the store's tables and the contract page are made from it and can not differ from it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

FOLDERS = ("sources", "staging", "wide", "results", "sinks")
"""In the order in which their statements run; inside a folder files run by name."""

_PARTS = re.compile(r"'(?:[^']|'')*'|`[^`]*`|--[^\n]*|[;]|[^'`;-]+|-")
_COMMENT = r"COMMENT\s*'(?P<comment>(?:[^']|'')*)'"
_TABLE = re.compile(
    rf"CREATE\s+TABLE\s+(?P<name>\w+)\s*\((?P<body>.*)\)\s*{_COMMENT}\s*(?:WITH\s*\(.*\))?\s*$", re.DOTALL
)
_COLUMN = re.compile(rf"^`?(?P<name>\w+)`?\s+(?P<type>\w+)(?P<required>\s+NOT\s+NULL)?\s+{_COMMENT}$", re.DOTALL)
_KEY = re.compile(r"^PRIMARY\s+KEY\s*\((?P<columns>[^)]*)\)\s+NOT\s+ENFORCED$", re.DOTALL)


class BadDeclaration(ValueError):
    """A CREATE TABLE in the SQL files is not in the form that the contract needs (every column with a comment)."""


@dataclass(frozen=True)
class Column:
    """One declared column. `type` is Flink's name of the type, `comment` the contract's sentence about it."""

    name: str
    type: str
    comment: str
    required: bool


@dataclass(frozen=True)
class TableSchema:
    """One declared table; `key` is empty where the DDL declares none (Flink's source tables)."""

    name: str
    comment: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def required(self) -> bool:
        """Whether an input must have the table; its comment says "Optional: …" where it need not."""
        return not self.comment.startswith("Optional: ")

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


def sql_root() -> Path:
    """The folder of the SQL files: inside the installed package, or beside it in a checkout."""
    packaged = Path(__file__).parent / "sql"
    return packaged if packaged.is_dir() else Path(__file__).parents[1] / "sql"


def statements(folder: str, parameters: Mapping[str, str] | None = None) -> Iterator[str]:
    """The statements of `folder` in order, without comments; `${name}` is replaced where `parameters` are given."""
    for path in sorted((sql_root() / folder).glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        for statement in split_statements(text):
            yield Template(statement).substitute(parameters) if parameters is not None else statement


def split_statements(text: str) -> Iterator[str]:
    """Cut at semicolons outside of quotes and comments; line comments are dropped."""
    current: list[str] = []
    for part in _PARTS.findall(text):
        if part == ";":
            yield "".join(current).strip()
            current = []
        elif not part.startswith("--"):
            current.append(part)
    rest = "".join(current).strip()
    if rest:
        yield rest


def declared_tables(folder: str) -> dict[str, TableSchema]:
    """The tables declared by the CREATE TABLE statements of `folder`, by name. Raises `BadDeclaration`."""
    return {table.name: table for table in _declared(folder)}


@functools.cache
def _declared(folder: str) -> tuple[TableSchema, ...]:
    """The files do not change while a process runs."""
    return tuple(parse_table(text) for text in statements(folder) if re.match(r"CREATE\s+TABLE\b", text))


def source_tables() -> dict[str, TableSchema]:
    """What the jobs read."""
    return declared_tables("sources")


def result_tables() -> dict[str, TableSchema]:
    """What the jobs write, the loader publishes and the server reads."""
    return declared_tables("results")


def parse_table(statement: str) -> TableSchema:
    """Parse one CREATE TABLE. Raises `BadDeclaration` where a part is not understood: nothing is skipped."""
    match = _TABLE.match(statement)
    if match is None:
        raise BadDeclaration(f"not a table declaration with a comment: {statement[:80]!r}")
    columns: list[Column] = []
    key: tuple[str, ...] = ()
    for item in _split_items(match["body"]):
        if key_match := _KEY.match(item):
            key = tuple(name.strip().strip("`") for name in key_match["columns"].split(","))
        elif column := _COLUMN.match(item):
            comment = column["comment"].replace("''", "'")
            required = bool(column["required"]) or not comment.startswith("Optional:")
            columns.append(Column(column["name"], column["type"].upper(), comment, required))
        else:
            raise BadDeclaration(f"table {match['name']}: column without a type and a comment: {item!r}")
    return TableSchema(match["name"], match["comment"].replace("''", "'"), tuple(columns), key)


def _split_items(body: str) -> Iterator[str]:
    """Cut a table's body at the commas outside of quotes and parentheses."""
    current: list[str] = []
    depth = 0
    for part in re.findall(r"'(?:[^']|'')*'|[(),]|[^'(),]+", body):
        depth += (part == "(") - (part == ")")
        if part == "," and depth == 0:
            yield "".join(current).strip()
            current = []
        else:
            current.append(part)
    yield "".join(current).strip()
