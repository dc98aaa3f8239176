"""
The scenes of a lecture: questions with measured answers.

To add a scene, add a record. It sets parameters of a link (`share_link.py`). Its answer is measured on the available
checkpoints when it is revealed (`trained_model_answers.py`); no result is stored.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from charrnn.ui.lecture import intervention_answers, trained_model_answers
from charrnn.ui.lecture.trained_model_answers import Answer
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.share_link import ShareLink, parse_link

SHORT_TEXT = {"temperature": "0.8", "seed": "7", "characters": "240", "prompt": "ROMEO:\n"}


@dataclass(frozen=True)
class Scene:
    """
    A question of a lecture.

    sets: parameters of a link. look: what to look at before the answer. part: part of the tab to scroll to. answer:
    computes the answer shown after "Reveal". reads: files that `answer` takes, so that their content keys the cache.
    """

    id: str
    title: str
    question: str
    look: str
    answer: Callable[..., Answer]
    sets: Mapping[str, str] = field(default_factory=dict)
    part: str = ""
    reads: tuple[Path, ...] = ()

    def link(self, store: Store) -> ShareLink:
        """Parse the scene's link with the available checkpoints."""
        return parse_link(store, self.sets)

    def measured_answer(self, store: Store) -> Answer:
        """Return the cached answer, or why there is none."""
        try:
            return store.cache.compute(_answer, self, store)
        except ValueError as error:
            return Answer(f"{error}.")


def _answer(scene: Scene, store: Store) -> Answer:
    return scene.answer(store, scene.link(store), *scene.reads)


SCENES = (
    Scene(
        "temperature",
        "What temperature does",
        "This text was written at temperature 1. The same dice fall again, at 0.3 and at 1.6: what will be different?",
        "The bar of the draw, while you move the temperature: the pointer stays where it is.",
        trained_model_answers.temperature,
        {"model": "rnn", "temperature": "1", "seed": "7", "characters": "240", "prompt": "ROMEO:\n", "tab": "write"},
    ),
    Scene(
        "newline",
        "What the state does at a line end",
        "A line ends. Which of the 256 numbers of the hidden state know it, and does the whole state move?",
        "The columns over ⏎ in the heatmap: does any row change its colour there, and only there?",
        trained_model_answers.newline,
        {"model": "rnn", "temperature": "0.8", "seed": "7", "characters": "400", "tab": "write", "view": "h"},
    ),
    Scene(
        "speaker",
        "What the state does at a speaker's name",
        "Is there a unit that is on while a speaker's name is written, or does it only see capital letters?",
        "The names in capitals before a colon, and the capitals that begin a line.",
        trained_model_answers.speaker,
        {"model": "lstm", "temperature": "0.8", "seed": "2", "characters": "600", "tab": "write", "view": "h"},
    ),
    Scene(
        "gradient",
        "How far the gradient reaches",
        "This is the vanilla network. Where will the curves of the LSTM and of MiniGPT be: higher, lower, longer?",
        "The scale: every line of the grid is a factor. The point where a hundredth is left.",
        trained_model_answers.gradient,
        {"model": "rnn", "tab": "gradients", "tick": "rnn"},
    ),
    Scene(
        "knob",
        "The knob: W_hh × 0.7 and × 1.4",
        "Nothing is changed but the size of the recurrent weights. What will the gradient do, and what the text?",
        "The eigenvalues: which of them leave the circle? And the curve: one line is steeper, one is not.",
        intervention_answers.scaled_weights,
        {"model": "rnn", "tab": "gradients", "knob": "1", "tick": "rnn", **SHORT_TEXT},
        part="#cr-knob",
    ),
    Scene(
        "clipping",
        "What happens without clipping",
        "The same training twice, at ten times the usual learning rate: with clipping and without. Which one diverges?",
        "The norm of the gradient before clipping, and the line at which it would be clipped.",
        intervention_answers.clipping,
        {"model": "rnn", "tab": "gradients", "tick": "rnn"},
        part="#cr-clipping",
        reads=(intervention_answers.STUDY,),
    ),
    Scene(
        "gating",
        "What gating buys",
        "With z = 0 and r = 1 a GRU is a vanilla RNN with the same weights. How much of what it knows will be left?",
        "The bits a character, and how many characters back it looks.",
        intervention_answers.gating,
        {"model": "gru", "tab": "neurons", **SHORT_TEXT},
        part="#cr-clamp",
    ),
    Scene(
        "clamp",
        "A unit, held",
        "One number of the LSTM's memory counts along the line. Held where it stands at a line's beginning, what will "
        "lines be like? And held where it stands at the end?",
        "The line ends of both texts, and the unit while it counts.",
        intervention_answers.clamp,
        {"model": "lstm", "tab": "neurons", **SHORT_TEXT},
        part="#cr-clamp",
    ),
    Scene(
        "transformer",
        "Where the Transformer wins",
        "MiniGPT predicts the same text better. At which characters most: line ends, first letters of words, inside?",
        "The vanilla network's curve: where will MiniGPT's end?",
        trained_model_answers.transformer,
        {"model": "rnn", "tab": "compare", "tick": "rnn"},
        part="#cr-training",
    ),
)
