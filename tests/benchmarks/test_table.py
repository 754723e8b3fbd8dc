"""The tables of what was measured."""

from whp.benchmarks.harness import AtLeast, AtMost, Context, Measurement, Work
from whp.benchmarks.run import measure
from whp.benchmarks.table import number, table


def record(**options):
    wanted = {"times other": AtLeast(2), "peak memory": AtMost(2.5, "GB"), "away": AtLeast(1)}
    figures = {"times other": 3.14159, "peak memory": 4.0, "unasked": 1.0}
    facts = {"exponents": options.pop("exponents", [])}
    work = Work("demo", "a | b", wanted, lambda context: Measurement(figures, facts=facts))
    return measure(work, Context(threads=1, small=True)) | options


def test_says_what_is_wanted_and_what_was_reached():
    text = table([record()])
    assert "| `demo`: a \\| b | times other | at least 2 | ✓ 3.14 |" in text
    assert "|  | peak memory | at most 2.5 GB | ✗ 4 GB |" in text
    assert "|  | away | at least 1 | ? not measured |" in text
    assert "unasked" not in text
    assert "operations" not in text


def test_names_machine_and_peer_once():
    text = table([record(), record(peer={"neural-tangents": "0.6.5"})])
    assert text.count("1 thread, torch") == 1
    assert text.endswith("Peer: neural-tangents 0.6.5.")


def test_shows_growth():
    row = {"what": "kernel", "against": "n", "values": [10, 20, 40], "predicted": 2.0}
    row |= {"measured": 1.9, "low": 1.8, "high": 2.0}
    assert "| kernel | n | 10, 40 | 1.90 [1.80, 2.00] | 2.00 |" in table([record(exponents=[row])])


def test_says_what_bounds_a_number_that_is_missed():
    missed = record(bounded_by="memory is the limit.")
    assert "\n`demo`: memory is the limit." in table([missed])
    for row in missed["wanted"]:
        row["met"] = True
    assert "memory is the limit" not in table([missed])


def test_shows_what_is_measured_for_its_own_sake():
    text = table([record(wanted=[], facts={})])
    assert "| `demo`: a \\| b | times other | – | 3.14 |\n|  | peak memory | – | 4 |" in text


def test_numbers_are_short():
    assert [number(value, "s") for value in (0.000123456, 12.345, 12345.6)] == [
        "0.000123 s",
        "12.3 s",
        "12,346 s",
    ]


def test_nothing_yet():
    assert table([]) == "Nothing is measured yet."
