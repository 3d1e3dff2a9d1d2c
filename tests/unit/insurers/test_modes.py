from __future__ import annotations

from collections import Counter

import pytest

from sluice_server.domain.errors import InvalidInput
from sluice_server.insurers.simulated.modes import Mode, ModeName, Reply

KEYS = [f"key-{number}" for number in range(4000)]


def share(mode: Mode, reply: Reply) -> float:
    return sum(mode.submission(key, 1).reply is reply for key in KEYS) / len(KEYS)


def test_jitter_fails_at_the_given_rate() -> None:
    assert share(Mode().changed({"mode": "jitter", "error_rate": 0.1}), Reply.ERROR) == pytest.approx(0.1, abs=0.02)


def test_an_outage_mixes_refusal_silence_and_silent_acceptance() -> None:
    mode = Mode(ModeName.OUTAGE)
    kinds = Counter((r.accept, r.reply) for r in (mode.submission(key, 1) for key in KEYS))
    assert {kind: round(count / len(KEYS), 1) for kind, count in kinds.items()} == {
        (False, Reply.ERROR): 0.3,
        (False, Reply.SILENCE): 0.3,
        (True, Reply.SILENCE): 0.3,
    }
    assert {mode.inquiry(key, 1).reply for key in KEYS} == {Reply.ERROR, Reply.SILENCE}


def test_the_same_seed_draws_the_same_and_another_one_differently() -> None:
    drawn = [[Mode(ModeName.OUTAGE, seed=seed).submission(key, 1) for key in KEYS] for seed in (3, 3, 4)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_declines_stay_with_the_key_and_keep_to_their_rate() -> None:
    mode = Mode(decline_rate=0.2)
    assert sum(map(mode.declines, KEYS)) / len(KEYS) == pytest.approx(0.2, abs=0.03)


def test_latency_has_the_given_median_and_ninety_ninth_percentile() -> None:
    mode = Mode(latency_median_ms=20, latency_p99_ms=200)
    drawn = sorted(mode.latency_seconds(key, 1) for key in KEYS)
    assert drawn[len(drawn) // 2] == pytest.approx(0.020, rel=0.1)
    assert drawn[len(drawn) * 99 // 100] == pytest.approx(0.200, rel=0.25)
    slow = mode.changed({"mode": "slow", "slow_seconds": 3})
    assert slow.latency_seconds("k", 1) == pytest.approx(mode.latency_seconds("k", 1) + 3)


@pytest.mark.parametrize("mode", ModeName)
def test_every_mode_can_be_asked_for_and_answers(mode: ModeName) -> None:
    asked = Mode().changed({"mode": mode.value})
    assert asked.mode is mode
    assert asked.submission("k", 1).reply in Reply
    assert asked.inquiry("k", 1).reply in Reply


@pytest.mark.parametrize(
    "script", [{"mode": "x"}, {"mode": 1}, {"mode": None}, {"status": 200}, {"latency_median_ms": 0}, {"seed": True}]
)
def test_wrong_numbers_are_refused(script: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        Mode().changed(script)
