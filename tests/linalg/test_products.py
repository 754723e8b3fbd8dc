"""Matrix products by several routes, and the choice of one by measuring."""

import json
import subprocess

import pytest
import torch

from whp.errors import InputError, MeasurementError, UsageError
from whp.linalg import products
from whp.linalg.products import ROUTES, choose_product, fastest, product, product_rate, route_rates


def factors(dtype):
    torch.manual_seed(0)
    return torch.randn(7, 5, dtype=dtype), torch.randn(9, 5, dtype=dtype).T


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_route_gives_the_product(monkeypatch, route, dtype):
    monkeypatch.setenv("WHP_PRODUCT", route)
    A, B = factors(dtype)
    exact = A.double() @ B.double()
    tolerance = 1e-5 if dtype == torch.float32 else 1e-14
    whole = torch.full((12, 20), 3.0, dtype=dtype)
    part = whole[2:9, 4:13]  # rows that are not next to each other in memory
    assert product(A, B, part) is part
    torch.testing.assert_close(part.double(), exact, rtol=0, atol=tolerance)
    product(A, B, part, accumulate=True)
    torch.testing.assert_close(part.double(), 2 * exact, rtol=0, atol=2 * tolerance)
    assert float((part.double() - exact).abs().max()) > 0.1  # and the comparison can fail
    whole[2:9, 4:13] = 3.0
    assert torch.equal(whole, torch.full_like(whole, 3.0))  # nothing else was written


def test_the_route_is_that_of_the_environment(monkeypatch):
    A, B = factors(torch.float32)
    asked = []
    monkeypatch.setattr(
        products, "ROUTES", {name: lambda *_, name=name: asked.append(name) for name in ROUTES}
    )
    for name in ("numpy", "torch", ""):
        monkeypatch.setenv("WHP_PRODUCT", name)
        product(A, B, torch.empty(7, 9))
    monkeypatch.delenv("WHP_PRODUCT")
    product(A, B, torch.empty(7, 9))
    assert asked == ["numpy", "torch", "torch", "torch"]


def test_what_does_not_fit_is_refused(monkeypatch):
    A, B = factors(torch.float32)
    with pytest.raises(InputError, match="product must be of shapes that fit"):
        product(A, B, torch.empty(9, 7))
    with pytest.raises(InputError, match="threads must be positive"):
        choose_product(0)
    monkeypatch.setenv("WHP_PRODUCT", "abacus")
    with pytest.raises(UsageError, match="WHP_PRODUCT must be one of torch, onednn, numpy, got 'abacus'"):
        product(A, B, torch.empty(7, 9))


def test_torch_is_left_for_a_clear_advantage_only():
    assert fastest({"torch": 100.0, "onednn": 119.0, "numpy": 90.0}) == "torch"
    assert fastest({"torch": 100.0, "onednn": 121.0, "numpy": 130.0}) == "numpy"


class TestTheChoice:
    @pytest.fixture
    def measured(self, monkeypatch, tmp_path):
        """The threads for which rates were measured; oneDNN wins always."""
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        monkeypatch.setattr("sys.platform", "linux")
        threads = []

        def run(command, *, env, **_):
            threads.append(env["OMP_NUM_THREADS"])
            rates = {"torch": 1.0, "onednn": 2.0, "numpy": 1.5}
            return subprocess.CompletedProcess(command, 0, stdout=json.dumps(rates), stderr="")

        monkeypatch.setattr(subprocess, "run", run)
        return threads

    def test_it_is_measured_once_for_a_number_of_threads(self, measured, tmp_path):
        assert [choose_product(1), choose_product(1), choose_product(2)] == ["onednn"] * 3
        assert measured == ["1", "2"]
        assert len(json.loads((tmp_path / "whp" / "products.json").read_text())) == 2

    def test_a_broken_cache_is_measured_again(self, measured, tmp_path):
        (tmp_path / "whp").mkdir()
        for text in ("[", "[]", '{"x": "y"}'):
            (tmp_path / "whp" / "products.json").write_text(text)
            assert choose_product(1) == "onednn"
        assert measured == ["1"] * 3

    def test_a_folder_that_cannot_be_written_costs_the_cache_alone(self, measured, tmp_path):
        (tmp_path / "whp").write_text("a file in place of the folder")
        assert [choose_product(1), choose_product(1)] == ["onednn"] * 2
        assert measured == ["1"] * 2


def test_a_process_that_fails_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.executable", "false")
    with pytest.raises(MeasurementError, match="rates of matrix products must be measured in a process"):
        choose_product(1)
    assert not (tmp_path / "whp").exists()


def test_it_is_measured_in_a_process_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert choose_product(1) in ROUTES


def test_rates_are_rates():
    rates = route_rates(shape=(32, 16), rounds=1)
    assert list(rates) == list(products.available_routes())
    assert min(rates.values()) > 0
    before = torch.get_num_threads()
    assert product_rate(torch.float64, 1, size=64, rounds=1) > 0
    assert torch.get_num_threads() == before
