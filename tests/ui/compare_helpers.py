"""What the tests of A against B share: each model asked by itself, in the plainest way."""

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from playwright.sync_api import BrowserContext, Page

from charrnn.checkpoint import load
from charrnn.sampling import SamplingSettings, distribution
from charrnn.ui.server.view_query import until_superseded
from tests.ui.conftest import CHECKPOINTS, open_page
from tests.ui.page_actions import generated

OWN = (
    "JULIET:\nO Romeo, Romeo! wherefore art thou Romeo?\nDeny thy father & refuse thy name.\n\n"
    "ROMEO:\nShall I hear more?\n"
)
SETTINGS = SamplingSettings(temperature=0.8)


def always() -> bool:
    return True


def told(answers: Iterator[str]) -> list[dict[str, Any]]:
    return [json.loads(answer) for answer in until_superseded(answers)]


def side(name: str, step: int, **more: Any) -> dict[str, Any]:
    return {"checkpoint": {"name": name, "step": step}, **more}


def written(name: str, step: int | None, settings: SamplingSettings, prompt: str, n: int, seed: int) -> str:
    """The characters that a model writes by itself."""
    return generated(load(CHECKPOINTS / name, step), prompt, n, seed, settings).removeprefix(prompt)


def probabilities(name: str, text: str, temperature: float) -> dict[str, float]:
    """A model's chances of what follows a text, the likeliest first, worked out in the plainest way."""
    checkpoint = load(CHECKPOINTS / name)
    decoder = checkpoint.model.decoder()
    output = decoder.prefill([])
    for id in checkpoint.vocab.encode(text):
        output = decoder.step(id, output.state)
    weights = [math.exp(logit / temperature) for logit in output.logits.astype(float).tolist()]
    chances = {c: w / sum(weights) for c, w in zip(checkpoint.vocab.characters, weights, strict=True)}
    return dict(sorted(chances.items(), key=lambda item: -item[1]))


def plain_bits(name: str, text: str) -> list[float]:
    """A model's surprisal at each character, one step after the other."""
    checkpoint = load(CHECKPOINTS / name)
    decoder = checkpoint.model.decoder()
    output, bits = decoder.prefill([]), []
    for id in checkpoint.vocab.encode(text):
        bits.append(-math.log2(distribution_of(output.logits)[id]))
        output = decoder.step(id, output.state)
    return bits


def distribution_of(logits: np.ndarray) -> np.ndarray:
    whole = distribution(logits, SamplingSettings())
    return whole.raw[np.argsort(whole.order)]


def open_compare(context: BrowserContext, address: str) -> Page:
    page = open_page(context, address)
    page.get_by_role("tab", name="Compare").click()
    page.wait_for_function(
        "document.querySelectorAll('#cr-dice .cr-after').length === 2 && document.querySelector('#cr-delta .main-svg')"
    )
    return page
