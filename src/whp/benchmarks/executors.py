"""How runs scale: two local processes against one, and two workers of Dask against two local processes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from whp.benchmarks.harness import AtLeast, Context, Measurement, Work, alternate, times_faster
from whp.claims.budget import Budget
from whp.claims.claim import Claim
from whp.engine.choice import make_executor
from whp.engine.discovery import resolve
from whp.engine.lasting import Lasting
from whp.engine.runner import run

# Of the quick profile: trials of milliseconds and of a tenth of a second, in many cells and in few.
CLAIMS = ("hu2020.prop_3_4", "hu2020.thm_d_1_train", "hu2020.prop_d_4", "hu2020.lemma_d_13")
SMALL = ("hu2020.claim_3_1_norms",)
# A quarter of a minute for one process: what a run does before its first trial takes some tenths of a second.
TRIALS, SMALL_TRIALS = 20, 2
SIDES = {
    "one process": ("processes", 1),
    "two processes": ("processes", 2),
    "two workers of Dask": ("dask-local:2", None),
}


def fixed(claim: Claim, trials: int) -> Claim:
    """The same claim, with so many trials at every point whatever they say: the same work each time."""
    made = {}
    for experiment in claim.experiments():
        designs = {
            profile: replace(design, trials=(trials, trials)) if design.path else design
            for profile, design in experiment.designs.items()
        }
        made[experiment.name] = replace(experiment, designs=designs)
    checks = tuple(replace(check, experiment=made[check.experiment.name]) for check in claim.checks)
    return replace(claim, checks=checks, plots=())


def executors(context: Context) -> Measurement:
    """Runs of the same claims, seed by seed, by executors that have started; each round has new trials."""
    claims = [fixed(claim, SMALL_TRIALS if context.small else TRIALS) for claim in chosen(context.small)]
    # With small, this process stands for all of them: processes take seconds to start.
    sides = dict.fromkeys(SIDES, ("serial", None)) if context.small else SIDES
    measured: dict[str, set[int]] = {name: set() for name in sides}
    facts: dict[str, object] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        def route(name: str, workers: Lasting) -> Callable[[], None]:
            rounds = iter(range(10_000))

            def once() -> None:
                index = next(rounds)
                path = folder / f"{name} {index}.sqlite"
                budget = Budget(len(claims))
                result = run(
                    claims, profile="quick", seed=index, ledger_path=path, budget=budget, executor=workers
                )
                measured[name].add(result.measured)

            return once

        routes = {}
        for name, (kind, jobs) in sides.items():
            start = time.perf_counter()
            workers = Lasting(partial(make_executor, kind, jobs, "cpu"))
            stack.callback(workers.close)
            facts[f"workers of {name}"] = workers.jobs  # which starts them
            facts[f"seconds to start {name}"] = time.perf_counter() - start
            routes[name] = route(name, workers)
        seconds = alternate(routes, context.rounds)
    figures = {
        "two processes against one": times_faster(seconds, "one process", "two processes"),
        "speed of Dask, of that of processes": times_faster(seconds, "two processes", "two workers of Dask"),
    }
    counts = {name: sorted(found) for name, found in measured.items()}
    sizes = {"claims": [claim.id for claim in claims], "trials": counts}
    return Measurement(figures, seconds, sizes, facts)


def chosen(small: bool) -> list[Claim]:
    """The claims, shipped with whp."""
    return resolve(list(SMALL if small else CLAIMS))[1]


WORK = (
    Work(
        "executors",
        "trials of claims in the quick profile: two local processes against one, and two Dask workers",
        {
            "two processes against one": AtLeast(1.8),
            "speed of Dask, of that of processes": AtLeast(0.9),
        },
        executors,
    ),
)
