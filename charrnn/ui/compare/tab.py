"""The tab Compare: training curves, results, samples over training."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from charrnn.analysis_record import RecordError
from charrnn.checkpoint import MAX_NAME_CHARS, CheckpointError, CheckpointInfo
from charrnn.corpus import title_of
from charrnn.metrics import bits_per_char, perplexity
from charrnn.paths import STUDY
from charrnn.published_results import PUBLISHED, Published
from charrnn.sampling import SamplingSettings, UniformStream, generate
from charrnn.ui.compare import coupled_sampling, surprisal_difference
from charrnn.ui.compare.lab_sheet import lab_map
from charrnn.ui.components.table.table import Cell, Table, number
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.model_selection import offered, ticked
from charrnn.ui.server.static_files import read, view
from charrnn.ui.server.streaming import add_part, answer, register_stream
from charrnn.ui.server.view_query import ViewQuery, Wanted, require

SAMPLE_PROMPT, SAMPLE_SEED, SAMPLE_CHARACTERS = "ROMEO:\n", 7, 300
SAMPLE_SETTINGS = SamplingSettings(temperature=0.8)


def build(store: Store, study: Path = STUDY) -> None:
    """Lay out the tab: coupled sampling, Δ bits, curves, results, samples, lab sheet."""
    coupled_sampling.build(store)
    surprisal_difference.build(store)
    add_part(
        "cr-training",
        "components/plot/plot",
        lambda question, wanted: training_curves(store, question),
        "compare/training_curves",
    )
    with gr.Column(elem_classes="cr-part", elem_id="cr-results"):
        gr.HTML(read("compare/results_table.html"), apply_default_css=False)
        table = view("components/table/table_view", "cr-view", "components/table/table")
        register_stream(table, lambda question, wanted: results(store, question, study))
    add_part("cr-learning", "compare/samples", partial(samples, store))
    with gr.Column(elem_classes="cr-part", elem_id="cr-lab"):
        gr.HTML(read("compare/lab_sheet.html"), apply_default_css=False)
        table = view("components/table/table_view", "cr-view", "components/table/table")
        register_stream(table, lambda question, wanted: iter([answer(question.number, "", table=lab_map().told())]))


# ------------------------------------------------------------------------------------------------ training curves


def training_curves(store: Store, question: ViewQuery) -> Iterator[str]:
    """Show the training curves of the selected checkpoints. Raises ValueError."""
    from charrnn import figures

    unit, span = question.one_of("unit", [*figures.UNITS]), question.one_of("span", figures.SPANS)
    parts, infos = question.some_of("parts", figures.PARTS), ticked(store, question)
    models = offered(store, question)
    if not infos or not parts:
        what = "a model to see how it learnt" if parts else "what to see of them"
        yield answer(question.number, f"Tick {what}.", **models)
        return
    stroke = figures.strokes([info.name for info in store.checkpoints()])
    runs = [figures.Run(LoadedModel.title_of(info), info.history, stroke[info.name]) for info in infos]
    figure = figures.training_curves_figure(runs, question.width, parts, unit, span)
    yield answer(question.number, figures.describe_training_curves(runs, unit), figure=figure, **models)


# ------------------------------------------------------------------------------------------------ the table

TITLES = ("model", "parameters", "minutes", "train", "val stream", "val cold", "bits", "perplexity")
TITLES += ("half-life", "context", "source")
CAPTION = (
    "Bits and perplexity are those of val stream; in a grey row those of the loss that was published. Half-life of the "
    "gradient and effective context at 0.01 nats, both in characters: see the tab Gradients."
)


def results(store: Store, question: ViewQuery, study: Path) -> Iterator[str]:
    """Tabulate the checkpoints by loss, with published results and an n-gram model."""
    infos = sorted(store.checkpoints(), key=lambda info: info.metrics.get("val_stream_nats", float("inf")))
    rows = [checkpoint_row(info) for info in infos]
    others = [*ngram_rows(study), *map(published_row, PUBLISHED)]
    table = Table(
        " ".join([CAPTION, *far_back_of(infos)]),
        TITLES,
        [*rows, *others],
        quiet=range(len(rows), len(rows) + len(others)),
        sorted_by=TITLES.index("bits"),
    )
    yield answer(question.number, "", table=table.told(), **offered(store, question))


def checkpoint_row(info: CheckpointInfo) -> list[Cell]:
    """Return the row of a checkpoint."""
    figures = [_metric(info.metrics, key) for key in ("train_loss_nats", "val_stream_nats", "val_cold_nats")]
    minutes = number(_metric(info.metrics, "minutes"), "{:.1f}")
    source = Cell(f"this checkpoint: {info.step} steps, seed {info.seed}")
    first = [Cell(LoadedModel.title_of(info), model=info.name), number(info.parameters, "{:,}"), minutes]
    return [*first, *map(number, figures), *_in_other_units(figures[1]), *far_back(info), source]


def far_back(info: CheckpointInfo) -> list[Cell]:
    """Return the saved half-life and effective context."""
    sections, cells = info.analyses.sections, []
    for section, fact, form in (("gradient", "half_life_chars", "{:.1f}"), ("memory", "ecl_chars", "{:.0f}")):
        try:
            cells.append(number(sections[section].number(fact, 0, 1e6), form))
        except (KeyError, RecordError):
            cells.append(number(None))
    return cells


def far_back_of(infos: Sequence[CheckpointInfo]) -> list[str]:
    """Name the texts and sample sizes of half-lives and contexts in the table."""
    told: dict[str, list[str]] = {}
    for info in infos:
        sections, of = info.analyses.sections, title_of(info.data_sha256)
        with suppress(KeyError, RecordError):
            positions, read = (int(sections["gradient"].number(name, 1)) for name in ("positions", "characters_read"))
            where = f"at {positions} positions of the first {read:,} characters of the validation part of {of}"
            told.setdefault(f"Half-life {where}", []).append(LoadedModel.title_of(info))
        with suppress(KeyError, RecordError):
            predictions = int(sections["memory"].number("predictions", 1))
            where = f"over {predictions:,} predictions on the validation part of {of}"
            told.setdefault(f"Context {where}", []).append(LoadedModel.title_of(info))
    everybody = [text for text, titles in told.items() if len(titles) == len(infos)]
    return [f"{text}{'' if text in everybody else ': ' + ', '.join(titles)}." for text, titles in told.items()]


def published_row(other: Published) -> list[Cell]:
    """Return the row of a published result, near our val cold."""
    size = number(other.parameters, "{:,}")
    loss = number(other.val_nats, "{:g}")
    source = Cell(other.source, link=other.url, note=other.protocol)
    return [
        Cell(other.name),
        size,
        Cell("–"),
        Cell("–"),
        Cell("–"),
        loss,
        *_in_other_units(other.val_nats),
        Cell("–"),
        Cell("–"),
        source,
    ]


def ngram_rows(study: Path) -> list[list[Cell]]:
    """Return the row of the study's best n-gram model, if there is a study."""
    try:
        rows = json.loads(study.read_text(encoding="utf-8"))["ngram"]["rows"]
        best = min(rows, key=lambda row: row["val_stream_nats"])
        losses = [best["train_loss_nats"], best["val_stream_nats"], best["val_cold_nats"]]
        first = [Cell(f"Kneser-Ney {best['order']}-gram"), number(best["ngrams"], "{:,}")]
        minutes = number(best["seconds"] / 60, "{:.1f}")
    except (OSError, ValueError, KeyError, TypeError):
        return []
    source = Cell("counted here, nothing learnt: python scripts/study.py ngram")
    return [[*first, minutes, *map(number, losses), *_in_other_units(losses[1]), Cell("–"), Cell("–"), source]]


def _metric(metrics: Mapping[str, Any], key: str) -> float | None:
    value = metrics.get(key)
    return value if type(value) in (int, float) else None


def _in_other_units(loss_nats: float | None) -> list[Cell]:
    if loss_nats is None:
        return [number(None), number(None)]
    return [number(bits_per_char(loss_nats)), number(perplexity(loss_nats), "{:.2f}")]


# ------------------------------------------------------------------------------------------------ samples


def samples(store: Store, question: ViewQuery, wanted: Wanted) -> Iterator[str]:
    """Stream a sample of each saved step of a model. Raises ValueError."""
    infos = sorted(store.checkpoints(), key=lambda info: len(info.saved_steps) < 2)
    chosen = question.text("model", MAX_NAME_CHARS) or next((info.name for info in infos), None)
    info = store.load(chosen).info
    models = [{"name": each.name, "title": LoadedModel.title_of(each)} for each in infos]
    written: list[dict[str, Any]] = []
    refused: list[str] = []
    for part, step in enumerate(info.saved_steps, 1):
        require(wanted)
        try:
            text = sample(store, info.name, step)
            written.append({"step": step, "loss": _loss_at(info, step), "text": text})
        except CheckpointError as error:  # of one step: the others can be read
            refused.append(f"Step {step} is left out: {error}.")
        last = step == info.saved_steps[-1]
        words = "" if last else f"{LoadedModel.title_of(info)} writes …"
        if info.saved_steps == [step]:
            words = f"Of {LoadedModel.title_of(info)} only the last step was kept."
        words = " ".join(filter(None, [words, *refused]))
        more: dict[str, Any] = {"models": models} if part == 1 else {}
        yield answer(question.number, words, part, samples=written, chosen=info.name, **more)


def sample(store: Store, name: str, step: int) -> str:
    """Return the sample of one saved step, with fixed random draws."""
    reader = store.load(name, step)
    return store.cache.compute(_write, reader)


def _write(reader: LoadedModel) -> str:
    prompt = reader.vocab.default_prompt(SAMPLE_PROMPT)
    beginning = reader.decoder.prefill(reader.vocab.encode(prompt))
    steps = generate(reader.decoder, beginning, SAMPLE_CHARACTERS, SAMPLE_SETTINGS, UniformStream(SAMPLE_SEED))
    return prompt + reader.vocab.decode([step.id for step in steps])


def _loss_at(info: CheckpointInfo, step: int) -> str:
    """Return the validation loss at a step, if recorded."""
    losses = {point.step: point.val_loss_nats for point in info.history}
    return f"val {losses[step]:.3f} nats" if step in losses else ""
