"""Clamp requests: validation, defaults, texts and bits."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.char_classes import kinds
from charrnn.checkpoint import load
from charrnn.clamps import Clamp
from charrnn.sampling import SamplingSettings, UniformStream, generate
from charrnn.surprisal import surprisals
from charrnn.ui.neurons import clamp as clamp_part
from charrnn.ui.server.analyses import text_for
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.clamp_requests import ActivationStats, clamps_of
from charrnn.ui.server.request_parameters import Choice
from charrnn.ui.server.view_query import ViewQuery, until_superseded

pytestmark = pytest.mark.usefixtures("no_corpus")

CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints"
OWN = "JULIET:\nO Romeo, Romeo! wherefore art thou Romeo?\nDeny thy father & refuse thy name.\n\nROMEO:\n"
MANNER = {"temperature": 0.8, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
FORM: dict[str, Any] = {**MANNER, "prompt": "ROMEO:\n", "seed": 7, "characters": 120, "text": OWN}


def asked(store: Store, model: str, clamps: Any, **form: Any) -> list[dict[str, Any]]:
    question = ViewQuery(choice=Choice(model, None), form={**FORM, "clamps": clamps, **form})
    return [json.loads(told) for told in clamp_part.clamped_sample(store, question, lambda: True)]


def held(name: str, unit: int | None, value: float | None) -> dict[str, Any]:
    return {"name": name, "unit": unit, "value": value}


@pytest.mark.parametrize(
    ("model", "clamps"),
    [
        ("rnn", [held("h", 97, 1.0)]),
        ("gru", [held("z", None, 0.0), held("r", 12, 1.0)]),
        ("lstm", [held("c", 91, -3.5), held("f", None, 1.0)]),
    ],
)
def test_clamped_texts_and_bits_match_package(store: Store, model: str, clamps: list[dict[str, Any]]):
    first, last = asked(store, model, clamps)
    trained, own = load(CHECKPOINTS / model), [Clamp(**each) for each in clamps]
    decoder, n = trained.model.decoder(), 120
    assert [{key: each[key] for key in ("name", "unit", "value")} for each in first["clamps"]] == clamps
    for text, loaded in zip(first["texts"], (decoder, decoder.clamped(own)), strict=True):
        steps = list(
            generate(
                loaded, loaded.prefill(trained.vocab.encode("ROMEO:\n")), n, SamplingSettings(0.8), UniformStream(7)
            )
        )
        assert text == trained.vocab.decode([step.id for step in steps])
        at = first["divergence"]["at"]
        assert steps[at].u == first["divergence"]["u"] == UniformStream(7)[at]
    free, clamped = first["texts"]
    assert free[:at] == clamped[:at] and free[at] != clamped[at]

    ids = trained.vocab.encode(OWN)
    bits = [np.concatenate([*surprisals(decoder.clamped(each), ids)]) for each in ([], own)]
    delta = bits[1] - bits[0]
    said = [float(x.replace("−", "-")) for x in re.findall(r"[+−]?\d+\.\d+", last["cost"])]
    error = delta.std(ddof=1) / math.sqrt(len(OWN))
    assert said[:4] == pytest.approx([delta.mean(), error, bits[0].mean(), bits[1].mean()], abs=2e-4)
    assert f"over {len(OWN)} characters of the text you typed or pasted" in last["cost"]
    rows = {row["cells"][0]["text"]: [cell["value"] for cell in row["cells"][1:5]] for row in last["table"]["rows"]}
    inside = np.array(kinds(OWN)) == "newline"
    expected = [inside.sum(), bits[0][inside].mean(), bits[1][inside].mean(), delta[inside].mean()]
    assert rows["newline"] == pytest.approx(expected, abs=2e-4)


def test_default_clamp_is_newline_unit_at_its_mean(store: Store):
    first, _ = asked(store, "lstm", None)
    loaded = store.load("lstm")
    text = text_for(store, loaded).text[:2000]  # as the scenes have it
    h = loaded.decoder.read(loaded.vocab.encode(text)).activations["h"].astype(float)
    ends = np.array([c == "\n" for c in text])
    gap = [abs(h[ends, unit].mean() - h[~ends, unit].mean()) for unit in range(256)]
    (clamp,) = first["clamps"]
    assert clamp["unit"] == int(np.argmax(gap)) and clamp["value"] == round(h[~ends, clamp["unit"]].mean(), 2)
    low, high = np.quantile(h[:, clamp["unit"]], [0.05, 0.95])
    assert clamp["usual"] == pytest.approx([low, h[:, clamp["unit"]].mean(), high], rel=6e-3)
    assert first["usual_of"].startswith("5 %, mean and 95 %: over 2,000 characters of a passage written by Best")
    assert [name["name"] for name in first["names"]] == ["h", "c", "i", "f", "g", "o"] and first["units"] == 256
    assert first["names"][0]["span"] == [-1, 1] and first["names"][2]["limits"] == [0, 1]
    most = np.abs(loaded.decoder.read(loaded.vocab.encode(text)).activations["c"]).max()
    assert first["names"][1]["span"][1] >= most and first["names"][1]["limits"] == [-1e6, 1e6]


def test_open_clamp_value_is_mean(store: Store):
    usual = ActivationStats.of(store, store.load("minigpt"))
    (clamp,) = clamps_of(usual, [held("layer 6", 3, None)])
    assert clamp == Clamp("layer 6", 3, round(float(usual.values["layer 6"][:, 3].mean(dtype=float)), 2))
    first, last = asked(store, "minigpt", [held("layer 6", 3, None)], characters=5)
    assert first["names"][0]["name"] == "layer 6" and last["cost"].startswith("Δ = ")
    h = ActivationStats.of(store, store.load("rnn")).values["h"]
    still = int(h.std(axis=0).argmin())
    first, _ = asked(store, "rnn", [held("h", still, round(float(h[:, still].mean()), 2))], characters=1)
    assert first["divergence"] is None and first["words"].startswith("Identical: both write the same character;")


def test_default_clamp_is_selected_unit(store: Store):
    usual = ActivationStats.of(store, store.load("lstm"))
    mean = round(float(usual.values["c"][:, 91].mean(dtype=float)), 2)
    assert clamps_of(usual, None, {"view": "c", "unit": 91}) == (Clamp("c", 91, mean),)
    for other in ({"view": "z", "unit": 1}, {"view": "c", "unit": 256}, {"view": None}, "c"):
        assert clamps_of(usual, [], other) == clamps_of(usual, None)
    assert clamps_of(usual, [held("h", 1, 0.5)], {"view": "c", "unit": 91}) == (Clamp("h", 1, 0.5),)


@pytest.mark.parametrize(
    ("clamps", "words"),
    [
        ("h", "give a list of at most 8"),
        ([held("h", 0, 0.0)] * 9, "give a list of at most 8"),
        ([7], "a clamp is 7: give its name, its unit and its value"),
        ([held("c", 0, 0.0)], "'c' cannot be clamped here: give one of h, r, z, n"),
        ([held("h", 256, 0.0)], "unit is 256: give a whole number from 0 to 255"),
        ([held("h", 1.5, 0.0)], "unit is 1.5: give a whole number"),  # type: ignore[arg-type]
        ([held("z", None, 1.2)], "the value of z is 1.2: give 0 to 1"),
        ([held("z", None, float("nan"))], "the value of z is nan"),
        ([{"name": ["h"]}], "['h'] cannot be clamped here"),
    ],
)
def test_invalid_clamps_are_refused(store: Store, clamps: Any, words: str):
    with pytest.raises(ValueError, match=re.escape(words)):
        asked(store, "gru", clamps)


def test_clamp_request_is_validated_and_bounded(store: Store):
    for wrong in ({"seed": -1}, {"characters": 0}, {"temperature": 9}, {"prompt": "a" * 1001}, {"text": "a" * 20_001}):
        with pytest.raises(ValueError, match="give"):
            asked(store, "gru", None, **wrong)
    with pytest.raises(ValueError, match="knows no character of the text you typed or pasted"):
        asked(store, "gru", None, text="→→")
    first, last = asked(store, "rnn", None, characters=5000, text="", prompt="RO→MEO:\n")
    assert len(first["texts"][0]) == 600 and first["prompt"] == "ROMEO:\n" and "Left out 1 character" in first["words"]
    assert "over 3,000 characters of a passage written by Best: GRU, 512 units, step" in last["cost"]
    assert "Of its 6,006 characters the first 3,000 are read." in last["cost"]
    assert len(text_for(store, store.load("rnn")).text) == 6006


def test_clamp_answer_stops_when_superseded(store: Store):
    waits = iter([True, True, False])
    question = ViewQuery(choice=Choice("gru", None), form={**FORM, "clamps": None, "text": OWN * 6})
    assert len(list(until_superseded(clamp_part.clamped_sample(store, question, lambda: next(waits))))) == 1
