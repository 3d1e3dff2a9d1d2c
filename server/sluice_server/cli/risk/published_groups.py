"""``sluice risk groups --data-version``: the search that the server makes after a publication, made now."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from rich.table import Table
from rich.text import Text

from sluice_server.cli.connection import output
from sluice_server.cli.risk.answers import print_json, refusals
from sluice_server.domain.context import SystemClock
from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.groups.ports import GroupRun, RiskGroup


def show_published(store: str, risk_store: str, data_version: int, *, as_json: bool) -> None:
    """Searches the version where that was not done yet, and shows what is stored. 0 is the active one."""
    with refusals(as_json):
        run, groups = asyncio.run(_search(store, risk_store, data_version or None))
    if as_json:
        accepted = [one for one in groups if one.judged.accepted]
        refused = [one for one in groups if not one.judged.accepted]
        permuted = {"proposed": run.permuted_proposed, "accepted": run.permuted_accepted}
        print_json({"run": run, "accepted": accepted, "refused": refused, "permuted": permuted})
        return
    table = Table("source", "group", "effect", "interval", "when found", "claims", "years", "q", box=None)
    for one in groups:
        judged = one.judged
        if not judged.accepted:
            continue
        upper = judged.effect_interval.upper
        table.add_row(
            judged.source,
            Text(" and ".join(f"{part.dimension} = {part.value}" for part in judged.conditions)),
            f"{judged.effect:.2f}",
            f"{judged.effect_interval.lower:.2f} to {'∞' if upper is None else f'{upper:.2f}'}",
            f"{judged.discovery_effect:.2f}",
            f"{judged.outcomes:,.0f}",
            f"{judged.exposure:,.0f}",
            f"{judged.q_value:.2g}",
        )
    output.print(table)
    output.print(
        f"data version {run.stamp.data_version}: {run.tried:,} tried, {run.proposed} proposed, {run.accepted} accepted "
        f"on the hold-out half; cells dealt {run.split}"
    )
    if run.llm_model:
        refusals_of_model = ", ".join(f"{reason} {count}" for reason, count in run.refused_proposals.items()) or "none"
        told = run.llm_failure or f"refused before the gate: {refusals_of_model}"
        output.print(Text(f"language model {run.llm_model}: {run.llm_tokens:,} tokens; {told}"))
    style = "green" if run.permuted_accepted == 0 else "bold red"
    text = f"permuted claims: {run.permuted_proposed} proposed, {run.permuted_accepted} accepted"
    output.print(Text(text, style=style))


async def _search(store: str, risk_store: str, data_version: int | None) -> tuple[GroupRun, list[RiskGroup]]:
    # Only here: the search of a file needs no database and no settings.
    from sluice_server.domain.risk.semantic.model_yaml import shipped_model
    from sluice_server.runtime.risk_group_search import build_risk_group_search
    from sluice_server.runtime.settings import SettingsError, load_settings
    from sluice_server.store import open_store
    from sluice_server.store.risk import RiskStoreReader

    try:
        settings = load_settings(store_url=store, risk_store_url=risk_store)
    except SettingsError as error:
        raise InvalidInput([Violation("settings", str(error))]) from error
    async with AsyncExitStack() as opened:
        reader = RiskStoreReader(risk_store, shipped_model())
        opened.push_async_callback(reader.close)
        stamp = await reader.stamp(data_version)
        stored = await opened.enter_async_context(open_store(store))
        search = build_risk_group_search(settings, stored, reader, SystemClock(), opened)
        await search(stamp.data_version)
        async with stored.read() as uow:
            found = await uow.groups.run(stamp.data_version)
    if found is None:
        text = f"another process is searching data version {stamp.data_version}; ask again when it has ended"
        raise InvalidInput([Violation("data_version", text)])
    return found[0], list(found[1])
