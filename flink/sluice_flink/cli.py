"""The `sluice-flink` command."""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sluice_flink import contract as contract_page
from sluice_flink import generate as generator
from sluice_flink import job
from sluice_flink.cluster import ClusterFailed, loopback_cluster
from sluice_flink.embedded import EmbeddedSettings, RemoteCluster
from sluice_flink.findings import JobFailed
from sluice_flink.fremtpl2 import import_fremtpl2
from sluice_flink.input_state import StateInUse
from sluice_flink.inputs import BadInput
from sluice_flink.jdbc_input import is_database
from sluice_flink.jdbc_sink import IncomingInUse
from sluice_flink.progress import live_display, summary_table
from sluice_flink.publish import BaseReplaced, NoSuchVersion, incremental_summary, roll_back
from sluice_flink.result_files import BadResults
from sluice_flink.risk_store import BadStoreUrl
from sluice_flink.stream_cli import stream
from sluice_flink.tracing import tracer
from sluice_flink.work_folder import ForeignFiles, claim


class Sink(enum.StrEnum):
    """How the results get into the store."""

    FILES = "files"
    JDBC = "jdbc"


class Target(enum.StrEnum):
    """Where the jobs run."""

    EMBEDDED = "embedded"
    REMOTE = "remote"


app = typer.Typer(help="FlinkSQL jobs of the risk query store: generate, import, run, publish.", no_args_is_help=True)
app.command()(stream)
_errors = Console(stderr=True)


@app.command()
def run(
    source: Annotated[
        str,
        typer.Option(
            "--input",
            envvar="SLUICE_FLINK_INPUT",
            show_envvar=True,
            help="Folder of the source tables (CSV, Parquet, JSON lines) or postgresql://HOST/DATABASE.",
        ),
    ],
    store: Annotated[str, typer.Option(help="Risk query store: sqlite:///FILE or postgresql://HOST/DATABASE.")],
    orders: Annotated[Path | None, typer.Option(help="Folder of Sluice's exported orders (dt=…/*.jsonl).")] = None,
    watermark: Annotated[
        str | None,
        typer.Option(help="Everything before it counts, e.g. 2026-11-01T00:00:00Z. Else the input's, else now."),
    ] = None,
    work: Annotated[Path, typer.Option(help="Scratch folder of this command's own; emptied first.")] = Path(
        "build/flink"
    ),
    target: Annotated[Target, typer.Option(help="embedded: a mini cluster of its own. remote: see --rest.")] = (
        Target.EMBEDDED
    ),
    rest: Annotated[str, typer.Option(help="HOST:PORT of the remote JobManager's REST endpoint.")] = "127.0.0.1:8081",
    schema: Annotated[str, typer.Option(help="Schema of the source tables in a database.")] = "public",
    connectors: Annotated[Path, typer.Option(help="Folder of the jars that a database takes.")] = Path(
        "build/flink-connectors"
    ),
    sink: Annotated[Sink, typer.Option(help="files: the loader copies them. jdbc: Flink writes to PostgreSQL.")] = (
        Sink.FILES
    ),
    parallelism: Annotated[int, typer.Option(min=1, help="Slots to use.")] = EmbeddedSettings().parallelism,
    reject_limit: Annotated[float, typer.Option(min=0, max=1, help="Share of a table's rows that may be bad.")] = 0.01,
    incremental: Annotated[
        bool, typer.Option("--incremental", help="Compute anew what the changed files reach; take the rest over.")
    ] = False,
    state: Annotated[Path, typer.Option(help="What incremental runs remember of the input; a folder of its own.")] = (
        Path("build/flink-state")
    ),
    keep: Annotated[int, typer.Option(min=1, help="Data versions that stay readable.")] = 5,
    otlp_endpoint: Annotated[
        str | None,
        typer.Option(
            envvar="SLUICE_OTLP_ENDPOINT", show_envvar=True, help="OTLP/HTTP collector that gets a span for each stage."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Run all jobs on a mini cluster or a remote one and publish one data version. Exit 1: nothing was published."""
    if incremental and is_database(source):
        raise typer.BadParameter("which rows of a database have changed is not known", param_hint="--incremental")
    parameters = job.RunParameters(
        Path("." if is_database(source) else source),
        orders,
        store,
        work,
        _instant(watermark),
        reject_limit=reject_limit,
        keep_versions=keep,
        flink=EmbeddedSettings(parallelism=parallelism),
        database=job.SourceDatabase(source, schema, connectors) if is_database(source) else None,
        sink_jars=connectors if sink is Sink.JDBC else None,
        state_dir=state if incremental else None,
        remote=_cluster(rest, parallelism) if target is Target.REMOTE else None,
    )
    try:
        with live_display(_errors) as display, tracer(otlp_endpoint) as spans:
            report = job.run(parameters, _now, display, spans)
    except BadInput as error:
        _fail("nothing published, the input can not be read", *error.problems)
    except (JobFailed, BadStoreUrl, BadResults, BaseReplaced, ForeignFiles, StateInUse, IncomingInUse) as error:
        _fail(str(error))
    if as_json:
        findings = [{"source": s, "finding": f, "rows": n} for (s, f), n in sorted(report.findings.items()) if n]
        document = {
            "data_version": report.data_version,
            "unchanged": report.unchanged,
            "incremental": incremental_summary(report.base, report.taken_over),
            "watermark": report.watermark.isoformat(),
            "row_counts": dict(report.row_counts),
            "findings": findings,
            "seconds": {name: round(value, 3) for name, value in report.seconds.items()},
            "fingerprint": report.fingerprint,
            "flink_version": report.flink_version,
        }
        typer.echo(json.dumps(document, indent=2))
        return
    if report.unchanged:
        typer.echo(f"nothing has changed since data version {report.data_version}")
        return
    _errors.print(summary_table("Flink job", report.row_counts, report.findings, report.seconds, report.base))
    typer.echo(f"published data version {report.data_version} (watermark {report.watermark.isoformat()})")


@app.command()
def rollback(
    version: Annotated[int, typer.Argument(min=1, help="A data version that is still kept.")],
    store: Annotated[str, typer.Option(help="Risk query store: sqlite:///FILE or postgresql://HOST/DATABASE.")],
) -> None:
    """Make an older data version the active one again."""
    try:
        asyncio.run(roll_back(store, version))
    except (NoSuchVersion, BadStoreUrl) as error:
        _fail(str(error))
    typer.echo(f"data version {version} is active")


@app.command()
def generate(
    output: Annotated[Path, typer.Option(help="Folder to write the source tables to.")],
    policies: Annotated[int, typer.Option(min=1, help="Number of policies.")] = 200_000,
    seed: Annotated[int, typer.Option(help="Same seed, same portfolio.")] = 1,
    as_of: Annotated[str, typer.Option(help="Day the portfolio is known on; also the watermark.")] = "2026-11-01",
) -> None:
    """Write a synthetic portfolio with abnormal stores and repair shops, a surge and a drift, named in planted.json."""
    try:
        day = dt.date.fromisoformat(as_of)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--as-of") from error
    begun = time.perf_counter()
    rows = generator.write_portfolio(generator.generate_portfolio(policies, seed, day), output)
    counted = ", ".join(f"{name} {count:,}" for name, count in rows.items())
    typer.echo(f"{counted}; {output} in {time.perf_counter() - begun:.1f} s")


@app.command("import-fremtpl2")
def import_data(
    data: Annotated[Path, typer.Option(help="Folder of freMTPL2freq.parquet and freMTPL2sev.parquet.")],
    output: Annotated[Path, typer.Option(help="Folder to write the source tables to.")],
) -> None:
    """Map the public data set freMTPL2 to the source tables."""
    try:
        rows = import_fremtpl2(data, output)
    except BadInput as error:
        _fail("freMTPL2 can not be read", *error.problems)
    typer.echo(", ".join(f"{name} {count:,}" for name, count in rows.items()))


@app.command("try-cluster")
def try_cluster(
    work: Annotated[Path, typer.Option(help="Scratch folder of this command's own; emptied first.")] = Path(
        "build/flink-cluster"
    ),
    policies: Annotated[int, typer.Option(min=1, help="Number of generated policies.")] = 50_000,
    seed: Annotated[int, typer.Option(help="Same seed, same portfolio.")] = 1,
) -> None:
    """Start a JobManager and two TaskManagers on this machine, run the same job there as embedded, and stop them."""
    try:
        claim(work)
        generator.write_portfolio(generator.generate_portfolio(policies, seed), work / "source")
        with loopback_cluster(work / "cluster") as cluster:
            seen = cluster.get("/overview")
            typer.echo(
                f"cluster at http://{cluster.rest}: Flink {seen['flink-version']}, {seen['taskmanagers']} TaskManagers"
            )
            program = [sys.executable, "-c", "from sluice_flink.cli import app; app()"]
            store = f"sqlite:///{(work / 'risk.db').resolve()}"
            options = ["--input", work / "source", "--store", store, "--work", work / "job", "--rest", cluster.rest]
            command = [*program, "run", "--target", "remote", *map(str, options)]
            done = subprocess.run(command)  # noqa: S603 - the command is this one
            for job_id, state in cluster.jobs().items():
                typer.echo(f"the cluster says: job {job_id} {state}")
    except (ForeignFiles, ClusterFailed) as error:
        _fail(str(error))
    typer.echo("cluster stopped")
    raise typer.Exit(done.returncode)


@app.command()
def contract(
    check: Annotated[bool, typer.Option("--check", help="Only say whether the page is fresh; exit 1 if not.")] = False,
) -> None:
    """Write flink/CONTRACT.md, the page of source and result tables, from the DDL."""
    page = contract_page.render()
    path = contract_page.page_path()
    if check:
        if not path.is_file() or path.read_text(encoding="utf-8") != page:
            _fail(f"{path} is stale; run sluice-flink contract")
        return
    path.write_text(page, encoding="utf-8")
    typer.echo(f"wrote {path}")


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _cluster(rest: str, parallelism: int) -> RemoteCluster:
    host, _, port = rest.rpartition(":")
    if not host or not port.isdecimal():
        raise typer.BadParameter("must be HOST:PORT", param_hint="--rest")
    return RemoteCluster(host, int(port), parallelism)


def _instant(text: str | None) -> dt.datetime | None:
    if text is None:
        return None
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--watermark") from error


def _fail(*lines: str) -> None:
    for line in lines:
        _errors.print(line, style="red", highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(1)
