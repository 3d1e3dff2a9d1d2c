"""An adapter in Python: an insurer whose interface is a shared folder, which no HTTP configuration can describe.

A request is a file in ``requests/``; the insurer answers, later, with a file of the same name in ``answers/``:
``{"policy_number": "P-1"}`` or ``{"declined": "reason"}``. In the adapters' file:

    letters: {adapter: drop-box, options: {folder: /mnt/letters, answer_hours: 24}}
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from sluice_server.domain.context import Clock
from sluice_server.domain.orders.model import Outcome
from sluice_server.domain.orders.ports import SubmissionPending, SubmissionRequest, SubmissionResult
from sluice_server.domain.tracing import Tracer

ASK_AFTER_SECONDS = 60.0


class DropBox:
    """Never raises for what the insurer or the folder does: every failure is a result."""

    def __init__(self, folder: Path, answer_seconds: float) -> None:
        self._requests = folder / "requests"
        self._answers = folder / "answers"
        self._pending = SubmissionPending(ask_after_seconds=ASK_AFTER_SECONDS, settled_within_seconds=answer_seconds)

    async def submit(self, request: SubmissionRequest) -> SubmissionResult | SubmissionPending:
        return await asyncio.to_thread(self._drop, request)

    async def inquire(self, request: SubmissionRequest) -> SubmissionResult | SubmissionPending | None:
        return await asyncio.to_thread(self._look, request)

    def _drop(self, request: SubmissionRequest) -> SubmissionResult | SubmissionPending:
        name = _name(request)
        content = {
            "application_id": request.application.application_id,
            "product": request.binding.insurer_product_code,
            "premium_minor": request.application.premium.amount_minor,
        }
        aside = self._requests / f".{name}"
        try:
            with aside.open("w") as file:
                json.dump(content, file)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            # Nothing that the insurer looks at has been written: another insurer may take the order.
            return SubmissionResult(Outcome.TECHNICAL_FAILURE, "FOLDER_UNAVAILABLE", error.strerror or "")
        try:
            # The same name for the same key: a repeat replaces the request by itself and is no second one.
            aside.replace(self._requests / name)
        except OSError as error:
            return SubmissionResult(Outcome.UNKNOWN, "FOLDER_UNAVAILABLE", error.strerror or "")
        return self._pending

    def _look(self, request: SubmissionRequest) -> SubmissionResult | SubmissionPending | None:
        name = _name(request)
        try:
            answer = json.loads((self._answers / name).read_text())
        except FileNotFoundError:
            return self._pending if (self._requests / name).exists() else None
        except (OSError, ValueError) as error:
            return SubmissionResult(Outcome.UNKNOWN, "ANSWER_UNREADABLE", str(error))
        if "policy_number" in answer:
            return SubmissionResult(Outcome.SUCCESS, policy_number=str(answer["policy_number"]))
        return SubmissionResult(Outcome.BUSINESS_REJECTION, "DECLINED", str(answer.get("declined", "")))


def build(*, insurer_id: str, options: Mapping[str, object], clock: Clock, tracer: Tracer) -> DropBox:
    """What the entry point names. A ValueError's text is shown to the operator, and the server does not start."""
    folder, hours = options.get("folder"), options.get("answer_hours", 24)
    if not isinstance(folder, str) or not Path(folder).is_dir():
        raise ValueError("options.folder: must name a folder that exists")
    if not isinstance(hours, int | float) or not 0 < hours <= 720:
        raise ValueError("options.answer_hours: must be above 0 and at most 720")
    for part in ("requests", "answers"):
        (Path(folder) / part).mkdir(exist_ok=True)
    return DropBox(Path(folder), float(hours) * 3600.0)


def _name(request: SubmissionRequest) -> str:
    """A file name for any idempotency key."""
    return hashlib.sha256(request.idempotency_key.encode()).hexdigest() + ".json"
