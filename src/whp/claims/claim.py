"""A claim: what a paper prints, and the checks that decide it."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path as FilePath

from whp.claims.check import Check
from whp.claims.experiment import PROFILES, Experiment
from whp.claims.plots import Plot
from whp.claims.verdict import Regime
from whp.errors import ClaimError, require

ID = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Claim:
    """One printed statement; make it with :func:`claim`."""

    id: str
    title: str
    locus: str
    checks: tuple[Check, ...]
    regimes: Mapping[str, Regime]
    assumptions: tuple[str, ...]
    printed: bool
    corrects: str | None
    source: FilePath
    documentation: str
    plots: tuple[Plot, ...] = ()

    @property
    def paper(self) -> str:
        """The key of the paper, which is the folder of the claim's file."""
        return self.id.partition(".")[0]

    @property
    def name(self) -> str:
        """The id without the paper."""
        return self.id.partition(".")[2]

    @property
    def kind(self) -> str:
        """The kinds of its checks, e.g. ``bound + rate``."""
        return " + ".join(dict.fromkeys(check.kind for check in self.checks))

    def regime(self, profile: str) -> Regime:
        """The regime at the sizes of a profile."""
        return self.regimes[profile]

    @cached_property
    def _twin_checks(self) -> dict[str, tuple[Check, str]]:
        several = len(self.checks) > 1
        return {
            (f"{check.label}: {name}" if several else name): (check.twin(name, twin), twin.why)
            for check in self.checks
            for name, twin in check.twins.items()
        }

    def twin_checks(self) -> dict[str, tuple[Check, str]]:
        """Every false twin as a check, with what is wrong with it."""
        return self._twin_checks

    def experiments(self) -> list[Experiment]:
        """The experiments that its checks and twins rest on, each once.

        Raises
        ------
        ClaimError
            If two of them have the same name: one would be decided on the other's trials.
        """
        used = [check.experiment for check in self.checks]
        used += [check.experiment for check, _ in self.twin_checks().values()]
        found: dict[str, Experiment] = {}
        for experiment in used:
            same = found.setdefault(experiment.name, experiment) is experiment
            require(
                same, f"{self.id}: experiment name", "used for one experiment", experiment.name, ClaimError
            )
        return list(found.values())


def claim(
    id: str,
    *checks: Check,
    title: str,
    locus: str,
    regime: Regime | str | Mapping[str, Regime | str] = Regime.FORM,
    assumptions: Sequence[str] = (),
    printed: bool = True,
    corrects: str | None = None,
    plots: Sequence[Plot] = (),
) -> Claim:
    """Declare a claim; call it at the top level of a claim file.

    Parameters
    ----------
    id : str
        ``PAPER.NAME``; PAPER is the folder, NAME the file's stem or the stem
        followed by ``_`` and more (a family in one file).
    *checks : Check
        All must PASS for the claim to PASS; one FAIL fails it.
    title, locus : str
        What it says in a line, and where the paper prints it.
    regime : Regime, or a mapping from profile to Regime
        How the sizes stand to the hypotheses.
    assumptions : sequence of str
        Plain sentences, formulas between dollar signs.
    printed : bool
        False for a corrected sibling, which then names what it ``corrects``.
    plots : sequence of Plot
        Curves that the report shows beside the decisions.

    Raises
    ------
    ClaimError
        If anything about the declaration is wrong.
    """
    require(isinstance(id, str) and bool(ID.fullmatch(id)), "id", "PAPER.NAME in lower case", id, ClaimError)
    require(bool(title), f"{id}: title", "a sentence", title, ClaimError)
    require(bool(locus), f"{id}: locus", "where the paper prints the statement", locus, ClaimError)
    require(bool(checks), f"{id}: checks", "given at least one", checks, ClaimError)
    for check in checks:
        require(
            isinstance(check, Check), f"{id}: checks", "made by rate, bound, always, ...", check, ClaimError
        )
    names = [check.label for check in checks]
    require(len(set(names)) == len(names), f"{id}: names of the checks", "distinct", names, ClaimError)
    twins = sum(len(check.twins) for check in checks)
    require(twins >= 1, f"{id}: twins", "at least one false twin, which must not PASS", twins, ClaimError)
    require(
        printed == (corrects is None),
        f"{id}: corrects",
        "given exactly when printed is False",
        corrects,
        ClaimError,
    )
    other = corrects is None or (bool(ID.fullmatch(corrects)) and corrects != id)
    require(other, f"{id}: corrects", "the id of another claim", corrects, ClaimError)
    given = regime if isinstance(regime, Mapping) else dict.fromkeys(PROFILES, regime)
    try:
        regimes = {profile: Regime(given[profile]) for profile in PROFILES}
    except (KeyError, ValueError):
        require(False, f"{id}: regime", "met, form or beyond, for every profile", regime, ClaimError)
    frame = sys._getframe(1)  # inspect.stack() reads the source of every caller: 0.1 s a claim
    documentation = inspect.cleandoc(frame.f_globals.get("__doc__") or "")
    source = FilePath(frame.f_code.co_filename)
    made = Claim(
        id=id,
        title=title,
        locus=locus,
        checks=tuple(checks),
        regimes=regimes,
        assumptions=tuple(assumptions),
        printed=printed,
        corrects=corrects,
        source=source,
        documentation=documentation,
        plots=tuple(plots),
    )
    known = {experiment.name for experiment in made.experiments()}  # raises if two share a name
    for plot in made.plots:
        for line in plot.lines:
            name = line.experiment.name
            require(
                name in known, f"{id}: plot {plot.title!r}", "of experiments of its checks", name, ClaimError
            )
    return made


def check_id(claim: Claim, folder: str, stem: str) -> None:
    """Require that the id matches the file.

    Raises
    ------
    ClaimError
        If it does not.
    """
    fits = claim.paper == folder and (claim.name == stem or claim.name.startswith(f"{stem}_"))
    require(fits, "id", f"{folder}.{stem} or {folder}.{stem}_... to match its file", claim.id, ClaimError)
