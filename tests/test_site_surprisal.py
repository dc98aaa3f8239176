"""Surprisal answers of ui/site/surprisal.js equal those of Python."""

import json
import random
import re
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.char_classes import KINDS, kinds
from charrnn.export.network_file import pack_network
from charrnn.ui.compare.surprisal_difference import differences
from charrnn.ui.compare.surprisal_template import surprisal_template
from charrnn.ui.neurons import clamp as clamp_part
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.request_parameters import Choice
from charrnn.ui.server.view_query import ViewQuery
from charrnn.ui.sidebar.sidebar import describe_models
from tests.node import node_json

pytestmark = pytest.mark.usefixtures("no_corpus")

OWN = "JULIET:\nO Romeo, Romeo! wherefore art thou Romeo?\nDeny thy father & refuse thy name.\n\nROMEO:\nAy, 3 'tis.\n"
NUMBER = re.compile(r"[+−-]?\d+\.\d+")
SETTINGS = {"temperature": 0.8, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
WRITERS = [
    {"title": f"Network {i}", "sha256": f"{i}" * 64, "step": 1000 * i, "settings": SETTINGS | changes}
    for i, changes in enumerate([{}, {"temperature": 1.25, "top_p": 0.9}, {"top_k": 5, "min_p": 0.05}, {}, {}])
]
ORIGIN = [{"characters": 7, "chosen": 0, "writer": None}] + [
    {"characters": 5 + i, "chosen": i % 2, "writer": writer} for i, writer in enumerate(WRITERS)
]
QUERIES: list[tuple[Any, Any, dict[str, Any]]] = [
    (("rnn", 2000), ("gru", 2000), {}),
    (("rnn", 2000), ("minigpt", None), {"text": OWN}),
    (("gru", 300), ("gru", 2000), {"text": "→Ay→ " + OWN * 2}),
    (("lstm", 2000), ("lstm", 2000), {"text": OWN, "origin": ORIGIN}),
    (("gru", 0), ("lstm", 0), {"text": "A"}),
    (("rnn", 2000), ("rnn", 300), {"text": OWN * 110}),
]
CLAMPS: list[tuple[str, list[dict[str, Any]], str]] = [
    ("gru", [{"name": "z", "unit": None, "value": 0.0}], OWN),
    ("lstm", [{"name": "c", "unit": 91, "value": -3.5}, {"name": "f", "unit": None, "value": 1.0}], ""),
    ("rnn", [{"name": "h", "unit": 3, "value": 0.01}], "A"),
]
ASSIGNED = [
    chr(code) for code in range(0x2500) if unicodedata.category(chr(code)) != "Cn"
]  # later ones differ by version


def side(store: Store, name: str, step: int | None) -> dict[str, Any]:
    return {"checkpoint": {"name": name, "step": store.load(name, step).checkpoint.step}}


def run(store: Store, **sent: Any) -> Any:
    models = json.loads(describe_models(store, store.load()))["models"]
    empty: dict[str, Any] = {"files": {}, "queries": [], "clamps": [], "texts": []}
    return node_json("run_surprisal.mjs", empty | {"template": surprisal_template(store, 860), "models": models} | sent)


def networks(store: Store, folder: Path, checkpoints: set[tuple[str, int | None]]) -> dict[str, str]:
    """Write the file of each network; return its path by name and step."""
    paths = {}
    for name, step in checkpoints:
        loaded = store.load(name, step)
        path = folder / f"{len(paths)}.safetensors"
        path.write_bytes(pack_network(loaded.checkpoint.model, model=loaded.metadata(), views={}))
        paths[f"{name} {loaded.checkpoint.step}"] = str(path)
    return paths


def expect_words(found: str, expected: str, digits: int = 3) -> None:
    """Compare sentences, and the numbers in them up to one unit of the last digit."""
    expected = expected.replace("'→'", "“→”")
    assert NUMBER.sub("#", found) == NUMBER.sub("#", expected)
    values = [[float(number.replace("−", "-")) for number in NUMBER.findall(words)] for words in (found, expected)]
    assert values[0] == pytest.approx(values[1], abs=1.1 * 10**-digits)


def expect_table(found: Any, expected: Any) -> None:
    assert {**found, "rows": None} == {**expected, "rows": None} and len(found["rows"]) == len(expected["rows"])
    for row, other in zip(found["rows"], expected["rows"], strict=True):
        assert row["cells"][0] == other["cells"][0] and row["quiet"] == other["quiet"]
        for cell, wanted in zip(row["cells"][1:], other["cells"][1:], strict=True):
            assert cell.get("value") == pytest.approx(wanted.get("value"), abs=2e-5)
            if NUMBER.fullmatch(wanted["text"].replace("+", "")):
                assert float(cell["text"]) == pytest.approx(float(wanted["text"]), abs=1.1e-3)
                assert cell["text"].startswith("+") == wanted["text"].startswith("+") or abs(wanted["value"]) < 1e-6
            else:
                assert cell["text"] == wanted["text"]


def expect_figure(found: Any, expected: Any, path: str = "figure") -> None:
    """Compare two JSON values, numbers to 2e-5 and those in texts to the last digit."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), path
        for name in expected:
            expect_figure(found[name], expected[name], f"{path}.{name}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), path
        for i, (one, other) in enumerate(zip(found, expected, strict=True)):
            expect_figure(one, other, f"{path}[{i}]")
    elif isinstance(expected, str):
        expect_words(found, expected)
    else:
        assert found == pytest.approx(expected, abs=2e-5), path


def test_differences_match_python(store: Store, tmp_path: Path):
    sides = [(side(store, *a), side(store, *b), form) for a, b, form in QUERIES]
    queries = [{"number": i, "width": 860, "form": {"A": a, "B": b, **form}} for i, (a, b, form) in enumerate(sides)]
    sent = networks(store, tmp_path, {pair for a, b, _ in QUERIES for pair in (a, b)})
    found = run(store, files=sent, queries=queries)["answers"]
    for messages, query in zip(found, queries, strict=True):
        expected = [json.loads(text) for text in differences(store, ViewQuery.from_page(query), lambda: True)]
        del messages[1:-1]  # the page says which network reads
        for message, other in zip(messages, expected, strict=True):
            assert (message["number"], message.get("busy", False)) == (query["number"], other.get("busy", False))
            expect_words(message["words"], other["words"])
        last, other = messages[-1], expected[-1]
        assert [last[name] for name in ("text", "kinds", "kind_names")] == [
            other[name] for name in ("text", "kinds", "kind_names")
        ]
        assert np.abs(np.array(last["bits"]) - np.array(other["bits"])).max() <= 1
        expect_table(last["table"], other["table"])
        expect_words(last["figure_words"], other["figure_words"])
        expect_figure(last["figure"], other["figure"])


def test_text_without_shared_characters_is_refused(store: Store):
    pair = {"A": side(store, "rnn", None), "B": side(store, "gru", None)}
    (answer,) = run(store, queries=[{"number": 1, "form": {**pair, "text": "→→"}}])["answers"]
    assert answer[-1]["error"].startswith(
        "A and B share no character of the text you typed or pasted: give another text"
    )


def test_cost_of_clamps_matches_python(store: Store, tmp_path: Path):
    sent, expected = [], []
    for name, clamps, text in CLAMPS:
        query = ViewQuery(choice=Choice(name, None), form={"clamps": clamps, "text": text})
        loaded = store.load(name)
        source, notice = clamp_part.holdout_text(store, loaded, query)
        checkpoint = {"name": name, "step": loaded.checkpoint.step}
        sent.append(
            {"checkpoint": checkpoint, "clamps": clamps, "text": source.text, "origin": source.origin, "notice": notice}
        )
        expected.append(json.loads([*clamp_part.clamp_effects(store, query, lambda: True)][-1]))
    files = networks(store, tmp_path, {(name, None) for name, _, _ in CLAMPS})
    for found, other in zip(run(store, files=files, clamps=sent)["costs"], expected, strict=True):
        expect_words(found["cost"], other["cost"])
        expect_table(found["table"], other["table"])


def test_character_classes_match_python(store: Store):
    rng = random.Random(5)
    letters = [*ASSIGNED, *"aB'\n\n :.É9²Ⅷ" * 400]
    texts = ["".join(rng.choices(letters, k=rng.randrange(80))) for _ in range(400)]
    texts += [
        *(OWN[i:] for i in range(60)),
        store.load("rnn").passage,
        "KING RICHARD III:\nLo\n\nÉa 2²:",
        "😀 Aé\n\n😀B:\n",
    ]
    found = run(store, texts=texts)["kinds"]
    assert found == [kinds(text) for text in texts] and {kind for each in found for kind in each} == set(KINDS)
