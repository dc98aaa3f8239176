"""Reference results of single models, and answers of views of two tabs."""

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

CUSTOM_TEXT = (
    "JULIET:\nO Romeo, Romeo! wherefore art thou Romeo?\nDeny thy father & refuse thy name.\n\n"
    "ROMEO:\nShall I hear more?\n"
)
SETTINGS = SamplingSettings(temperature=0.8)


def always() -> bool:
    """A query that nothing supersedes."""
    return True


def decoded(answers: Iterator[str]) -> list[dict[str, Any]]:
    """The answers to a query until it is superseded."""
    return [json.loads(answer) for answer in until_superseded(answers)]


def side(name: str, step: int, **settings: Any) -> dict[str, Any]:
    """One side of a comparison in the form of a query."""
    return {"checkpoint": {"name": name, "step": step}, **settings}


def surprisals_by_step(name: str, text: str) -> list[float]:
    """The surprisal of each character in bits, computed one step at a time."""
    checkpoint = load(CHECKPOINTS / name)
    decoder = checkpoint.model.decoder()
    output, bits = decoder.prefill([]), []
    for id in checkpoint.vocab.encode(text):
        sorted_probs = distribution(output.logits, SamplingSettings())
        (rank,) = np.flatnonzero(sorted_probs.order == id)
        bits.append(-math.log2(sorted_probs.raw[rank]))
        output = decoder.step(id, output.state)
    return bits


def open_compare(context: BrowserContext, address: str) -> Page:
    """Open the tab Compare and wait for both of its comparisons."""
    page = open_page(context, address)
    page.get_by_role("tab", name="Compare").click()
    page.wait_for_function(
        "document.querySelectorAll('#cr-dice .cr-after').length === 2 && document.querySelector('#cr-delta .main-svg')"
    )
    return page
