"""Pairs of texts of session/coupled_texts.js equal `generate` on equal uniforms."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.clamps import Clamp
from charrnn.export.network_file import pack_network
from charrnn.gradient_flow import scale_recurrent
from charrnn.paths import CHECKPOINTS
from charrnn.sampling import SamplingSettings, Step, UniformStream, generate
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.vocab import Vocab
from tests.node import node_json, run_node
from tests.small_models import SMALL, save_small

PROMPT = "ROMEO:\n"
DEFAULT = {"temperature": 0.8, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
CLAMPS = [{"name": "c", "unit": 91, "value": -1.5}, {"name": "f", "unit": None, "value": 0.9}]


def writer(name: str, **changes: Any) -> dict[str, Any]:
    return {"checkpoint": {"name": name, "step": None}, **DEFAULT, **changes}


def request(a: dict[str, Any], *b: dict[str, Any], seed: int = 12, characters: int = 250, prompt: str = PROMPT) -> Any:
    return {"writers": [a, *b], "prompt": prompt, "seed": seed, "characters": characters}


def random_pair(rng: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a writer and one that differs from it a little."""
    settings = {
        "temperature": rng.choice([0.5, 1.0, 1.7]),
        "top_p": rng.choice([1.0, 0.7]),
        "min_p": rng.choice([0.0, 0.05]),
    }
    a = writer(rng.choice(["rnn", "gru", "lstm"]), **settings)
    changes: list[dict[str, Any]] = [{"temperature": a["temperature"] + 0.02}, {"top_k": 9}, {"recurrent_scale": 1.05}]
    changes += [{"temperature": 0}, {"clamps": [{"name": "h", "unit": rng.randrange(256), "value": 0.0}]}]
    return a, a | rng.choice(changes)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LoadedModel]:
    folder = tmp_path_factory.mktemp("other")
    save_small(folder / "other", SMALL["gru"], Vocab("abc\nRO"))
    bundled = Store(CHECKPOINTS)
    return {name: bundled.load(name) for name in ("rnn", "gru", "lstm", "minigpt")} | {
        "other": Store(folder).load("other")
    }


@pytest.fixture(scope="module")
def write(models: dict[str, LoadedModel], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A function that writes pairs in the page's engine."""
    files: dict[str, str] = {}
    for name, loaded in models.items():
        file: Path = tmp_path_factory.mktemp(name) / "network.safetensors"
        file.write_bytes(pack_network(loaded.checkpoint.model, model=loaded.metadata(), views={}))
        files[name] = str(file)
    return lambda *requests: node_json("run_coupled_texts.mjs", {"files": files, "requests": requests})


def steps_of(loaded: LoadedModel, writer: dict[str, Any], prompt: str, seed: int, n: int) -> list[Step]:
    """Generate the text of one writer alone."""
    scale = writer.get("recurrent_scale", 1)
    decoder = loaded.decoder if scale == 1 else scale_recurrent(loaded.checkpoint.model, scale).decoder()
    settings = SamplingSettings(**{name: writer[name] for name in DEFAULT})
    clamps = [Clamp(**clamp) for clamp in writer.get("clamps", [])]
    start = decoder.prefill(loaded.vocab.encode(prompt))
    return [*generate(decoder, start, n, settings, UniformStream(seed), clamps=clamps)]


def expect_pair(models: dict[str, LoadedModel], result: Any, request: Any, prompt: str = PROMPT) -> int | None:
    """Compare a pair with both texts written alone; return the first difference."""
    loaded = [models[writer["checkpoint"]["name"]] for writer in request["writers"]]
    steps = [
        steps_of(model, writer, prompt, request["seed"], request["characters"])
        for model, writer in zip(loaded, request["writers"], strict=True)
    ]
    texts = [model.text_of(each) for model, each in zip(loaded, steps, strict=True)]
    assert (result["texts"], result["prompt"]) == (texts, prompt)
    pairs = zip(*texts, strict=True) if len(texts) == 2 else ()
    at = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
    found = result["divergence"]
    if at is None:
        assert found is None
        return None
    u = UniformStream(request["seed"])[at]
    assert (found["at"], found["u"]) == (at, u)
    drawn = [text[at] for text in texts]
    for side, model, each, own, other in zip(found["sides"], loaded, steps, drawn, drawn[::-1], strict=True):
        expect_side(side, model, each[at], own, other)
        low, high = side["drawn"]["low"], side["drawn"]["high"]
        assert low - 1e-6 <= u < high + 1e-6
        if found["digits"] < 12:
            assert f"{low:.{found['digits']}f}" < f"{u:.{found['digits']}f}" < f"{high:.{found['digits']}f}"
    return at


def expect_side(side: Any, model: LoadedModel, step: Step, own: str, other: str) -> None:
    """Compare one side of the first difference with the distribution of the step."""
    found = step.distribution
    order = [model.vocab.characters[id] for id in found.order]
    ends = np.cumsum(found.probs)
    starts = np.concatenate([[0.0], ends])
    rank = order.index(own)
    assert (side["drawn"]["character"], side["drawn"]["rank"], side["other"]) == (own, rank, other)
    assert (side["kept"], side["of"]) == (found.kept, len(order))
    assert (side["drawn"]["low"], side["drawn"]["high"]) == pytest.approx((starts[rank], ends[rank]), abs=1e-6)
    ranks = [row["rank"] for row in side["rows"]]
    required = {rank} | ({order.index(other)} if other in order else set())
    others = [rank for rank in range(len(order)) if rank not in required]
    assert ranks == sorted([*required, *others[: 8 - len(required)]])
    for row in side["rows"]:
        assert row["character"] == order[row["rank"]] and row["cut"] == (row["rank"] >= found.kept)
        assert (row["p"], row["from"]) == pytest.approx((found.probs[row["rank"]], starts[row["rank"]]), abs=1e-6)
    pieces = [(character, p) for character, p in zip(order, found.probs, strict=True) if p >= 0.004] or [
        (order[0], found.probs[0])
    ]
    assert [character for character, _ in side["pieces"]] == [character for character, _ in pieces]
    assert [p for _, p in side["pieces"]] == pytest.approx([p for _, p in pieces], abs=1e-6)


def test_pairs_match_texts_generated_alone(models, write):
    rng = random.Random(3)
    requests = [
        request(writer("rnn"), writer("minigpt")),
        request(writer("rnn"), writer("rnn", top_k=3), seed=1),
        request(writer("lstm"), writer("lstm", clamps=CLAMPS)),
        request(writer("gru"), writer("gru", recurrent_scale=0.7), seed=2**32 - 1, prompt=""),
        request(writer("gru"), writer("gru", temperature=0.801), seed=5, characters=600),
        *(request(*random_pair(rng), seed=seed) for seed in range(10)),
    ]
    found = [
        expect_pair(models, *pair, prompt=pair[1]["prompt"]) for pair in zip(write(*requests), requests, strict=True)
    ]
    assert len({*found}) > 6 and max(at or 0 for at in found) > 100  # in a later piece than the first


def test_equal_writers_and_single_writer_have_no_difference(models, write):
    greedy = [writer("rnn", temperature=0, top_k=k) for k in (0, 5)]
    requests = [request(writer("gru"), writer("gru")), request(*greedy), request(writer("lstm"), characters=201)]
    for result, sent in zip(write(*requests), requests, strict=True):
        assert expect_pair(models, result, sent) is None


def test_pair_of_other_vocabularies_compares_characters(models, write):
    sent = request(writer("rnn"), writer("other"), prompt="RO\n", characters=40)
    (result,) = write(sent)
    assert expect_pair(models, result, sent, "RO\n") is not None
    unknown = request(writer("lstm"), writer("lstm", clamps=CLAMPS), prompt="RO→MEO:\n", characters=20)
    (result,) = write(unknown)
    expect_pair(models, result, unknown)
    assert result["notice"] == "Skipped 1 character the network does not know: “→”"


def test_long_prompt_is_read_by_several_calls(models, write):
    prompt = (models["rnn"].passage * 2)[:2300]
    sent = request(writer("rnn"), writer("rnn", temperature=1.2), prompt=prompt, characters=130)
    (result,) = write(sent)
    assert expect_pair(models, result, sent, prompt) is not None


def test_invalid_pairs_are_refused(write):
    bad = [
        request(writer("rnn"), writer("gru"), seed=-1),
        request(writer("rnn"), writer("gru"), characters=3001),
        request(writer("minigpt"), writer("minigpt", recurrent_scale=0.7)),
        request(writer("rnn"), writer("rnn", clamps=[{"name": "h", "unit": 0, "value": 7}])),
    ]
    words = (
        "The seed must be a whole number from 0 to",
        "The length must be a whole number from 1 to",
        "no recurrent weights",
        "the value of h is 7",
    )
    for result, why in zip(write(*bad), words, strict=True):
        assert why in result["error"]


def test_coupled_texts_module():
    done = run_node("--test", "--test-reporter=spec", "coupled_texts.test.mjs")
    assert done.returncode == 0, done.stdout[-5000:]
