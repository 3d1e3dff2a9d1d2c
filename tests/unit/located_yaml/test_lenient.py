"""Small texts may repeat themselves with aliases and merge keys, but not without end; mistakes keep their lines."""

from __future__ import annotations

from enum import StrEnum

import pytest

from sluice_server.domain.located_yaml import Mistakes, Section, read_section
from sluice_server.domain.located_yaml.reader import MAXIMUM_DEPTH, MAXIMUM_REPEATED


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def section(source: str) -> Section:
    mistakes = Mistakes()
    found = read_section(source, mistakes)
    assert found is not None, mistakes.errors()
    return found


def refused(source: str) -> list[tuple[int, str, str]]:
    mistakes = Mistakes()
    read_section(source, mistakes)
    return [(m.line, m.path, m.message) for m in mistakes.errors()]


def test_aliases_stand_for_what_was_written_above() -> None:
    top = section("a: &a {x: [1, 2]}\nb: *a\nc: &c word\nd: [*c, *a]\n")
    assert (top.plain("b"), top.plain("d")) == ({"x": [1, 2]}, ["word", {"x": [1, 2]}])
    assert top.line_of("b") == 2


def test_a_merge_key_adds_what_is_missing() -> None:
    top = section("a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\none:\n  <<: *a\n  y: 9\nmany: {<<: [*b, *a]}\n")
    assert top.plain("one") == {"x": 1, "y": 9}
    assert top.plain("many") == {"x": 1, "y": 3, "z": 4}


@pytest.mark.parametrize(
    ("source", "line", "path", "message"),
    [
        ("a: 1\nb: *c\n", 2, "b", "*c stands for nothing above"),
        ("a: &a [*a]\n", 1, "a[0]", "*a stands for nothing above"),
        ("a: &a 7\nb: {<<: *a}\n", 2, "b.<<", "must be a mapping or several, this is a number"),
        ("a: 1\nb: 2\na: 3\n", 3, "a", "the key 'a' is there twice, first in line 1"),
        ("a: !!set {x}\n", 1, "a", "the tag tag:yaml.org,2002:set is not accepted"),
        ("- 1\n", 1, "", "must be a mapping, this is a list"),
        ("# nothing\n", 0, "", "empty; must be a mapping"),
        ("a:\n  b: [1\n", 2, "", "is not YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(source: str, line: int, path: str, message: str) -> None:
    ((at, where, said),) = refused(source)
    assert (at, where, message in said) == (line, path, True), said


def test_a_small_text_cannot_become_a_huge_one() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    ((line, _, message),) = refused("\n".join(lines))
    assert (line, message) == (5, f"aliases repeat more than {MAXIMUM_REPEATED} values; write fewer")


@pytest.mark.parametrize(
    "source",
    [
        f"a: {'[' * 100_000}",
        "a: &a0 [x]\n" + "".join(f"b{n}: &a{n + 1} [*a{n}]\n" for n in range(MAXIMUM_DEPTH)),
    ],
    ids=["written", "by aliases"],
)
def test_nesting_is_limited(source: str) -> None:
    ((_, _, message),) = refused(source)
    assert "nested too deeply" in message


def test_a_text_with_a_colon_needs_no_quotes_within_braces() -> None:
    assert section("a: {secret: env:NAME, 0000: x}").plain("a") == {"secret": "env:NAME", "0000": "x"}


def test_reading_goes_on_after_every_mistake() -> None:
    top = section(
        "flag: maybe\nnumber: 1e999\nwhole: 1.5\nsmall: 0\ncolour: green\nnames: [a, {b: c}, 3]\nparts: [{x: 1}, 2]\n"
        "inner: text\nzzz: 1\n"
    )
    assert top.flag("flag") is False
    assert (top.number("number"), top.integer("whole", minimum=0, maximum=9)) == (None, None)
    assert top.number("small", above=0, at_most=5) is None
    assert top.choice("colour", Colour, Colour.RED) is Colour.RED
    assert top.texts("names") == ("a", "3")
    assert [part.path for part in top.sections("parts")] == ["parts[0]"]
    assert top.needed_section("inner").text("deep", default="else") == "else"
    assert top.text("none", required=True) == ""
    top.report_at("names[1].b", "seen")
    top.report_at("parts[9].x", "around")
    top.done()
    assert [(m.line, m.path, m.message) for m in top.mistakes.errors()] == [
        (1, "flag", "must be true or false, this is text"),
        (1, "none", "missing; the file needs it"),
        (2, "number", "must be a finite number"),
        (3, "whole", "must be a whole number, not 1.5"),
        (4, "small", "must be more than 0 and at most 5, not 0"),
        (5, "colour", "must be one of red, blue, not 'green'"),
        (6, "names[1]", "must be a text, this is a mapping"),
        (6, "names[1].b", "seen"),
        (7, "parts[1]", "must be a mapping, this is a number"),
        (7, "parts[9].x", "around"),
        (8, "inner", "must be a mapping, this is text"),
        (
            9,
            "zzz",
            "unknown key 'zzz'; known are colour, flag, inner, names, none, number, parts, small, whole",
        ),
    ]
