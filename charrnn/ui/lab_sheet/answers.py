"""Lab sheet, answers: verdict, finding, commands and links of each section."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from charrnn.ui.components.table.table import LinkCell
from charrnn.ui.server.loaded_model import TITLES
from charrnn.ui.server.streaming import message
from charrnn.ui.server.view_query import ViewQuery
from charrnn.ui.tabs import COMPARE, GRADIENTS, HOOD, NEURONS, WRITE

COMMAND = "python scripts/report.py"  # writes the record
VERDICTS = ("confirmed", "corrected", "partly", "open", "not measured")  # of claims; any other answers a question

# By the number of the section or exercise on the sheet.
LINKS: dict[str, tuple[LinkCell, ...]] = {
    "0": (LinkCell("how far back learning reaches", GRADIENTS, part="#cr-flow", tick=("rnn", "lstm")),),
    "1–2": (
        LinkCell("its hidden state while it writes", WRITE, model="rnn"),
        LinkCell("its code with live numbers", HOOD, model="rnn", part="#cr-cell-source"),
    ),
    "3": (LinkCell("time of each part of a step", HOOD, part="#cr-profile"),),
    "4": (
        LinkCell("the temperature, live", WRITE, part="#cr-temperature"),
        LinkCell(
            "two temperatures, same random numbers",
            COMPARE,
            part="#cr-dice",
            compare={"a": "rnn", "b": "rnn", "a_temperature": 0.5, "b_temperature": 1.2},
        ),
    ),
    "5": (
        LinkCell("with and without clipping, one seed", GRADIENTS, part="#cr-clipping"),
        LinkCell("training curves", COMPARE, part="#cr-training", tick=("rnn-lab", "rnn")),
    ),
    "6": (
        LinkCell("scoreboard", COMPARE, part="#cr-results"),
        LinkCell("its text at each saved step", COMPARE, part="#cr-learning", compare={"a": "rnn-lab"}),
    ),
    "7": (
        LinkCell(
            "which letters MiniGPT predicts better",
            COMPARE,
            part="#cr-delta",
            compare={"a": "rnn", "b": "minigpt"},
        ),
        LinkCell("both gradients in one figure", GRADIENTS, part="#cr-flow", tick=("rnn", "minigpt")),
        LinkCell("MiniGPT while it writes", WRITE, model="minigpt"),
    ),
    "8": (),  # the page always samples without gradients
    "Stretch 1": (
        LinkCell("LSTM gates, live", WRITE, model="lstm"),
        LinkCell("the unit that counts along the line", NEURONS, model="lstm", part="#cr-unit"),
        LinkCell("a unit or a gate held fixed", NEURONS, model="lstm", part="#cr-clamp"),
        LinkCell("its gradient beside the vanilla one", GRADIENTS, part="#cr-flow", tick=("rnn", "lstm")),
    ),
    "Stretch 2": (
        LinkCell("both training curves", COMPARE, part="#cr-training", tick=("gru", "lstm")),
        LinkCell("open and shut gates", NEURONS, model="gru", part="#cr-gates"),
        LinkCell("exercise: make it forget", NEURONS, model="gru", part="#cr-exercises"),
    ),
    "Stretch 3": (
        LinkCell(
            "gradients with and without",
            GRADIENTS,
            part="#cr-flow",
            tick=("rnn", "rnn-layernorm", "lstm", "lstm-layernorm"),
        ),
        LinkCell("training curves", COMPARE, part="#cr-training", tick=("rnn", "rnn-layernorm")),
    ),
    "Stretch 4": (
        LinkCell("stateful vs. shuffled training", COMPARE, part="#cr-training", tick=("rnn", "rnn-stateful")),
    ),
    "Stretch 5": (
        LinkCell("loss with longer windows", COMPARE, part="#cr-training", tick=("rnn", "rnn-seq256", "rnn-seq512")),
        LinkCell(
            "how much context is used", GRADIENTS, part="#cr-memory", tick=("rnn", "rnn-seq512", "lstm", "minigpt")
        ),
    ),
    "Stretch 6": (
        LinkCell("try top-k and top-p", WRITE, part="#cr-top_k"),
        LinkCell(
            "two filters, same random numbers",
            COMPARE,
            part="#cr-dice",
            compare={"a": "lstm", "b": "lstm", "a_top_k": 5, "b_top_p": 0.9},
        ),
    ),
    "Stretch 7": (
        LinkCell("time of each part of a step", HOOD, part="#cr-profile"),
        LinkCell("time against the window length", HOOD, part="#cr-window"),
    ),
}


class Answer(BaseModel):
    """The answer to a claim or question of the sheet, as charrnn.study writes it."""

    claim: str
    verdict: str
    needed: str = ""  # what would decide an open claim
    finding: str
    figure: str
    commands: list[str]


class Section(BaseModel):
    """A section or an exercise with its answers."""

    key: str
    title: str
    answers: Annotated[list[Answer], Field(min_length=1)]


class Record(BaseModel):
    """The content of docs/lab_sheet.json."""

    sections: list[Section]


def answers(query: ViewQuery, path: Path) -> Iterator[str]:
    """Show the answers. Raises ValueError without a record."""
    sections = read_record(path).sections
    shown = [
        _with_titles(section).model_dump() | {"links": [_link(link) for link in LINKS.get(section.key, ())]}
        for section in sections
    ]
    yield message(query.number, summary(sections), sections=shown)


def _link(link: LinkCell) -> dict[str, Any]:
    """Return a link with the titles of its networks, of which the page may lack some."""
    return link.to_json() | {"networks": [[name, TITLES.get(name, name)] for name in link.networks()]}


def _with_titles(section: Section) -> Section:
    """Replace the quoted names of networks by the page's titles."""

    def title(quoted: re.Match[str]) -> str:
        return TITLES.get(quoted[1], quoted[0])

    texts = [
        {name: re.sub("`([^`]+)`", title, getattr(answer, name)) for name in ("finding", "figure")}
        for answer in section.answers
    ]
    changed = [answer.model_copy(update=update) for answer, update in zip(section.answers, texts, strict=True)]
    return section.model_copy(update={"answers": changed})


def read_record(path: Path) -> Record:
    """Load the record of the answers. Raises ValueError."""
    try:
        return Record.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"No answers found: run {COMMAND}") from None
    except ValidationError:
        raise ValueError(f"{path.name} is not a record of the answers: write it again with {COMMAND}") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path.name} cannot be read ({error}): write it again with {COMMAND}") from None


def summary(sections: Sequence[Section]) -> str:
    """Count the claims by verdict."""
    verdicts = [answer.verdict for section in sections for answer in section.answers]
    counts = Counter(verdict if verdict in VERDICTS else "answered" for verdict in verdicts)
    named = ", ".join(f"{counts[verdict]} {verdict}" for verdict in (*VERDICTS, "answered") if counts[verdict])
    return f"{len(verdicts)} claims and questions: {named}."
