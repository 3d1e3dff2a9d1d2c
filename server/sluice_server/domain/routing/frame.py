"""What many decisions have in common, so that whoever writes decisions down writes that part once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
D = TypeVar("D")

MAXIMUM_FRAMES = 16_384
"""Of the candidates of one traffic snapshot; with more kinds of decisions the frames begin anew."""


class Frame:
    """Stands for everything in a first decision by a STICKY split but its ids, rule, split key and moment: disposition,
    insurer, binding, plan, factors, candidates, traffic version.

    A plan makes thousands of decisions a second and only a handful of frames, which its decisions carry
    (``Framed``). What has been made of a frame's part, as JSON, as protobuf, is kept with it; in a decision without a
    frame the same is to be made from its fields.
    """

    __slots__ = ("_kept", "of")

    def __init__(self, of: tuple[object, ...]) -> None:
        self.of = of
        """Held, because frames are looked up by the identity of what is in them."""
        self._kept: dict[object, object] = {}

    def kept(self, key: object, make: Callable[[D], T], decision: D) -> T:
        """What ``make`` made of a decision with this frame when it was first asked for under ``key``."""
        try:
            return self._kept[key]  # type: ignore[return-value]  # under a key is only what its one ``make`` made
        except KeyError:
            made = self._kept[key] = make(decision)
            return made


class Framed:
    """Room for the frame. No field: it is neither compared nor shown, and a changed copy has none."""

    __slots__ = ("_frame",)
    _frame: Frame

    @property
    def frame(self) -> Frame | None:
        """None where nothing is known to be shared."""
        try:
            return self._frame
        except AttributeError:
            return None


_slot: Any = vars(Framed)["_frame"]
set_frame: Callable[[Framed, Frame], None] = _slot.__set__
"""Gives a decision its frame when it is made: past what keeps a frozen dataclass from being changed."""
