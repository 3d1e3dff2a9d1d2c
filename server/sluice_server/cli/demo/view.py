"""What the person at the terminal sees while the demo runs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sluice_server.cli.demo.traffic import Tally

STATE_STYLES = {
    "CLOSED": "green",
    "OPEN": "bold red",
    "CONFIRMED": "yellow",
    "RETRYING": "yellow",
    "RAMPING": "cyan",
}
BAR_CELLS = 24
PLAIN_SECONDS = 5.0


class TrafficView:
    """A live table of the insurers; plain lines every few seconds where the output is no terminal."""

    def __init__(self, console: Console, insurers: Mapping[str, str], agreed: Mapping[str, int]) -> None:
        self._console = console
        self._insurers = insurers
        self._agreed = agreed
        self._live = Live(console=console, refresh_per_second=8, transient=True, auto_refresh=False)
        self._began = time.monotonic()
        self._printed = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(f"[dim]{time.monotonic() - self._began:6.1f} s[/dim]  {text}")

    def show(self, phase: str, tally: Tally, states: Mapping[str, str], admitted: Mapping[str, int]) -> None:
        """Redraws with the latest numbers."""
        if self._console.is_terminal:
            self._live.update(self._table(phase, tally, states, admitted), refresh=True)
            return
        now = time.monotonic()
        if now - self._printed >= PLAIN_SECONDS:
            self._printed = now
            shares = tally.shares()
            parts = "  ".join(f"{name} {states.get(name, '?')} {shares.get(name, 0.0):.0%}" for name in self._insurers)
            self.say(f"{phase}: {len(tally.acknowledged)} answered  {parts}")

    def _table(self, phase: str, tally: Tally, states: Mapping[str, str], admitted: Mapping[str, int]) -> Group:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for heading in ("insurer", "breaker", "admitted", "agreed", "share of the last 5 s"):
            table.add_column(heading, justify="right" if heading in {"admitted", "agreed"} else "left")
        shares = tally.shares()
        for insurer_id in self._insurers:
            state = states.get(insurer_id, "?")
            share = shares.get(insurer_id, 0.0)
            table.add_row(
                insurer_id,
                Text(f"{state:<9}", style=STATE_STYLES.get(state, "")),
                f"{admitted.get(insurer_id, 10_000) / 100:.0f} %",
                f"{self._agreed[insurer_id]} %",
                f"{'█' * round(share * BAR_CELLS):<{BAR_CELLS}} {share:4.0%}",
            )
        counts = "  ".join(f"{state} {count}" for state, count in sorted(tally.states().items()))
        seconds = time.monotonic() - self._began
        return Group(Text(f"{seconds:6.1f} s  {phase}", style="bold"), table, Text(f"answered: {counts}", style="dim"))
