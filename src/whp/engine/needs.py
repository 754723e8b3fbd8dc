"""The data sets that experiments need: known, here or missing, and what is in them.

``whp.ensembles`` is imported only where an experiment needs data: torch comes with
it, and commands that measure nothing do without.
"""

from __future__ import annotations

from whp.claims.experiment import Experiment


def check_needs(experiment: Experiment) -> None:
    """Require that what an experiment needs are names of data sets.

    Raises
    ------
    InputError
        If one is not; the message lists the names.
    """
    if experiment.needs:
        from whp.ensembles.datasets import require_known

        for name in experiment.needs:
            require_known(name)


def missing_needs(experiment: Experiment) -> str:
    """Say which data sets of an experiment are missing, and what gets them; nothing if none is."""
    if not experiment.needs:
        return ""
    from whp.ensembles.datasets import missing_text

    return missing_text(experiment.needs)


def contents(experiment: Experiment) -> list[str]:
    """One text for each data set that an experiment needs, which changes with what is in it."""
    if not experiment.needs:
        return []
    from whp.ensembles.datasets import installed

    found = {name: installed(name) for name in experiment.needs}
    return [f"{name} {data.digest if data else 'missing'}" for name, data in found.items()]
