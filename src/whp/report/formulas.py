"""LaTeX to MathML that is safe to put on a page, and sentences with formulas in them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement, tostring

from latex2mathml.converter import convert_to_element
from markupsafe import Markup, escape

TAG = re.compile(
    "math|mrow|mi|mn|mo|mtext|mspace|msub|msup|msubsup|mfrac|msqrt|mroot|mover|munder|munderover|mtable|mtr|mtd"
    "|mstyle|mpadded|mphantom|menclose"
)
ATTRIBUTE = re.compile(
    "display|stretchy|fence|form|mathvariant|columnalign|displaystyle|scriptlevel|width|height|depth|lspace|rspace"
    "|linethickness|accent|accentunder|minsize|maxsize|movablelimits|largeop|columnspacing|rowspacing|voffset"
)
THIN = "0.17em"
LIMITS = frozenset(("max", "min", "sup", "inf", "lim"))
MATH = re.compile(r"(?<!\\)\$([^$]+)\$")
ENTRY = re.compile(r"([A-Z][a-z]+) {2,}(\S.*)")


def mathml(latex: str, block: bool = False) -> Markup:
    """Return a formula as MathML; what cannot be read is shown as it was written.

    The converter passes text and attributes through as they are, so the tree is
    rebuilt from known elements and attributes, with its text escaped.
    """
    try:
        tree = convert_to_element(latex, display="block" if block else "inline")
    except Exception:  # the converter raises many kinds of error, none of them common to all
        return Markup('<code class="latex">{}</code>').format(latex)
    _clean(tree)
    if block:
        for scripted in tree.iter("msub"):
            if scripted[0].text in LIMITS:
                scripted.tag = "munder"
    return Markup(tostring(tree, encoding="unicode", short_empty_elements=False))


def _clean(element: Element) -> None:
    """Keep known tags and attributes, decode character references, and mend the spacing of names."""
    if not TAG.fullmatch(element.tag):
        element.tag = "mrow"
    for name in [name for name in element.attrib if not ATTRIBUTE.fullmatch(name)]:
        del element.attrib[name]
    element.text = html.unescape(element.text or "")
    element.tail = None
    for child in element:
        _clean(child)
    _join_letters(element)
    _space_names(element)


def _join_letters(row: Element) -> None:
    """Merge upright letters, which come one by one, into one name: ``lin1``."""
    previous: Element | None = None
    for child in list(row):
        upright = child.tag == "mi" and child.get("mathvariant") == "normal" and not len(child)
        digit = child.tag == "mn" and previous is not None
        if previous is not None and (upright or digit):
            previous.text = (previous.text or "") + (child.text or "")
            row.remove(child)
        else:
            previous = child if upright and (child.text or "").isalpha() else None


def _space_names(row: Element) -> None:
    """Part a named function from its argument, unless that is in brackets: ``log n``, ``log(n)``."""
    for child, following in list(_pairs(row)):
        name = _last(child)
        text = name.text or ""
        if not (name.tag in ("mi", "mo") and len(text) > 1 and text.isascii() and text.isalpha()):
            continue
        bracketed = following is None or (_first(following).text or "") in tuple("([{,=+)]}")
        if name.tag == "mo":
            name.set("lspace", THIN)
            name.set("rspace", "0" if bracketed else THIN)
        elif name.get("mathvariant") is None:
            at = list(row).index(child)
            if not bracketed:
                row.insert(at + 1, Element("mspace", {"width": THIN}))
            if at and _last(row[at - 1]).tag in ("mi", "mn"):
                row.insert(at, Element("mspace", {"width": THIN}))


def _pairs(row: Element) -> Iterator[tuple[Element, Element | None]]:
    children = list(row) if row.tag in ("mrow", "math", "mtd", "mstyle", "msqrt") else []
    yield from zip(children, [*children[1:], None], strict=False)


def _last(element: Element) -> Element:
    """The base of a scripted name, ``max`` of ``max_i``; else the element."""
    scripted = element.tag in ("msub", "msup", "msubsup", "munder", "mover", "munderover") and len(element)
    return element[0] if scripted else element


def _first(element: Element) -> Element:
    """The first leaf."""
    while len(element):
        element = element[0]
    return element


def sentence(text: str) -> Markup:
    """A sentence with formulas between dollar signs; everything else is escaped."""
    parts = []
    for index, part in enumerate(MATH.split(str(text))):
        parts.append(mathml(part) if index % 2 else escape(part.replace(r"\$", "$")))
    return Markup("").join(parts)


def documentation(text: str) -> Markup:
    """A docstring of paragraphs and of entries ``Setting   ...`` with their continuation lines."""
    root = Element("div", {"class": "documentation"})
    current: Element | None = None
    paragraph: Element | None = None
    for line in text.splitlines():
        entry = ENTRY.fullmatch(line.rstrip())
        if entry:
            if current is None:
                current = SubElement(root, "dl")
            SubElement(current, "dt").text = entry[1]
            paragraph = SubElement(current, "dd")
            paragraph.text = entry[2]
        elif not line.strip():
            paragraph = None
        elif paragraph is not None and (paragraph.tag == "p" or line[0].isspace()):
            paragraph.text = f"{paragraph.text} {line.strip()}"
        else:
            current = None
            paragraph = SubElement(root, "p")
            paragraph.text = line.strip()
    return (
        Markup(tostring(root, encoding="unicode", short_empty_elements=False)) if text.strip() else Markup("")
    )
