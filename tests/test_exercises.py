"""Accepted answers of the exercises pass an independent measurement."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.checkpoint import load
from charrnn.clamps import Clamp
from charrnn.paths import CHECKPOINTS
from charrnn.probes import line_reset
from charrnn.ui.neurons import exercises
from charrnn.ui.neurons.exercises import EXERCISES, exercise_results
from charrnn.ui.server.analyses import text_for
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.request_parameters import Choice
from charrnn.ui.server.view_query import ViewQuery

pytestmark = pytest.mark.usefixtures("no_corpus")


def submit(store: Store, model: str, exercise: str = "", **form: Any) -> dict[str, Any]:
    query = ViewQuery(choice=Choice(model, None), form={"exercise": exercise, **form})
    return [json.loads(message) for message in exercise_results(store, query, lambda: True)][-1]


def values(answer: dict[str, Any]) -> dict[str, str]:
    return dict(answer["found"]["values"])


def test_exercises_list_parts_and_units(store: Store):
    answer = submit(store, "lstm")
    assert [exercise["id"] for exercise in answer["exercises"]] == [
        "reset",
        "forget",
        "half-life",
    ] and "found" not in answer
    assert {part["name"]: part["units"] for part in answer["parts"]} == dict.fromkeys("hcifgo", 256)
    assert answer["model"] == "LSTM" and len(EXERCISES) == 3
    for exercise in answer["exercises"]:
        assert "check" not in exercise and exercise["how"] and exercise["button"]


def test_exercise_needs_a_network_of_its_cell(tmp_path: Path):
    shutil.copytree(CHECKPOINTS / "rnn", tmp_path / "rnn")
    answer = submit(Store(tmp_path), "rnn")
    assert [exercise["id"] for exercise in answer["exercises"]] == ["reset", "half-life"]


def test_exercise_reset_accepts_only_right_units(store: Store):
    loaded = store.load("lstm")
    text = text_for(store, loaded).text[:3500]
    c = load(CHECKPOINTS / "lstm").model.decoder().read(loaded.vocab.encode(text)).activations["c"].astype(float)
    resets = [line_reset(text, c[:, unit]) for unit in range(256)]
    figures = [(reset.remaining_share, reset.carried) for reset in resets]
    right = [unit for unit, (left, carried) in enumerate(figures) if left <= 0.25 and carried >= 0.5]
    forgetful = [unit for unit, (left, carried) in enumerate(figures) if left <= 0.25 and carried < 0.4]
    stubborn = [unit for unit, (left, carried) in enumerate(figures) if left > 0.3 and carried >= 0.5]
    assert right and forgetful and stubborn
    for unit, passed, words in (
        (right[0], True, "Right: it keeps"),
        (right[-1], True, "Right: it keeps"),
        (forgetful[0], False, "but remembers nothing within a line"),
        (stubborn[0], False, "does not reset at its end"),
    ):
        answer = submit(store, "lstm", "reset", part="c", unit=unit)
        assert answer["found"]["passed"] is passed and words in answer["found"]["words"]
        left, carried = figures[unit]
        assert values(answer)["share that is left"] == f"{left:.3f} (at most 0.25)"
        shown = values(answer)["correlation over 5 characters of a line"]
        assert float(shown.split()[0].replace("−", "-")) == pytest.approx(carried, abs=0.0051)
        assert values(answer)["unit"] == f"c {unit}"
    info = loaded.info
    assert answer["of"] == {
        "network": "LSTM",
        "training step": f"{info.step:,}",
        "sha256": info.sha256[:12],
        "seed of its training": str(info.seed),
    }


def clamp(name: str, value: float, unit: int | None = None) -> dict[str, Any]:
    return {"name": name, "unit": unit, "value": value}


def test_exercise_forget_needs_both_gates(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exercises, "MAX_READ_CHARS", 600)
    both = [clamp("r", 0.0), clamp("z", 0.0)]
    right = submit(store, "gru", "forget", clamps=both)
    assert right["found"]["passed"] and values(right)["uses, frozen"] == "1 character (at most 2)"
    assert values(right)["frozen"] == "r of every unit = 0, z of every unit = 0"
    trained = load(CHECKPOINTS / "gru")
    decoder = trained.model.decoder().clamped([Clamp("r", None, 0.0), Clamp("z", None, 0.0)])
    ends = [decoder.prefill(trained.vocab.encode(text)).logits for text in ("What light", "t", "ROMEO:\nNight")]
    assert all(np.array_equal(ends[0], end) for end in ends)  # only the last character counts
    for gate in both:
        wrong = submit(store, "gru", "forget", clamps=[gate])
        assert not wrong["found"]["passed"] and "the past still comes through" in wrong["found"]["words"]
    frozen = submit(store, "gru", "forget", clamps=[clamp("z", 1.0)])
    assert not frozen["found"]["passed"] and "ignores its input altogether" in frozen["found"]["words"]
    assert values(frozen)["effect of all it uses on the prediction"].startswith("0.000 nats")


def test_exercise_half_life_accepts_factor(store: Store):
    true = load(CHECKPOINTS / "rnn").info.analyses.sections["gradient"].number("half_life_chars")
    for guess, passed in ((true, True), (true * 1.45, True), (true / 1.45, True), (true * 1.6, False), (40.0, False)):
        answer = submit(store, "rnn", "half-life", guess=guess)
        assert answer["found"]["passed"] is passed
        assert values(answer)["measured half-life"].startswith(f"{true:.1f} characters (")
        assert answer["found"]["reveals"] and f"answer is {true:.1f} characters" in answer["found"]["words"]
        ratio = max(guess / true, true / guess)
        assert values(answer)["off by a factor of"] == f"{ratio:.2f} (at most 1.5)"


@pytest.mark.parametrize(
    ("model", "exercise", "form", "words"),
    [
        ("lstm", "forget", {}, "This exercise needs the GRU."),
        ("gru", "forget", {"clamps": [clamp("h", 0.0)]}, "h is neither r nor z: freeze one of them, or both"),
        ("rnn", "reset", {"part": "c", "unit": 1}, "Part is 'c': give one of h"),
        ("rnn", "reset", {"part": "h", "unit": 256}, "Unit is 256: give a whole number from 0 to 255"),
        ("rnn", "half-life", {"guess": "long"}, "The half-life is 'long': give 0.01 to 1000"),
    ],
)
def test_exercise_with_invalid_input_passes_nothing(store: Store, model, exercise, form, words):
    found = submit(store, model, exercise, **form)["found"]
    assert words in found["words"] and "passed" not in found and found["values"] == []


def test_unknown_exercise_is_refused(store: Store):
    with pytest.raises(ValueError, match="exercise is 'x': give one of reset, forget, half-life"):
        submit(store, "rnn", "x")
