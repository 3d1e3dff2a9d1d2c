"""The same SQL on a real cluster: a JobManager and two TaskManagers as processes of their own."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest

from sluice_flink.cluster import loopback_cluster
from sluice_flink.result_files import read_results
from tests.flink.command import run_job, sluice_flink
from tests.flink.difficult_input import WATERMARK, write_difficult_input
from tests.flink.independent import compute
from tests.support.listening import LOOPBACK, listening_addresses

pytestmark = pytest.mark.flink


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_cluster_computes_what_an_independent_computation_does(tmp_path: Path) -> None:
    source, orders = write_difficult_input(tmp_path, policies=500)
    with loopback_cluster(tmp_path / "cluster") as cluster:
        assert cluster.get("/overview")["taskmanagers"] == 2
        assert listening_addresses(set(cluster.pids)) <= LOOPBACK
        more: list[str | Path] = ["--orders", orders, "--watermark", WATERMARK, "--reject-limit", "0.2"]
        store = f"sqlite:///{tmp_path / 'risk.db'}"
        run_job(source, store, tmp_path / "work", *more, "--target", "remote", "--rest", cluster.rest).report()
        assert list(cluster.jobs().values()) == ["FINISHED"]
    assert not any(map(runs, cluster.pids))
    found = read_results(tmp_path / "work" / "results")
    for name, rows in compute(source, orders, dt.datetime.fromisoformat(WATERMARK)).items():
        assert sorted(found[name], key=repr) == sorted(rows, key=repr), name


def test_a_cluster_that_is_not_there_fails_the_run_and_says_so(tmp_path: Path) -> None:
    source, _ = write_difficult_input(tmp_path, policies=50)
    more = ("--reject-limit", "1", "--target", "remote", "--rest", "127.0.0.1:9")
    finished = run_job(source, f"sqlite:///{tmp_path / 'risk.db'}", tmp_path / "work", *more)
    assert finished.exit_code == 1
    assert "no Flink cluster answers at 127.0.0.1:9" in finished.stderr


def test_the_address_of_a_cluster_must_have_a_port() -> None:
    finished = sluice_flink("run", "--input", ".", "--store", "sqlite:///x.db", "--target", "remote", "--rest", "host")
    assert finished.exit_code == 2
    assert "HOST:PORT" in finished.stderr
