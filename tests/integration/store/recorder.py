"""A process that acknowledges decisions, for the test that kills it: prints each application_id when it is durable.

python -m tests.integration.store.recorder URL RUN
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys

from sluice_server.domain.orders.model import OrderState
from sluice_server.store import open_store
from tests.integration.store.samples import after, order, stored, submitting


async def main(url: str, run: str) -> None:
    numbers = itertools.count()
    async with open_store(url) as store:

        async def caller() -> None:
            for number in numbers:
                given = order(f"{run}-{number:08}", at=after(number / 1000))
                await store.decision_log.record(given)
                _say(f"recorded {given.application_id}")
                begun = submitting(given, at=after(number / 1000 + 1))
                assert begun.state is OrderState.SUBMITTING
                await store.decision_log.save(begun)
                _say(f"saved {stored(begun).application_id}")

        await asyncio.gather(*(caller() for _ in range(64)))


def _say(line: str) -> None:
    # Past Python's buffers: what is said is said, also when the process dies in the next instruction.
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
