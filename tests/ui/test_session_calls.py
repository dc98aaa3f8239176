"""The page's session under node against apps writes the texts of Python."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from charrnn.bench.app_process import running_app
from charrnn.clamps import Clamp
from charrnn.gradient_flow import scale_recurrent
from charrnn.sampling import SamplingSettings
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.loaded_model import LoadedModel
from tests.node import play
from tests.ui.page_actions import generated

pytestmark = pytest.mark.process

ENDPOINT = "gradio_api/run/continue_text"
PROMPT = "ROMEO:\n"
CLOSED_PORT = "http://127.0.0.1:9/"
PLAIN = {"temperature": 0.8, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
FILTERED = {"temperature": 1.1, "top_k": 12, "top_p": 0.9, "min_p": 0.02}


@pytest.fixture(scope="module")
def urls(trained: Path, trained_app: str) -> Iterator[list[str]]:
    """The endpoints of two independent processes."""
    with running_app(str(trained), HF_HUB_OFFLINE="1") as another:
        yield [trained_app + ENDPOINT, another + ENDPOINT]


@pytest.fixture(scope="module")
def store(trained: Path) -> Store:
    return Store(trained)


def written(loaded: LoadedModel, settings: dict[str, Any], seed: int, n: int, prompt: str = PROMPT, **more: Any) -> str:
    """The text that Python generates."""
    return generated(loaded.checkpoint, prompt, n, seed, SamplingSettings(**settings), **more)


def session(name: str, settings: dict[str, Any], *actions: list[Any], step: int | None = None) -> dict[str, Any]:
    return {"checkpoint": {"name": name, "step": step}, "settings": settings, "actions": actions}


def test_page_session_matches_generate(urls: list[str], store: Store):
    jobs = [(info.name, kind, seed) for info in store.checkpoints() for kind in (PLAIN, FILTERED) for seed in (0, 7)]
    fresh = [{"prompt": PROMPT, "seed": seed, "characters": 300} for _, _, seed in jobs]
    played = play(urls, [session(name, kind, ["write", new]) for (name, kind, _), new in zip(jobs, fresh, strict=True)])
    for (name, kind, seed), got in zip(jobs, played, strict=True):
        assert got == {"texts": [written(store.load(name), kind, seed, 300)], "problem": None}, (name, kind, seed)


@pytest.mark.parametrize("name", ["rnn", "lstm", "minigpt"])
def test_edits_and_interventions_match_generate(urls: list[str], store: Store, name: str):
    loaded, early = store.load(name), store.load(name, 0)
    kind = "layer 1" if name == "minigpt" else "h"
    clamp = {"name": kind, "unit": 3, "value": 0.5}
    interventions = {"clamps": [clamp], "recurrent_scale": 1}
    actions = [
        ["write", {"prompt": PROMPT, "seed": 5, "characters": 120}],
        ["branch", 40, "Q" if "Q" in loaded.vocab.characters else "J"],
        ["undo"],
        ["redo"],
        ["rewrite", {"checkpoint": {"name": name, "step": 0}}],
        ["rewrite", {"checkpoint": {"name": name, "step": None}, "interventions": interventions}],
        ["resume"],
    ]
    (got,) = play(urls, [session(name, PLAIN, *actions)])
    assert got["problem"] is None
    character = actions[1][2]
    first = written(loaded, PLAIN, 5, 120)
    branched = written(loaded, PLAIN, 5, 120, chosen={33: loaded.vocab.ids[character]})
    clamped = written(loaded, PLAIN, 5, 240, clamps=[Clamp(**clamp)])
    assert got["texts"] == [
        first,
        branched,
        first,
        branched,
        written(early, PLAIN, 5, 120),
        clamped[: len(PROMPT) + 120],
        clamped,
    ]


def test_another_process_continues_the_text(urls: list[str], store: Store):
    """One of three addresses never answers: its calls are repeated at the next one."""
    fresh = {"prompt": PROMPT, "seed": 1, "characters": 900}
    (got,) = play([urls[0], CLOSED_PORT, urls[1]], [session("gru", PLAIN, ["write", fresh])])
    assert got["texts"] == [written(store.load("gru"), PLAIN, 1, 900)]


def test_scaled_recurrent_weights_match_generate(urls: list[str], store: Store):
    loaded = store.load("gru")
    interventions = {"clamps": [], "recurrent_scale": 1.3}
    actions = [
        ["write", {"prompt": PROMPT, "seed": 5, "characters": 100}],
        ["rewrite", {"interventions": interventions}],
    ]
    (got,) = play(urls, [session("gru", PLAIN, *actions)])
    decoder = scale_recurrent(loaded.checkpoint.model, 1.3).decoder()
    assert got["texts"][1] == written(loaded, PLAIN, 5, 100, decoder=decoder)


def test_long_read_text_continues(urls: list[str], store: Store):
    loaded = store.load("rnn")
    long = (loaded.sample_text * 40)[:4500]
    actions = [["read", {"text": long, "seed": 3, "characters": 50}], ["resume"], ["undo"], ["redo"]]
    (got,) = play(urls, [session("rnn", PLAIN, *actions)])
    whole = written(loaded, PLAIN, 3, 50, prompt=long)
    assert got == {"texts": [long, whole, whole, whole], "problem": None}
