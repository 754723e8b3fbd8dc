"""What the benchmarks share: turns, threads, processes, the peer, records; and how each of them fails."""

import json
import os
import sys
from contextlib import suppress

import numba
import numpy as np
import pytest
import torch

from whp.benchmarks import THREADS, growth, run, suites
from whp.benchmarks.harness import (
    AtLeast,
    AtMost,
    BenchmarkError,
    Context,
    Measurement,
    Work,
    alternate,
    copy_rate,
    fresh_process,
    times_faster,
    use_threads,
)
from whp.benchmarks.peers import Peer, PeerError
from whp.errors import InputError, OutputError, UsageError


def work(figures, wanted, name="demo", devices=("cpu",)):
    return Work(name, "a demonstration", wanted, lambda context: Measurement(figures), devices)


class TestTurns:
    def test_sides_take_turns_after_each_has_warmed_up(self):
        order = []
        seconds = alternate(
            {"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2, lambda: order.append("-")
        )
        assert "".join(order) == "-a-b" * 3
        assert [len(times) for times in seconds.values()] == [2, 2]

    def test_cold(self):
        order = []
        alternate({"a": lambda: order.append("a")}, 1, warm=False)
        assert order == ["a"]

    def test_a_route_may_time_itself(self):
        seconds = alternate({"a": lambda: {"seconds": 7.0}, "b": lambda: {"other": 7.0}}, 1)
        assert seconds["a"] == [7.0]
        assert 0 <= seconds["b"][0] < 7.0

    def test_no_rounds(self):
        with pytest.raises(InputError, match="rounds must be at least 1, got 0"):
            alternate({}, 0)

    def test_ratios_are_of_the_same_round(self):
        # Medians first would say 3 / 1: the slow moment has hit both sides of the last two rounds.
        assert times_faster({"whp": [1, 10, 10], "other": [3, 20, 20]}, "other") == 2

    def test_a_copy_takes_time(self):
        assert copy_rate(megabytes=1, rounds=1) > 0


class TestThreads:
    def test_are_set_and_put_back(self, monkeypatch):
        monkeypatch.setenv(THREADS[0], "5")
        monkeypatch.delenv(THREADS[1], raising=False)
        numba.get_num_threads()  # starts numba's threads, which may change those of torch
        before = torch.get_num_threads(), numba.get_num_threads()
        with suppress(KeyError), use_threads(1):
            assert [os.environ[name] for name in THREADS] == ["1"] * len(THREADS)
            assert (torch.get_num_threads(), numba.get_num_threads()) == (1, 1)
            raise KeyError
        assert (torch.get_num_threads(), numba.get_num_threads()) == before
        assert os.environ[THREADS[0]] == "5"
        assert THREADS[1] not in os.environ

    def test_more_than_numba_has(self):
        with use_threads(10_000):
            assert numba.get_num_threads() <= numba.config.NUMBA_NUM_THREADS


class TestFreshProcess:
    def test_answers_with_its_memory(self, tmp_path, monkeypatch):
        (tmp_path / "held.py").write_text(
            "def hold(mb):\n    print('noise')\n    return {'held': len(bytearray(mb * 10**6))}\n"
        )
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        little, much = (fresh_process("held:hold", mb=k) for k in (1, 300))
        assert much["held"] == 300 * 10**6
        assert 0.25 < much["peak_memory_gb"] - little["peak_memory_gb"] < 0.4

    def test_says_what_went_wrong(self):
        with pytest.raises(BenchmarkError, match=r"exit code 1: AttributeError: .*'nothing'"):
            fresh_process("whp.errors:nothing")


SCRIPT = """
import os
from functools import lru_cache

print("noise")
calls = []

@lru_cache
def prepared(x):
    calls.append(x)
    return 2 * x

def double(x):
    print("noise")
    return {"seconds": 0.5, "twice": prepared(x), "prepared": len(calls)}

def cores():
    return {"cores": len(os.sched_getaffinity(0)), "variable": os.environ["OMP_NUM_THREADS"]}

def die():
    os._exit(3)
"""


class TestPeer:
    @pytest.fixture
    def peer(self, tmp_path):
        (tmp_path / "script.py").write_text(SCRIPT)
        with Peer(sys.executable, 1, scripts=tmp_path, needs=("numpy",)) as peer:
            yield peer

    def test_answers_and_remembers(self, peer):
        assert peer.versions["numpy"]
        peer.call("script", "double", x=3)
        assert peer.call("script.py", "double", x=3) == {"seconds": 0.5, "twice": 6, "prepared": 1}
        assert alternate({"peer": lambda: peer.call("script", "double", x=3)}, 2) == {"peer": [0.5, 0.5]}

    def test_has_no_more_cores_than_threads(self, peer):
        assert peer.call("script", "cores") == {"cores": 1, "variable": "1"}

    def test_an_error_is_one_sentence_and_the_process_goes_on(self, peer):
        with pytest.raises(PeerError, match=r"script.double must return, got TypeError: double\(\) got an"):
            peer.call("script", "double", y=3)
        with pytest.raises(PeerError, match="ModuleNotFoundError"):
            peer.call("nothing", "double")
        assert peer.call("script", "double", x=1)["twice"] == 2

    def test_an_end_is_one_sentence(self, peer):
        for _ in range(2):
            with pytest.raises(PeerError, match="the peer's process must answer, got its end"):
                peer.call("script", "die")

    def test_closing_twice(self, peer):
        peer.close()

    @pytest.mark.parametrize(
        ("python", "sentence"),
        [
            ("/no/such/python", "--peer must be a Python that can be run, got '/no/such/python'"),
            ("/bin/true", "--peer must be a Python 3.9 or newer, got '/bin/true'"),
            ("/bin/cat", "--peer must be a Python 3.9 or newer, got '/bin/cat'"),
            ("/bin/echo", "--peer must be a Python 3.9 or newer, got '/bin/echo'"),
            (sys.executable, "without neural-tangents, jax, jaxlib"),
        ],
    )
    def test_no_peer(self, python, sentence):
        with pytest.raises(UsageError) as caught:
            Peer(python, needs=("neural-tangents", "jax", "jaxlib"))
        assert sentence in str(caught.value)
        assert "\n" not in str(caught.value)


class TestRecords:
    def test_say_what_is_missed_and_what_was_not_measured(self):
        demo = work(
            {"ratio": 1.5, "memory": 3.0, "time": 100.0, "good": 2.0, "more": 1.0},
            {
                "ratio": AtLeast(2),
                "memory": AtMost(2.5, "GB"),
                "time": AtMost(90, "s"),
                "good": AtLeast(2),
                "away": AtLeast(4),
            },
        )
        record = run.measure(demo, Context(), "whp bench demo")
        assert run.shortfalls(record) == [
            "demo: ratio must be at least 2, got 1.5",
            "demo: memory must be at most 2.5 GB, got 3",
            "demo: time must be at most 90 s, got 100",
        ]
        assert run.unmeasured(record) == ["demo: away was not measured (there is no --peer)"]
        assert run.fails(record)
        assert record["command"] == "whp bench demo"
        assert "small" not in record

    def test_nothing_fails_for_a_slow_machine(self):
        record = run.measure(work({"time": 1e6}, {"time": AtMost(90, "s")}), Context(small=True))
        assert len(run.shortfalls(record)) == 1
        assert not run.fails(record)
        assert record["small"]

    def test_are_kept_by_name(self, tmp_path):
        record = run.measure(work({"ratio": 2.0}, {"ratio": AtLeast(1)}), Context())
        file = run.write(tmp_path / "new", record)
        assert (file.name, run.load(tmp_path / "new")) == ("demo.json", [json.loads(json.dumps(record))])
        assert [f.name for f in file.parent.iterdir()] == ["demo.json"]

    def test_that_cannot_be_written(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(OutputError, match="must be a file that can be written"):
            run.write(tmp_path / "file", {"name": "demo"})


class TestSelection:
    @pytest.fixture(autouse=True)
    def few(self, monkeypatch):
        known = [
            work({}, {}, name, devices) for name, devices in (("a_1", ("cpu",)), ("a_2", ("cpu", "cuda")))
        ]
        known.append(work({}, {}, "b", ("cuda",)))
        monkeypatch.setattr(run, "works", lambda: {one.name: one for one in known})

    def test_by_name_glob_and_device(self):
        def names(*arguments):
            return [one.name for one in run.select(*arguments)]

        assert names([]) == ["a_1", "a_2"]
        assert names([], "cuda:0") == ["a_2", "b"]
        assert names([], None) == ["a_1", "a_2", "b"]
        assert names(["a_2", "a_1", "a_*"]) == ["a_1", "a_2"]

    def test_unknown(self):
        with pytest.raises(UsageError, match=r"^NAME must be one of a_1, a_2, got 'c'$"):
            run.select(["a_1", "c"])
        with pytest.raises(UsageError, match=r"^NAME must be one of a_1, a_2 with --device cpu, got 'b'$"):
            run.select(["b"])


class TestSuites:
    def test_a_command_that_fails_is_one_sentence(self):
        with pytest.raises(
            BenchmarkError, match=r"exit code of whp nothing must be one of 0, 1, 7, got .2: "
        ):
            suites.call(["nothing"])

    def test_the_committed_runs_count_if_they_were_made_cold(self, tmp_path, monkeypatch):
        monkeypatch.setattr(suites, "REFERENCE", tmp_path)
        assert suites.standard(Context()).facts["not measured"] == f"no run in {tmp_path}"

        def commit(name, seconds, reused, profile="standard"):
            run = {"profile": profile, "seconds": seconds, "reused": reused}
            (tmp_path / name).mkdir()
            run["environment"] = {"cpu": "a processor", "cores": "2"}
            (tmp_path / name / "run.json").write_text(json.dumps({"run": run}))

        commit("one", 60.0, 0)
        commit("two", 120.0, 0)
        commit("three", 1e9, 5, "paper")
        assert suites.standard(Context()).figures == {"time": 3.0}
        commit("four", 60.0, 7)
        found = suites.standard(Context())
        assert not found.figures
        assert found.facts["not measured"] == "trials from earlier sittings: {'four': 7}"


class TestGrowth:
    def test_finds_the_exponent_of_a_simulated_cost(self, monkeypatch):
        # Seconds are n^2 times noise of 1 %, so a slope has sd 0.01 and their mean 0.0046: 0.1 is 22 of
        # these, and the half width is 2.8 / sqrt(5) of an sd that would have to be 16 times too large.
        rng = np.random.default_rng(5)

        def prepare(sizes, context):
            return lambda: {"seconds": sizes["n"] ** 2 * np.exp(rng.normal(0, 0.01))}

        subject = growth.Subject(
            {"n": 1, "m": 3}, {"n": (10, 20, 40)}, prepare, lambda s: s["n"] ** 1.5 * s["m"]
        )
        monkeypatch.setattr(growth, "SUBJECTS", {"demo": subject})
        row, seconds = growth.exponent("demo", "n", Context(rounds=5))
        half = (row["high"] - row["low"]) / 2
        assert abs(row["measured"] - 2) < 0.1
        assert 0 < half < 0.2
        assert abs(row["predicted"] - 1.5) < 1e-9
        assert list(seconds) == ["demo, n = 10", "demo, n = 20", "demo, n = 40"]

    def test_one_round_has_no_interval(self):
        assert growth.student_half_width(np.array([1.0])) == float("inf")
