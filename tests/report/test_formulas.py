"""LaTeX to MathML."""

from xml.etree.ElementTree import fromstring

import pytest

from whp.report.formulas import documentation, mathml, sentence


@pytest.mark.parametrize(
    "latex",
    [
        r"\left\|\Theta_1 - \Theta^{\mathrm{lin1}}\right\| \lesssim \frac{n}{d^{\alpha + 1}}",
        r"\Pr\left[Y \le \sqrt{\frac{\log{\left(n \right)}}{d}}\right] \ge 1 - 0.01",
        r"\max_{i \ne j} \left|\langle x_i, x_j\rangle\right| / d",
        r"\mathbb{E}\left[Y\right] = \operatorname{Tr}\Sigma",
        r"Y \asymp d^{-\Omega(\alpha)}",
    ],
)
def test_formulas_are_well_formed_mathml(latex):
    tree = fromstring(str(mathml(latex)))
    assert tree.tag == "math"
    assert "\\" not in "".join(tree.itertext())


def test_names_are_whole_and_parted_from_their_argument():
    assert ">lin1<" in mathml(r"\mathrm{lin1}")
    assert 'log</mi><mspace width="0.17em">' in mathml(r"\log n")
    assert "mspace" not in mathml(r"\log(n)")
    assert mathml(r"\max_i x", block=True).count("munder") == 2


@pytest.mark.parametrize(
    "latex",
    [
        r"\text{<script>alert(1)</script>}",
        r"\href{javascript:alert(1)}{x}",
        r"\style{color:red}{x}",
        "a & b < c",
    ],
)
def test_hostile_formulas_are_harmless(latex):
    html = str(mathml(latex))
    fromstring(html)
    assert "<script" not in html
    assert "href" not in html
    assert "style=" not in html


@pytest.mark.parametrize("latex", ["", r"\frac{", "}{"])
def test_what_cannot_be_read_is_shown_as_written(latex):
    assert mathml(latex) == f'<code class="latex">{latex}</code>' or "<math" in mathml(latex)


def test_sentences_mix_text_and_formulas():
    html = sentence(r"Rows <b> of $X$ cost \$3; odd $ sign")
    assert html.count("<math") == 1
    assert "&lt;b&gt;" in html
    assert "cost $3; odd $ sign" in html


def test_documentation_keeps_its_order():
    html = documentation(
        "First.\n\nSetting   X: n x d <b>\n          more\nClaim     it holds\n\nLast\nline."
    )
    assert html == (
        '<div class="documentation"><p>First.</p><dl><dt>Setting</dt><dd>X: n x d &lt;b&gt; more</dd>'
        "<dt>Claim</dt><dd>it holds</dd></dl><p>Last line.</p></div>"
    )
    assert documentation(" \n") == ""
