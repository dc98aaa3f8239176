"""
The scenes of a lecture: a question, its measured answer, and what to try next.

To add a scene, add a record. It sets parameters of a link (`share_link.py`) and names the pictures of its three beats.
Its answer is measured on the available checkpoints when it is revealed (`trained_model_answers.py`,
`intervention_answers.py`), or read from the analyses saved beside them; no result is written here.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from charrnn.char_classes import KINDS
from charrnn.ui.lecture import intervention_answers, trained_model_answers
from charrnn.ui.lecture.answer import Answer
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.loaded_model import TITLES
from charrnn.ui.server.page_messages import error_sentence
from charrnn.ui.server.share_link import TABS, ShareLink, parse_link

SHORT_TEXT = {"temperature": "0.8", "seed": "7", "characters": "240", "prompt": "ROMEO:\n"}


class Picture(NamedTuple):
    """A tab, and a selector of its elements that the stage shows."""

    tab: str
    selector: str


# Every part of a tab that a scene shows. On the stage nothing else of the page is visible.
TEXT = Picture("write", ".cr-text-title, .cr-text")
COLORED_TEXT = Picture("write", ".cr-text-title, .cr-color-key, .cr-text")
UNITS = Picture("write", ".cr-map-title, .cr-scale, .cr-pictures")
NEXT_CHARACTER = Picture("write", ".cr-distribution")
GRADIENT = Picture("gradients", "#cr-flow .cr-plot")
EIGENVALUES = Picture("gradients", "#cr-knob [data-figure=curve], #cr-knob [data-figure=cloud]")
SCALED_TEXT = Picture("gradients", "#cr-knob [data-figure=curve], #cr-knob .cr-writers")
GRADIENT_NORMS = Picture("gradients", "#cr-clipping .cr-plot")
CLAMPED_TEXT = Picture("neurons", "#cr-clamp .cr-clamps, #cr-clamp .cr-writers")
SURPRISAL = Picture("compare", "#cr-delta .cr-delta")


@dataclass(frozen=True)
class Scene:
    """
    A question of a lecture.

    minutes: planned. guess: what the audience predicts before the answer; choices: to vote on. sets: parameters of a
    link. variation: what to try after the answer. pictures: of the question, the answer and the variation; None if the
    answer brings its own or there is none. answer: computes the answer. needs: networks without which there is none;
    another scene takes the default network in place of a missing one. reads: files that the answer takes, so that
    their content keys the cache.
    """

    id: str
    minutes: int
    question: str
    guess: str
    variation: str
    answer: Callable[..., Answer]
    sets: Mapping[str, str]
    pictures: tuple[Picture | None, Picture | None, Picture | None]
    choices: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    reads: tuple[Path, ...] = ()

    def link(self, store: Store) -> ShareLink:
        """Parse the scene's link with the available checkpoints."""
        return parse_link(store, self.sets)

    def missing(self, available: Collection[str]) -> list[str]:
        """List the titles of the networks that the scene needs and that are not available."""
        return [TITLES[name] for name in self.needs if name not in available]

    def measured_answer(self, store: Store) -> Answer:
        """Return the cached answer, or why there is none."""
        if missing := self.missing(available_networks(store)):
            return Answer(f"This scene needs {' and '.join(missing)}, not one of the networks here.", varied=False)
        try:
            return store.cache.compute(_answer, self, store)
        except ValueError as error:
            return Answer(error_sentence(error), varied=False)

    def shown_pictures(self) -> list[dict[str, str] | None]:
        """Return the pictures with the titles of their tabs."""
        return [picture and {"tab": TABS[picture.tab], "selector": picture.selector} for picture in self.pictures]


def available_networks(store: Store) -> set[str]:
    """Return the names of the checkpoints."""
    return {info.name for info in store.checkpoints()}


def _answer(scene: Scene, store: Store) -> Answer:
    return scene.answer(store, scene.link(store), *scene.reads)


SCENES = (
    Scene(
        "temperature",
        2,
        "Same random numbers at temperature 0.3 and 1.6. What changes?",
        "This text is from temperature 1. Guess: of 100 letters, how many will be the likeliest one?",
        "Change the temperature. The random point stays where it is, the bar under it changes.",
        trained_model_answers.temperature,
        {"model": "rnn", "temperature": "1", "seed": "7", "characters": "240", "prompt": "ROMEO:\n", "tab": "write"},
        (TEXT, None, NEXT_CHARACTER),
    ),
    Scene(
        "newline",
        2,
        "A line ends. Which of the network's numbers know it?",
        "Guess: all of them, a few, or just one? Where in this text will it be highest or lowest?",
        "Other units follow other things. Each row is one unit, with what it follows and its colour there.",
        trained_model_answers.newline,
        {"model": "rnn", "temperature": "0.8", "seed": "7", "characters": "400", "tab": "write", "view": "h"},
        (TEXT, COLORED_TEXT, UNITS),
    ),
    Scene(
        "speaker",
        2,
        "Does a unit know speakers' names, or only capital letters?",
        "Names begin with a capital, but so does every line. Which letters will stand out?",
        "Other units follow other things. The frame is where a name begins: which of them change there?",
        trained_model_answers.speaker,
        {"model": "lstm", "temperature": "0.8", "seed": "2", "characters": "500", "tab": "write", "view": "h"},
        (TEXT, COLORED_TEXT, UNITS),
    ),
    Scene(
        "gradient",
        2,
        "How far back does each network learn?",
        "Thick: the median of the vanilla RNN; shaded: 80 % of places. Draw in the air where others will be.",
        "Will the GRU be nearer to the vanilla RNN or to the LSTM?",
        trained_model_answers.gradient,
        {"model": "rnn", "tab": "gradients", "tick": "rnn"},
        (GRADIENT, GRADIENT, GRADIENT),
    ),
    Scene(
        "knob",
        3,
        "Eigenvalues outside the circle should make the gradient grow. Why does it vanish?",
        "Each dot is an eigenvalue of W_hh. What else does a step back multiply the gradient by?",
        "Multiply W_hh: does the gradient still fade, and is the text worse?",
        intervention_answers.saturation,
        {"model": "rnn", "tab": "gradients", "knob": "1", "tick": "rnn", **SHORT_TEXT},
        (EIGENVALUES, EIGENVALUES, SCALED_TEXT),
    ),
    Scene(
        "clipping",
        2,
        "The same training twice at ten times the usual learning rate. Which run diverges?",
        "Hands up:",
        "Which line comes nearest to the threshold, and what differs in that run?",
        intervention_answers.clipping,
        {"model": "rnn", "tab": "gradients", "tick": "rnn"},
        (None, GRADIENT_NORMS, GRADIENT_NORMS),
        ("the unclipped run", "the clipped run", "both", "neither"),
        reads=(intervention_answers.STUDY,),
    ),
    Scene(
        "gating",
        2,
        "Take a GRU's gates away. How much of what it knows is left?",
        "With z = 0 and r = 1 it is a vanilla RNN with the same weights. Guess a percentage.",
        "Keep the reset gate and fix only the update gate z: half open.",
        intervention_answers.gating,
        {"model": "gru", "tab": "write", **SHORT_TEXT, "characters": "160"},
        (TEXT, None, CLAMPED_TEXT),
        needs=("rnn", "gru"),
    ),
    Scene(
        "clamp",
        3,
        "A number counts along the line. What if it is frozen?",
        "Frozen at its value near the start of a line, will lines be longer or shorter? And near the end?",
        "The network writes with the unit free and frozen. Freeze it at other values.",
        intervention_answers.clamp,
        {"model": "lstm", "tab": "write", **SHORT_TEXT},
        (TEXT, None, CLAMPED_TEXT),
    ),
    Scene(
        "transformer",
        2,
        "Where does MiniGPT beat the vanilla RNN, and where does it lose?",
        "Hands up, for the most and for the least:",
        "Letter by letter: orange where MiniGPT predicts better, blue where the vanilla RNN does.",
        trained_model_answers.transformer,
        {"model": "rnn", "tab": "compare", "tick": "rnn,minigpt"},
        (None, None, SURPRISAL),
        KINDS[:-1],
        needs=("rnn", "minigpt"),
    ),
)
