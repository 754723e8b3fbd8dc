"""The claim language: what a claim file imports.

A claim file measures with :func:`experiment` (or :func:`search`), states with
one of the kinds (:func:`rate`, :func:`decay`, :func:`bound`, :func:`mean`,
:func:`limit`, :func:`always`, :func:`forall`, :func:`order`,
:func:`reproduction`), and declares with :func:`claim`.
"""

from whp.claims.budget import Budget, Share
from whp.claims.check import Check, Twin
from whp.claims.claim import Claim, check_id, claim
from whp.claims.experiment import (
    PROFILES,
    CellSample,
    Design,
    Experiment,
    Status,
    TrialResult,
    experiment,
)
from whp.claims.growth import Decay as decay
from whp.claims.growth import Forall as forall
from whp.claims.growth import Limit as limit
from whp.claims.growth import Rate as rate
from whp.claims.levels import Bound as bound
from whp.claims.means import Mean as mean
from whp.claims.means import Order as order
from whp.claims.path import Path, Point, geometric, symbols
from whp.claims.plots import Line, Plot
from whp.claims.referee import Referee
from whp.claims.reproduction import Reproduction as reproduction
from whp.claims.search import Always as always
from whp.claims.search import search
from whp.claims.twins import require_twins, twin_faults
from whp.claims.verdict import CellVerdict, Guarantee, Outcome, Regime, Verdict, combine, verdict_record

__all__ = [
    "PROFILES",
    "Budget",
    "CellSample",
    "CellVerdict",
    "Check",
    "Claim",
    "Design",
    "Experiment",
    "Guarantee",
    "Line",
    "Outcome",
    "Path",
    "Plot",
    "Point",
    "Referee",
    "Regime",
    "Share",
    "Status",
    "TrialResult",
    "Twin",
    "Verdict",
    "always",
    "bound",
    "check_id",
    "claim",
    "combine",
    "decay",
    "experiment",
    "forall",
    "geometric",
    "limit",
    "mean",
    "order",
    "rate",
    "reproduction",
    "require_twins",
    "search",
    "symbols",
    "twin_faults",
    "verdict_record",
]
