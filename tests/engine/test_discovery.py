"""Claim files are found, broken ones are reported, selections are resolved."""

from __future__ import annotations

from pathlib import Path

import pytest

from whp.engine.discovery import discover, resolve, select, validation_root
from whp.errors import UsageError

PAPER = 'key = "toy"\ntitle = "A toy"\nauthors = ["A. Body"]\nyear = 2026\nvenue = "Nowhere"\n'


def test_claims_come_in_order_of_file_and_declaration(toy):
    toy.growth("zeta")
    toy.growth("alpha")
    toy.write("_helper", "raise RuntimeError('not a claim file')")
    (toy.folder / "paper.toml").write_text(PAPER)
    found = discover([toy.folder])
    assert [claim.id for claim in found.claims] == ["toy.alpha", "toy.zeta"]
    assert found.broken == []
    assert found.papers["toy"].authors == ("A. Body",)


def test_a_folder_of_papers_and_a_single_file(toy):
    file = toy.growth()
    (toy.folder / "paper.toml").write_text(PAPER)
    assert [claim.id for claim in discover([toy.root]).claims] == ["toy.growth"]
    assert [claim.id for claim in discover([file, toy.folder]).claims] == ["toy.growth"]


def test_a_sibling_is_shared_and_its_claim_is_counted_once(toy):
    toy.growth("first")
    toy.write(
        "second",
        "from .first import CLAIM as OTHER, first, d\n"
        "from whp.claims import Twin, claim, rate\n"
        "CLAIM = claim('toy.second', rate(experiment=first, quantity='Y', bound=d,"
        " twins={'w': Twin('slower', bound=d**0.2)}), title='t', locus='l')\n",
    )
    found = discover([toy.folder])
    assert [claim.id for claim in found.claims] == ["toy.first", "toy.second"]
    one, two = (claim.checks[0].experiment for claim in found.claims)
    assert one is two


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("x = 1\nimport no_such_module\n", 2, "ModuleNotFoundError: No module named 'no_such_module'"),
        ("x = 1\n\ndef f(:\n", 3, "SyntaxError: invalid syntax"),
        ("def f():\n    return 1 / 0\nf()\n", 2, "ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(3)\n", 2, "SystemExit: 3"),
        ("x = 1\n", 0, "file must declare a claim at its top level"),
        ("from whp.claims import Design\nDesign(None, trials=(5, 2))\n", 2, "trials must be"),
    ],
)
def test_a_broken_file_is_reported_with_its_line_and_the_others_stay(toy, text, line, message):
    toy.growth()
    file = toy.write("bad", text)
    found = discover([toy.folder])
    assert [claim.id for claim in found.claims] == ["toy.growth"]
    (broken,) = found.broken
    assert (broken.path, broken.line) == (file, line)
    assert broken.message.startswith(message)
    assert "\n" not in str(broken)


def test_the_line_is_in_the_claim_file_when_its_sibling_is_broken(toy):
    toy.write("_sibling", "\n\n\n1 / 0\n")
    toy.write("bad", "x = 1\nfrom ._sibling import y\n")
    (broken,) = discover([toy.folder]).broken
    assert broken.line == 2


def test_an_id_must_match_its_file_and_be_declared_once(toy):
    text = toy.growth("growth").read_text()
    toy.write("other", text)  # declares toy.growth in other.py
    start = text.index("CLAIM =")
    toy.write(
        "growth", text + text[start:].replace("CLAIM =", "AGAIN =").replace("toy.growth", "toy.growth_more")
    )
    toy.write("growth_more", text.replace("toy.growth", "toy.growth_more"))
    found = discover([toy.folder])
    assert [claim.id for claim in found.claims] == ["toy.growth", "toy.growth_more"]
    messages = {broken.path.stem: broken.message for broken in found.broken}
    assert messages == {
        "growth_more": "id must be declared once (first in growth.py), got 'toy.growth_more'",
        "other": "id must be toy.other or toy.other_... to match its file, got 'toy.growth'",
    }


def test_two_experiments_of_one_name_are_refused(toy):
    toy.growth("one")
    text = toy.growth("two").read_text()
    toy.write("two", text.replace("@experiment(", "@experiment(name='toy.one.one', "))
    (broken,) = discover([toy.folder]).broken
    assert broken.path.stem == "two"
    assert "used for one experiment (first in one.py)" in broken.message


def test_a_wrong_paper_file_is_reported(toy):
    toy.growth()
    (toy.folder / "paper.toml").write_text(PAPER.replace('"toy"', '"other"'))
    (broken,) = discover([toy.folder]).broken
    assert broken.path.name == "paper.toml"
    assert "key must be the folder's name (toy), got 'other'" in broken.message


def test_an_edit_is_seen_and_an_unchanged_file_is_the_same_module(toy):
    toy.growth()
    first, again = (discover([toy.folder]).claims[0] for _ in range(2))
    assert first is again
    file = toy.folder / "growth.py"
    file.write_text(file.read_text().replace("square root", "cube root!!"))  # same length, same second
    (changed,) = discover([toy.folder]).claims
    assert changed.title == "Y grows as the cube root!!"
    assert not (toy.folder / "__pycache__").exists()


def test_two_folders_of_one_name_do_not_mix(toy, tmp_path):
    file = toy.growth()
    other = tmp_path / "elsewhere" / "toy"
    other.mkdir(parents=True)
    (other / "growth.py").write_text(file.read_text().replace("square root", "other"))
    titles = [discover([folder]).claims[0].title for folder in (toy.folder, other, toy.folder)]
    assert titles == ["Y grows as the square root", "Y grows as the other", "Y grows as the square root"]


def test_selections(toy):
    for name in ("alpha", "alpha_two", "beta"):
        toy.growth(name)
    found = discover([toy.folder])

    def ids(*words: str) -> list[str]:
        return [claim.name for claim in select(found, words)]

    assert ids() == ids("toy") == ids(str(toy.folder)) == ["alpha", "alpha_two", "beta"]
    assert ids("toy.alpha") == ["alpha"]
    assert ids("toy.alpha*") == ["alpha", "alpha_two"]
    assert ids("toy.beta", str(toy.folder / "alpha.py")) == ["alpha", "beta"]


@pytest.mark.parametrize(
    ("word", "close"),
    [
        ("toy.alhpa", "toy.alpha"),
        ("alpha", "toy.alpha"),
        ("toi", "toy"),
        ("zzz", "whp list"),
        ("a/b.py", "path must be"),
    ],
)
def test_an_unknown_selection_names_close_matches(toy, word, close):
    toy.growth("alpha")
    with pytest.raises(UsageError, match=close) as caught:
        select(discover([toy.folder]), [word])
    assert repr(word) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_selecting_a_broken_file_is_no_unknown_selection(toy):
    toy.write("bad", "1 / 0")
    found = discover([toy.folder])
    assert select(found, ["toy.bad"]) == []


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_path_without_claims_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="path must be"):
        discover([tmp_path / name])


def test_resolve_takes_paths_and_catalogue(toy, monkeypatch):
    toy.growth()
    discovery, claims = resolve([str(toy.folder)])
    assert [claim.id for claim in claims] == ["toy.growth"]
    assert {claim.paper for claim in discovery.claims} == {"toy"}  # the catalogue was not needed
    monkeypatch.setattr("whp.engine.discovery.validation_root", lambda: toy.root)
    (toy.folder / "paper.toml").write_text(PAPER)
    monkeypatch.chdir(toy.root)  # where toy is a folder too
    assert [claim.id for claim in resolve(["toy"])[1]] == ["toy.growth"]
    assert [claim.id for claim in resolve([])[1]] == ["toy.growth"]


def test_a_selection_by_paper_imports_that_paper_only(toy, monkeypatch):
    monkeypatch.setattr("whp.engine.discovery.validation_root", lambda: toy.root)
    toy.growth()
    other = toy.root / "other"
    other.mkdir()
    (other / "thing.py").write_text("raise RuntimeError('imported')\n")
    for folder in (toy.folder, other):
        (folder / "paper.toml").write_text(PAPER.replace('"toy"', f'"{folder.name}"'))
    for word in ("toy", "toy.growth", "toy.gr*"):
        found, claims = resolve([word])
        assert [claim.id for claim in claims] == ["toy.growth"]
        assert found.broken == []
    for selection in ([], ["*.growth"], ["toy", "other"]):
        assert [broken.path.name for broken in resolve(selection)[0].broken] == ["thing.py"]
    with pytest.raises(UsageError, match=r"did you mean toy\.growth"):
        resolve(["other.growth"])


def test_the_shipped_catalogue_is_found():
    assert (validation_root() / "hu2020").is_dir()
    assert isinstance(validation_root(), Path)
