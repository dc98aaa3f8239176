"""Clamp requests: validation, defaults and bits."""

import json
import re
from typing import Any

import numpy as np
import pytest

from charrnn.char_classes import kinds
from charrnn.checkpoint import load
from charrnn.clamps import Clamp
from charrnn.paths import CHECKPOINTS
from charrnn.surprisal import surprisals
from charrnn.ui.neurons import clamp as clamp_part
from charrnn.ui.server.analyses import text_for
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.clamp_requests import ActivationStats, clamps_of
from charrnn.ui.server.request_parameters import Choice
from charrnn.ui.server.view_query import ViewQuery, until_superseded

pytestmark = pytest.mark.usefixtures("no_corpus")

TYPED = "JULIET:\nO Romeo, Romeo! wherefore art thou Romeo?\nDeny thy father & refuse thy name.\n\nROMEO:\n"


def answers(store: Store, model: str, clamps: Any, **form: Any) -> list[dict[str, Any]]:
    query = ViewQuery(choice=Choice(model, None), form={"text": TYPED, "clamps": clamps, **form})
    return [json.loads(message) for message in clamp_part.clamp_effects(store, query, lambda: True)]


def clamp_json(name: str, unit: int | None, value: float | None) -> dict[str, Any]:
    return {"name": name, "unit": unit, "value": value}


@pytest.mark.parametrize(
    ("model", "clamps"),
    [
        ("rnn", [clamp_json("h", 97, 1.0)]),
        ("gru", [clamp_json("z", None, 0.0), clamp_json("r", 12, 1.0)]),
        ("lstm", [clamp_json("c", 91, -3.5), clamp_json("f", None, 1.0)]),
    ],
)
def test_clamped_bits_match_package(store: Store, model: str, clamps: list[dict[str, Any]]):
    first, last = answers(store, model, clamps)
    trained, clamp_list = load(CHECKPOINTS / model), [Clamp(**clamp) for clamp in clamps]
    decoder = trained.model.decoder()
    assert [{key: clamp[key] for key in ("name", "unit", "value")} for clamp in first["clamps"]] == clamps
    ids = trained.vocab.encode(TYPED)
    bits = [np.concatenate([*surprisals(decoder.clamped(those), ids)]) for those in ([], clamp_list)]
    delta = bits[1] - bits[0]
    shown = [float(x.replace("−", "-")) for x in re.findall(r"−?\d+\.\d{3}", last["cost"])]
    assert shown == pytest.approx([delta.mean(), bits[0].mean(), bits[1].mean()], abs=1e-3), "too short for ±"
    assert f"over {len(TYPED)} characters of the text you typed or pasted" in last["cost"]
    rows = {row["cells"][0]["text"]: [cell["value"] for cell in row["cells"][1:5]] for row in last["table"]["rows"]}
    inside = np.array(kinds(TYPED)) == "newline"
    expected = [inside.sum(), bits[0][inside].mean(), bits[1][inside].mean(), delta[inside].mean()]
    assert rows["newline"] == pytest.approx(expected, abs=2e-4)


def test_default_clamp_is_newline_unit_at_its_mean(store: Store):
    first, _ = answers(store, "lstm", None)
    loaded = store.load("lstm")
    text = text_for(store, loaded).text[:2000]  # as in the scenes
    h = loaded.decoder.read(loaded.vocab.encode(text)).activations["h"].astype(float)
    ends = np.array([c == "\n" for c in text])
    gap = [abs(h[ends, unit].mean() - h[~ends, unit].mean()) for unit in range(256)]
    (clamp,) = first["clamps"]
    assert clamp["unit"] == int(np.argmax(gap)) and clamp["value"] == round(h[~ends, clamp["unit"]].mean(), 2)
    low, high = np.quantile(h[:, clamp["unit"]], [0.05, 0.95])
    assert clamp["usual"] == pytest.approx([low, h[:, clamp["unit"]].mean(), high], rel=6e-3)
    assert first["usual_of"].startswith(
        "Low, average and high: 5 %, mean and 95 % over 2,000 characters of a scene written for this"
    )
    assert [name["name"] for name in first["names"]] == ["h", "c", "i", "f", "g", "o"] and first["units"] == 256
    assert first["names"][0]["span"] == [-1, 1] and first["names"][2]["limits"] == [0, 1]
    most = np.abs(loaded.decoder.read(loaded.vocab.encode(text)).activations["c"]).max()
    assert first["names"][1]["span"][1] >= most and first["names"][1]["limits"] == [-1e6, 1e6]


def test_open_clamp_value_is_mean(store: Store):
    usual = ActivationStats.of(store, store.load("minigpt"))
    (clamp,) = clamps_of(usual, [clamp_json("layer 6", 3, None)])
    assert clamp == Clamp("layer 6", 3, round(float(usual.values["layer 6"][:, 3].mean(dtype=float)), 2))
    first, last = answers(store, "minigpt", [clamp_json("layer 6", 3, None)])
    assert first["names"][0]["name"] == "layer 6" and "bits per character" in last["cost"]


def test_default_clamp_is_selected_unit(store: Store):
    usual = ActivationStats.of(store, store.load("lstm"))
    mean = round(float(usual.values["c"][:, 91].mean(dtype=float)), 2)
    assert clamps_of(usual, None, {"view": "c", "unit": 91}) == (Clamp("c", 91, mean),)
    for other in ({"view": "z", "unit": 1}, {"view": "c", "unit": 256}, {"view": None}, "c"):
        assert clamps_of(usual, [], other) == clamps_of(usual, None)
    assert clamps_of(usual, [clamp_json("h", 1, 0.5)], {"view": "c", "unit": 91}) == (Clamp("h", 1, 0.5),)


@pytest.mark.parametrize(
    ("clamps", "words"),
    [
        ("h", "give a list of at most 8"),
        ([clamp_json("h", 0, 0.0)] * 9, "give a list of at most 8"),
        ([7], "a clamp is 7: give its name, its unit and its value"),
        ([clamp_json("h", 256, 0.0)], "unit is 256: give a whole number from 0 to 255"),
        ([clamp_json("h", 1.5, 0.0)], "unit is 1.5: give a whole number"),  # type: ignore[arg-type]
        ([clamp_json("z", None, float("nan"))], "the value of z is nan"),
        ([clamp_json("h", 1, 0.0), clamp_json("z", 1, 0.0), clamp_json("h", 1, 0.5)], "h of unit 1 is clamped twice"),
        ([clamp_json("z", None, 0.0)] * 2, "z of every unit is clamped twice: give one value"),
        ([{"name": ["h"]}], "['h'] cannot be clamped here"),
    ],
)
def test_invalid_clamps_are_refused(store: Store, clamps: Any, words: str):
    with pytest.raises(ValueError, match=re.escape(words)):
        answers(store, "gru", clamps)


def test_clamp_request_is_validated_and_bounded(store: Store):
    with pytest.raises(ValueError, match="give at most 20000"):
        answers(store, "gru", None, text="a" * 20_001)
    with pytest.raises(ValueError, match="knows no character of the text you typed or pasted"):
        answers(store, "gru", None, text="→→")
    _, last = answers(store, "rnn", None, text="")
    scene = text_for(store, store.load("rnn")).text
    assert f"over {len(scene):,} characters of a scene written for this project" in last["cost"]
    _, last = answers(store, "rnn", None, text=scene * 2)
    assert f"Of its {2 * len(scene):,} characters the first 3,500 are read." in last["cost"]


def test_clamp_answer_stops_when_superseded(store: Store):
    current = iter([True, True, False])
    query = ViewQuery(choice=Choice("gru", None), form={"clamps": None, "text": TYPED * 6})
    assert len(list(until_superseded(clamp_part.clamp_effects(store, query, lambda: next(current))))) == 1
