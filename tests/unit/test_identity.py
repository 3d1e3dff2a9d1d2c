"""Ids tell when they were made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sluice_server.domain.identity import made_at, new_id


def test_an_id_tells_the_millisecond_it_was_made_in() -> None:
    before = datetime.now(UTC)
    made = made_at(new_id("dec"))
    assert made is not None
    assert before - timedelta(milliseconds=1) <= made <= datetime.now(UTC)


@pytest.mark.parametrize("other", ["app-1", "", "dec-", "dec-" + "g" * 32, "dec-" + "f" * 32, "dec-" + "0" * 31])
def test_what_is_no_id_tells_nothing(other: str) -> None:
    assert made_at(other) is None
