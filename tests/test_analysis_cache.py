"""The cache of analyses: keys cover every input, cached answers equal fresh ones."""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from charrnn import context_use, corpus, figures
from charrnn.gradient_flow import lyapunov_exponents
from charrnn.registry import build_model
from charrnn.ui.compare import samples as compare_samples
from charrnn.ui.compare import surprisal_difference
from charrnn.ui.gradients import context_use as memory_part
from charrnn.ui.gradients import gradient_norms, recurrent_scale, saliency
from charrnn.ui.lecture import intervention_answers, trained_model_answers
from charrnn.ui.lecture.scenes import SCENES
from charrnn.ui.neurons import clamp, exercises, gate_saturation, leaderboard, unit, unit_scores
from charrnn.ui.neurons.unit_scores import Units
from charrnn.ui.server import analyses
from charrnn.ui.server.analysis_cache import Cache, fingerprint
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.request_parameters import Choice
from charrnn.ui.server.view_query import ViewQuery
from tests.checkpoint_files import write_model
from tests.random_weights import randomize
from tests.small_models import VOCAB
from tests.trained_checkpoints import TEXT

OTHER = TEXT[700:1200]
CURRENT = lambda: True  # noqa: E731
calls: list[Any] = []


def slowly(number: int) -> int:
    calls.append(number)
    time.sleep(0.05)
    if len(calls) == 1:
        raise ValueError("the first call fails")
    return number + 1


def nothing(_: str) -> None:
    calls.append("nothing")


def test_cache_computes_once_and_retries_failures():
    calls.clear()
    cache, barrier = Cache(8), Barrier(9)

    def compute(_: int) -> int | str:
        barrier.wait()
        try:
            return cache.compute(slowly, 16)
        except ValueError as error:
            return str(error)

    with ThreadPoolExecutor(9) as pool:
        results = list(pool.map(compute, range(9)))
    assert sorted(map(str, results)) == ["17"] * 8 + ["the first call fails"]
    assert len(calls) == 2 and cache.cached(slowly, 16) == 17 and cache.cached(slowly, 15) is None


def test_cache_stores_none_and_evicts_least_recent():
    calls.clear()
    cache = Cache(2)
    for name in ("a", "b", "a", "c", "a", "b"):
        cache.compute(nothing, name)
    assert len(calls) == 4, "b was used least recently when c came"


@dataclass(frozen=True)
class Pair:
    a: Any
    b: Any


@dataclass(frozen=True)
class Other:
    a: Any
    b: Any


def test_fingerprints_of_different_values_differ(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("1")
    values = [None, 0, 0.0, -0.0, False, 1, True, "", "0", b"0", "1", (), [], {}, frozenset(), (1,), [1], ((1,),)]
    values += [("a", "b"), ("ab",), ("b", "a"), {"a": 1}, {"a": 2}, {"b": 1}, {"a": 1, "b": 1}, float("nan"), 1e-300]
    values += [np.zeros(2), np.zeros(2, np.float32), np.zeros((1, 2)), np.array([True, False]), np.array([False, True])]
    values += [Pair(1, 2), Pair(2, 1), Other(1, 2), slowly, nothing, path, "\ud800", "é", "e\u0301"]
    keys = list(map(fingerprint, values))
    assert len(set(keys)) == len(values) and keys == list(map(fingerprint, values))
    path.write_text("2")
    assert fingerprint(path) not in keys


def test_cache_refuses_closures_and_objects():
    text = "a"
    for function in (lambda: text, lambda: 1, Units.values.__get__(object()), torch.nn.Linear(1, 1), object()):
        with pytest.raises(TypeError, match="cannot be part of a cache key"):
            Cache(1).compute(function)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="cannot be part of a cache key"):
        Cache(1).compute(nothing, object())


def write(folder: Path, cell: str, seed: int, passage: str) -> None:
    """Write a small network with random weights, and others at step 0."""
    rng = torch.Generator().manual_seed(seed)
    model, early = (randomize(build_model({"cell": cell, "hidden_dim": 6}, len(VOCAB)), 0.4, rng) for _ in range(2))
    write_model(folder, model, VOCAB, step=40, saved={0: early.state_dict()}, passage=passage)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHARRNN_CACHE", str(tmp_path / "cache"))
    text = VOCAB.drop_unknown(TEXT)[0]
    for seed, cell in enumerate(("rnn", "gru", "lstm")):
        write(tmp_path / "nets" / cell, cell, seed, text[50 * seed :][:500])
    return tmp_path / "nets"


Stream = Callable[[Store, Units, ViewQuery], Iterator[str]]
CLAMP = [{"name": "h", "unit": 1, "value": 0.5}]
A_AND_B = {"A": {"checkpoint": {"name": "rnn", "step": 40}}, "B": {"checkpoint": {"name": "gru", "step": 40}}}
B_EARLIER = {"B": {"checkpoint": {"name": "gru", "step": 0}}}
B_IS_LSTM = {"B": {"checkpoint": {"name": "lstm", "step": 40}}}
HALF_LIFE = {"exercise": "half-life", "guess": 3}
PARTS: dict[str, tuple[Stream, dict[str, Any], list[dict[str, Any]]]] = {
    "flow": (lambda s, u, q: gradient_norms.curves(s, q, CURRENT), {}, [{"text": OTHER}]),
    "knob": (
        lambda s, u, q: recurrent_scale.scaled_variants(s, q, CURRENT),
        {"knob": 1.4},
        [{"text": OTHER}, {"knob": 0.7}],
    ),
    "memory": (lambda s, u, q: memory_part.context_use_curves(s, q, CURRENT), {}, [{"text": OTHER}]),
    "where": (
        lambda s, u, q: saliency.saliencies(s, q, CURRENT),
        {**A_AND_B, "text": OTHER[:100], "position": 50},
        [{"text": OTHER[1:100]}, B_EARLIER, B_IS_LSTM],
    ),
    "delta": (
        lambda s, u, q: surprisal_difference.differences(s, q, CURRENT),
        A_AND_B,
        [{"text": OTHER}, B_EARLIER, B_IS_LSTM],
    ),
    "samples": (lambda s, u, q: compare_samples.samples(s, q, CURRENT), {"model": "gru"}, [{"model": "lstm"}]),
    "board": (
        lambda s, u, q: leaderboard.leaderboard(u, q, CURRENT),
        {"pattern": "[aeiou]"},
        [{"pattern": "[a-m]"}, {"text": OTHER}, {"view": "z"}],
    ),
    "unit": (lambda s, u, q: unit.unit_activations(u, q, CURRENT), {}, [{"unit": 3}, {"text": OTHER}, {"view": "r"}]),
    "gates": (lambda s, u, q: gate_saturation.gates(u, q, CURRENT), {}, [{"text": OTHER}]),
    "clamp": (
        lambda s, u, q: clamp.clamp_effects(s, q, CURRENT),
        {"clamps": CLAMP},
        [{"text": OTHER}, {"clamps": [{**CLAMP[0], "value": -0.5}]}, {"clamps": None}],
    ),
    "exercises": (
        lambda s, u, q: exercises.exercise_results(s, q, CURRENT),
        HALF_LIFE,
        [
            {"guess": 4},
            {"exercise": "forget", "clamps": [{"name": "z", "unit": None, "value": 0}]},
            {"exercise": "forget", "clamps": [{"name": "r", "unit": None, "value": 0}]},
            {"exercise": "reset", "part": "h", "unit": 1},
            {"exercise": "reset", "part": "h", "unit": 2},
        ],
    ),
    **{
        f"scene {scene.id}": (
            lambda s, u, q, scene=scene: iter([json.dumps(asdict(scene.measured_answer(s)), default=str)]),
            {},
            [],
        )
        for scene in SCENES
        if scene.id in ("newline", "gradient")
    },
}


SMALLER = {
    gradient_norms: {"FAR_BACK": 6},
    analyses: {"MAX_LAG": 6, "POSITIONS": 8},
    recurrent_scale: {"MAX_LAG": 6, "POSITIONS": 8, "FAR_BACK": 6, "PRODUCT_POSITIONS": 2},
    saliency: {"MAX_LAG": 6},
    memory_part: {"MAX_CHARS": 40, "PREDICTIONS": 64, "REPLACED": 4},
    context_use: {"LAGS": 8, "BEFORE": 8},
    trained_model_answers: {"MAX_LAG": 6},
    intervention_answers: {"MAX_READ_CHARS": 200},
    exercises: {"MAX_READ_CHARS": 300},
    compare_samples: {"SAMPLE_CHARS": 20},
    unit_scores: {"MIN_UNTRAINED_UNITS": 6},
}


def answer_of(part: str, store: Store, units: Units, choice: Choice, form: dict[str, Any]) -> dict[str, Any]:
    """Merge all messages of an answer."""
    shown, (stream, _, _) = {}, PARTS[part]
    for message in stream(store, units, ViewQuery(number=1, choice=choice, names=("gru",), form=form)):
        answer = json.loads(message)
        columns = zip(answer.get("targets", ()), *answer.get("heat", ()), strict=True)
        shown |= answer | {"heat": shown.get("heat", {}) | {target: heat for target, *heat in columns}}
    return {name: value for name, value in shown.items() if name not in ("part", "targets")}


@pytest.mark.parametrize("part", PARTS)
def test_cached_answers_follow_every_input(part: str, root: Path, monkeypatch: pytest.MonkeyPatch):
    """Compare with a fresh store after each change of the form or the disk."""
    for module, sizes in SMALLER.items():
        for name, value in sizes.items():
            monkeypatch.setattr(module, name, value)
    figure = SimpleNamespace(to_json=lambda: "null")
    for name in [name for name in dir(figures) if name.endswith(("_figure", "_histogram"))]:
        monkeypatch.setattr(figures, name, lambda *_, **__: figure)
    monkeypatch.setattr(recurrent_scale, "lyapunov_exponents", lambda model, ids: lyapunov_exponents(model, ids[:100]))
    _, form, changes = PARTS[part]
    store = Store(root)
    units = Units(store)

    def check(choice: Choice, **change: Any) -> dict[str, Any]:
        cached, fresh = answer_of(part, store, units, choice, form | change), Store(root)
        assert cached == answer_of(part, fresh, Units(fresh), choice, form | change), change
        return cached

    gru = Choice("gru", None)
    unchanged = check(gru)
    for change in changes:
        assert check(gru, **change) != unchanged, f"{change} changes nothing: choose another one"
    check(Choice("gru", 0))
    check(Choice("lstm", None))

    text = VOCAB.drop_unknown(TEXT)[0]
    (root / "gru/passage.txt").write_text(text[400:900])
    write(root / "spare", "gru", 77, "")
    shutil.move(root / "spare/steps/000000.safetensors", root / "gru/steps/000000.safetensors")
    shutil.rmtree(root / "spare")
    check(Choice("gru", 0))
    write(root / "gru", "gru", 99, text[400:900])
    check(gru)
    monkeypatch.setattr(corpus, "TINY_SHAKESPEARE_SHA256", hashlib.sha256((8 * text).encode()).hexdigest())
    corpus.cache_path().parent.mkdir()
    corpus.cache_path().write_text(8 * text)
    check(gru)
