"""The study of splitting sees a budget that is not split; the other cells would not."""

import pytest
from scipy.stats import binom

from whp.calibration import splitting
from whp.claims import Budget
from whp.seeding import generator


@pytest.fixture
def errors(monkeypatch):
    """How many of some claims of 80 decisions at their edges FAIL, at a budget of 0.2."""
    monkeypatch.setattr(splitting, "LEVEL", 0.2)
    splitting.declared.cache_clear()
    yield lambda count: splitting.simulate_whole(1.0, generator(0, "splitting"), count)["false FAIL"]
    splitting.declared.cache_clear()


def test_a_budget_that_is_split_keeps_its_rate(errors):
    assert errors(60) <= binom.isf(1e-6, 60, 0.2)


def test_a_budget_that_is_not_split_is_seen(errors, monkeypatch):
    # More than half of the claims then FAIL; 12 or fewer of 60 have probability 3e-6 even at 0.45.
    monkeypatch.setattr(Budget, "decision_share", lambda self, decisions, certificate=0.0: self.claim_share())
    assert errors(60) > 12


def test_every_cell_counts_what_it_judges():
    for cell in splitting.cells():
        if cell.quick_count:
            found = cell.simulate(generator(0, cell.name), 2)
            assert set(cell.nominal) <= set(found)
