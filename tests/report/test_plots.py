"""A claim's plots reach the page: axes, legend, caption; and a plot without data does not."""

from whp.report.plots import drawn, plot_svg, plots_svg


def plot(**changes):
    line = {"label": "network", "dashed": False, "colour": 0, "x": [1.0, 10.0, 100.0], "trials": 3}
    line |= {"mean": [1.0, 0.5, 0.1], "low": [0.9, 0.4, 0.05], "high": [1.1, 0.6, 0.2]}
    fields = {"title": "(a) Losses", "x": "step t", "y": "loss", "log_x": True, "log_y": True}
    return {
        **fields,
        "caption": "Fewer samples.",
        "lines": [line, {**line, "label": "linear", "dashed": True}],
        **changes,
    }


EMPTY = {
    "label": "none",
    "dashed": False,
    "colour": 1,
    "x": [],
    "mean": [],
    "low": [],
    "high": [],
    "trials": 0,
}


def test_a_plot_shows_its_words():
    svg = plot_svg(plot())
    for word in ("(a) Losses", "step t", "loss", "network", "linear"):
        assert word in svg


def test_ticks_are_plain_numbers():
    line = {**plot()["lines"][0], "x": [1.0, 3.0], "mean": [0.6, 0.3], "low": [0.6, 0.3], "high": [0.6, 0.3]}
    for drawing in (plot_svg(plot()), plot_svg(plot(lines=[line]))):
        assert "mathdefault" not in drawing
    assert ">0.5<" in plot_svg(plot(lines=[line]))  # less than a decade still has numbers
    assert ">100<" in plot_svg(plot())


def test_a_plot_without_data_is_not_drawn():
    assert drawn({"plots": [plot(lines=[EMPTY])]}) == []
    assert drawn({}) == []
    assert plots_svg({"id": "a.b", "plots": []}) == ""
    assert "none" not in plot_svg(plot(lines=[*plot()["lines"], EMPTY])).replace('fill="none"', "").replace(
        "fill: none", ""
    )


def test_a_value_that_a_logarithm_cannot_show_is_left_out():
    line = {**plot()["lines"][0], "x": [0.0, 1.0, 10.0], "mean": [1.0, 0.0, 0.5]}
    assert "network" in plot_svg(plot(lines=[line]))
    nothing = {**line, "mean": [0.0, 0.0, 0.0]}
    assert "network" not in plot_svg(plot(lines=[nothing]))


def test_a_file_of_its_own_holds_all_plots():
    svg = plots_svg({"id": "a.b", "plots": [plot(), plot(title="(b) Logits")]})
    assert svg.startswith("<svg")
    assert "(b) Logits" in svg
    assert "var(--" not in svg
