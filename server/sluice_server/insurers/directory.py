"""The adapters of all configured insurers."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Protocol, runtime_checkable

from sluice_server.domain.context import Clock
from sluice_server.domain.errors import InsurerNotConfigured, InvalidInput, Violation
from sluice_server.domain.orders.ports import InsurerAdapter
from sluice_server.domain.tracing import Tracer
from sluice_server.insurers.config import load_insurers
from sluice_server.insurers.configuration import Callback, HttpInsurer, InsurerConfiguration
from sluice_server.insurers.http import HttpInsurerAdapter

ENTRY_POINT_GROUP = "sluice.insurers"


class AdapterFactory(Protocol):
    """What an entry point of the group ``sluice.insurers`` names: a callable that builds an adapter.

    ``options`` is the mapping of the same name in the file. Raises ValueError, with a text for the operator, when they
    are wrong. An adapter that has ``async def close(self)`` is closed with the server.
    """

    def __call__(
        self, *, insurer_id: str, options: Mapping[str, object], clock: Clock, tracer: Tracer
    ) -> InsurerAdapter: ...


@runtime_checkable
class _Closable(Protocol):
    async def close(self) -> None: ...


class ConfiguredAdapters:
    """The domain's AdapterDirectory over the adapters' file."""

    def __init__(self, adapters: Mapping[str, InsurerAdapter]) -> None:
        self._adapters = dict(adapters)

    @property
    def insurer_ids(self) -> tuple[str, ...]:
        """The insurers that can be called."""
        return tuple(sorted(self._adapters))

    def get(self, insurer_id: str) -> InsurerAdapter:
        adapter = self._adapters.get(insurer_id)
        if adapter is None:
            raise InsurerNotConfigured(
                f"insurer {insurer_id!r} has no adapter; add it to the adapters' file and restart",
                subject=f"insurers/{insurer_id}",
                insurer_id=insurer_id,
            )
        return adapter

    def callbacks(self) -> Mapping[str, Callback]:
        """How insurers tell by themselves what they have decided, by insurer; only those that do."""
        found = {name: a.callback for name, a in self._adapters.items() if isinstance(a, HttpInsurerAdapter)}
        return {name: callback for name, callback in found.items() if callback is not None}

    def endpoints(self, insurer_id: str) -> frozenset[str] | None:
        """The endpoints that a plan's binding may name; None where there is no adapter, or one that is written in
        Python and has its own ways."""
        adapter = self._adapters.get(insurer_id)
        return adapter.endpoints if isinstance(adapter, HttpInsurerAdapter) else None

    def needed_of_bindings(self, insurer_id: str) -> frozenset[str]:
        """What a binding must say: ``insurer_plan_code``, ``parameters.region``; nothing where it is not known."""
        adapter = self._adapters.get(insurer_id)
        return adapter.needed_of_bindings if isinstance(adapter, HttpInsurerAdapter) else frozenset()

    async def close(self) -> None:
        """Closes the adapters' connections."""
        for adapter in self._adapters.values():
            if isinstance(adapter, _Closable):
                await adapter.close()


def open_adapters(path: Path, *, environment: Mapping[str, str], clock: Clock, tracer: Tracer) -> ConfiguredAdapters:
    """Reads the adapters' file and builds an adapter for each insurer in it. Nothing is called yet.

    Raises InvalidConfigurationFile, or InvalidInput when a Python adapter is missing or refuses its options.
    """
    return build_adapters(load_insurers(path, environment=environment), clock=clock, tracer=tracer)


def build_adapters(insurers: Mapping[str, InsurerConfiguration], *, clock: Clock, tracer: Tracer) -> ConfiguredAdapters:
    """An adapter for each insurer. Raises InvalidInput naming every one that cannot be built."""
    installed: Mapping[str, EntryPoint] = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    adapters: dict[str, InsurerAdapter] = {}
    violations = []
    for insurer_id, insurer in insurers.items():
        if isinstance(insurer, HttpInsurer):
            adapters[insurer_id] = HttpInsurerAdapter(insurer, clock=clock, tracer=tracer)
            continue
        field = f"insurers.{insurer_id}.adapter"
        point = installed.get(insurer.adapter)
        if point is None:
            known = ", ".join(sorted(installed)) or "none"
            violations.append(Violation(field, f"no adapter {insurer.adapter!r} is installed; installed: {known}"))
            continue
        try:
            factory: AdapterFactory = point.load()
            adapters[insurer_id] = factory(insurer_id=insurer_id, options=insurer.options, clock=clock, tracer=tracer)
        except (ImportError, AttributeError, ValueError) as error:
            violations.append(Violation(field, f"{insurer.adapter!r} cannot be used: {error}"))
    if violations:
        raise InvalidInput(violations)
    return ConfiguredAdapters(adapters)
