"""Trials on a Dask cluster: the same numbers as in this process, and a sentence for what is not fit."""

from __future__ import annotations

import builtins
import json
import os
import socket

import numpy as np
import pytest

from whp.claims import Outcome
from whp.cli import main
from whp.engine import choice, dask_executor, remote
from whp.engine.choice import check_executor, make_executor
from whp.engine.environment import available_cores
from whp.engine.executors import LocalProcesses, SerialExecutor, worker_environment
from whp.engine.ledger import Ledger
from whp.errors import ExecutorError, UsageError

MATRIX = "A = rng.standard_normal((60, 40)); return float(np.linalg.norm(A @ A.T, 2)) + np.exp(A).sum()"


def on(cluster, toy, **options):
    return toy.run(jobs=None, executor=cluster.name, **options)


def test_a_cluster_gives_the_bits_of_this_process(cluster, toy, as_records, kept, tmp_path):
    """Also where a claim file takes something from its neighbour, and folders are sent."""
    toy.write("_shared", "HALF = 0.5")
    toy.growth("growth", body="from ._shared import HALF; time.sleep(HALF / 100)")
    toy.flat("matrix", MATRIX, trials=(5, 40), size=40)
    claims = toy.claims()
    found = []
    for options in ({"jobs": None, "executor": cluster.name}, {"executor": SerialExecutor()}):
        toy.ledger = tmp_path / f"{len(found)}.sqlite"
        result = toy.run(claims, **options)
        assert result.broken == ()
        assert result.measured == len(kept(toy))
        found.append((as_records(result), kept(toy)))
    assert found[0] == found[1]
    assert {verdict.id: verdict.outcome for verdict in result.verdicts}["toy.growth"] is Outcome.PASS


@pytest.mark.slow
def test_limits_hold_on_a_worker_and_a_process_that_dies_is_not_its_worker(cluster, toy, kept, monkeypatch):
    monkeypatch.setattr("whp.engine.worker.GRACE", 1.0)
    monkeypatch.setattr("whp.engine.schedule.RETRIES", 0)
    limits = "time_limit=0.3, memory_limit=0.5"
    toy.flat("long", "time.sleep(60)", (1, 1), limits)
    toy.flat("large", "return np.empty(10**9).sum()", (1, 1), limits)
    toy.flat("dies", "os._exit(9)", (1, 1))
    stuck = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM}); time.sleep(60)"
    toy.flat("stuck", stuck, (1, 1), limits)
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"]
    threads = f"[int(os.environ[name]) for name in {names}]"
    toy.flat("threads", f"import torch; return float(max({threads}) + torch.get_num_threads())", (2, 2))
    result = on(cluster, toy)
    failures = {verdict.id: dict(verdict.cells[0].failures) for verdict in result.verdicts}
    assert failures == {
        "toy.long": {"timeout": 1},
        "toy.large": {"memory": 1},
        "toy.dies": {"crashed": 1},
        "toy.stuck": {"timeout": 1},
        "toy.threads": {},
    }
    threads = [value for key, (_, value, *_) in kept(toy).items() if key[1] == "toy.threads.threads"]
    assert threads == ['{"value": 2.0}'] * 2


def test_a_child_has_the_environment_of_a_local_worker(monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")  # as every nanny sets it
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    monkeypatch.setenv("HOME", "/home/somebody")
    found = remote.child_environment(worker_environment())
    assert "MALLOC_TRIM_THRESHOLD_" not in found
    assert (found["OMP_NUM_THREADS"], found["PYTHONHASHSEED"], found["HOME"]) == ("1", "0", "/home/somebody")


def test_tasks_are_long_and_nothing_stays_behind(cluster, toy):
    with make_executor(cluster.name, None, "cpu") as workers:
        assert (workers.jobs, workers.ahead, workers.slice_seconds) == (2, 8, 15.0)
    assert LocalProcesses.slice_seconds == SerialExecutor.slice_seconds == 0.5
    with pytest.raises(ExecutorError, match="shut down"):
        workers.submit(print, _task(toy))


def _task(toy):
    from whp.engine.worker import Task

    file = toy.flat("flat", "return 1.0")
    return Task(str(file), "toy.flat.flat", "", {"d": 5}, "float64", 7, "cpu", 9.0, (0,))


@pytest.fixture
def other_numpy(tmp_path):
    """The environment of a process that takes its numpy for another version."""
    (tmp_path / "numpy-1.99.dist-info").mkdir()
    (tmp_path / "numpy-1.99.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: numpy\nVersion: 1.99\n"
    )
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}


@pytest.mark.slow
def test_a_worker_with_other_versions_is_refused(start_cluster, other_numpy, toy, monkeypatch):
    """By the coordinator at the start, and by the worker itself where it comes later."""
    toy.growth()
    cluster = start_cluster(0)
    cluster.worker("--no-nanny", env=other_numpy)
    known = f"workers must have the versions of this process, got numpy 1.99 .here {np.__version__}. on "
    with pytest.raises(ExecutorError, match=f"^{known}tcp://127.0.0.1:"):
        on(cluster, toy)
    monkeypatch.setattr(remote, "differences", lambda there, here: "")
    with pytest.raises(ExecutorError, match=rf"^{known}.* .process \d+.$"):
        on(cluster, toy)
    assert Ledger(toy.ledger).counts() == {}


def test_an_edit_on_the_way_is_noticed(cluster, toy, monkeypatch):
    file = toy.flat("edited", "return 1.0")
    claims = toy.claims()
    real = remote.pack

    def late(folder):
        file.write_text(file.read_text().replace("return 1.0", "return 2.0"))
        return real(folder)

    monkeypatch.setattr(remote, "pack", late)
    result = toy.run(claims, jobs=None, executor=cluster.name)
    assert "edited.py must stay as it is during a run" in result.broken[0].message


@pytest.mark.parametrize(
    ("name", "jobs", "message"),
    [
        (
            "ray",
            None,
            "executor must be auto, processes, serial, dask-local:N or dask://HOST:PORT, got 'ray'",
        ),
        ("dask-local:0", None, "executor must be dask-local:N with N >= 1, got 'dask-local:0'"),
        ("dask-local", None, "executor must be dask-local:N with N >= 1, got 'dask-local'"),
        ("dask://host", None, "executor must be dask://HOST:PORT with the port of a Dask scheduler, got"),
        (
            "dask://host:99999",
            None,
            "executor must be dask://HOST:PORT with the port of a Dask scheduler, got",
        ),
        ("dask-local:2", 2, "jobs must be left out with the executor dask-local:2, got 2"),
        ("serial", 2, "jobs must be left out with the executor serial, got 2"),
        ("processes", 0, "jobs must be at least 1, got 0"),
    ],
)
def test_a_wrong_executor_is_refused(name, jobs, message):
    with pytest.raises(UsageError) as caught:
        check_executor(name, jobs)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "jobs", "device", "kind"),
    [
        ("serial", None, "cpu", "this process"),
        ("auto", None, "cuda", "this process"),
        ("auto", 1, "cuda:0", "this process"),
        ("auto", 2, "cuda", 2),
        ("auto", 1, "cpu", 1),
        ("processes", 1, "cuda", 1),
        ("processes", None, "cpu", available_cores()),
    ],
)
def test_an_executor_has_its_name(monkeypatch, name, jobs, device, kind):
    monkeypatch.setattr(choice, "LocalProcesses", lambda jobs: jobs)
    made = make_executor(name, jobs, device)
    if kind == "this process":
        assert isinstance(made, SerialExecutor)
        made.shutdown()
    else:
        assert made == kind


def test_dask_that_is_not_installed_is_said_to_be(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "distributed":
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"Dask must be installed .* \(make, or pip install '\.\[cluster\]'"):
        make_executor("dask-local:1", None, "cpu")


def test_a_scheduler_that_is_not_there_ends_the_command_in_one_sentence(
    toy, unused_port, monkeypatch, capsys
):
    monkeypatch.setattr(dask_executor, "CONNECT", 0.5)
    monkeypatch.chdir(toy.root)
    toy.growth()
    before = sorted(toy.root.iterdir())
    assert main(["run", "toy", "--executor", f"dask://127.0.0.1:{unused_port}"]) == 4
    rule = "must be reachable within 0.5 s, got a refused connection"
    assert capsys.readouterr().err == f"whp: the Dask scheduler at 127.0.0.1:{unused_port} {rule}\n"
    assert sorted(toy.root.iterdir()) == before  # no empty folder for a report


def test_a_host_that_is_not_known_is_said_to_be(monkeypatch):
    def unknown(*rest, **options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ExecutorError, match=r"at nowhere:8786 must be reachable .*, got no such host$"):
        make_executor("dask://nowhere:8786", None, "cpu")


def test_who_listens_and_is_no_scheduler_is_not_waited_for(toy, monkeypatch):
    monkeypatch.setattr(dask_executor, "CONNECT", 0.5)
    monkeypatch.setattr(dask_executor, "CLOSE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ExecutorError, match=r"must be reachable within 0\.5 s, got no answer"):
            make_executor(f"dask://127.0.0.1:{port}", None, "cpu")


def test_a_cluster_without_workers_ends_the_command_in_one_sentence(start_cluster, toy, monkeypatch, capsys):
    monkeypatch.setattr(dask_executor, "NOTICE", 0.1)
    monkeypatch.setattr(dask_executor, "WORKERS", 0.5)
    toy.growth()
    empty = start_cluster(0)
    with pytest.raises(ExecutorError, match=r"must have a worker within 0.5 s, got none$"):
        on(empty, toy)
    assert capsys.readouterr().err == f"whp: waiting for a worker of {empty.name}, 0.5 s at most\n"


def test_a_run_of_the_command_line_on_a_cluster(cluster, toy, monkeypatch, capsys):
    monkeypatch.chdir(toy.root)
    toy.growth()
    assert main(["run", "toy", "--executor", cluster.name, "--out", "out"]) == 0
    out = capsys.readouterr()
    assert out.err == ""
    record = json.loads((toy.root / "out" / "verdicts" / "toy.growth.json").read_text())
    assert "executor" not in record["command"]  # anyone can run it again, anywhere
