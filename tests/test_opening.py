"""The opening of a page without a link."""

import json
from pathlib import Path

import pytest

from charrnn.paths import CHECKPOINTS
from charrnn.site.build import first_call
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.opening import Opening, find_opening, opening_of


@pytest.fixture(scope="module")
def opening() -> Opening:
    found = find_opening(Store(CHECKPOINTS))
    assert found is not None
    return found


def test_opening_is_the_best_kept_unit_for_the_position(opening: Opening):
    scores = {}
    for path in CHECKPOINTS.glob("*/analyses.json"):
        best = json.loads(path.read_text(encoding="utf-8"))["sections"]["units"]["tables"]["best"]
        for view, concept, unit, score in zip(
            *(best[name] for name in ("view", "concept", "unit", "held_out")), strict=True
        ):
            if concept == "position in line" and view in ("h", "c") and (path.parent / "steps").is_dir():
                scores[path.parent.name, view, unit] = score
    name, view, unit = max(scores, key=lambda each: scores[each])
    assert (opening.info.name, opening.view, opening.best.unit) == (name, view, unit)
    sentence, measured = opening.words()
    units = Store(CHECKPOINTS).load(name).units
    assert f"One of the {sum(units[each] for each in units.keys() & {'h', 'c'})} numbers" in sentence
    assert f"unit {unit} of {view} explains {100 * scores[name, view, unit]:.0f}\u00a0%" in measured


def test_only_an_address_without_link_parameters_has_an_opening(opening: Opening):
    store = Store(CHECKPOINTS)
    assert opening_of(store, {}) == opening_of(store, {"__theme": "dark", "utm_source": "mail"}) == opening
    assert [opening_of(store, sent) for sent in ({"lecture": "1"}, {"model": ""}, {"seed": "x"})] == [None] * 3


def test_networks_without_analyses_have_no_opening(trained: Path):
    assert find_opening(Store(trained)) is None


def test_static_page_keeps_the_text_of_the_opening(opening: Opening):
    kept = first_call(Store(CHECKPOINTS), opening)
    shown = opening.to_json()
    assert [kept["call"][name] for name in ("checkpoint", "view", "text")] == [
        shown[name] for name in ("checkpoint", "view", "prompt")
    ]
    assert kept["answer"]["view"]["name"] == opening.view
