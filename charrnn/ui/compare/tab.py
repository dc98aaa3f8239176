"""The tab Compare, with its training curves, results and samples over training."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from charrnn.analysis_record import AnalysisRecord
from charrnn.checkpoint import MAX_NAME_CHARS, CheckpointError, CheckpointInfo
from charrnn.corpus import title_of
from charrnn.metrics import bits_per_char, perplexity
from charrnn.paths import STUDY
from charrnn.published_results import PUBLISHED, Published
from charrnn.sampling import SamplingSettings
from charrnn.ui.compare.coupled_sampling import both_texts
from charrnn.ui.compare.lab_sheet import lab_sheet_table
from charrnn.ui.compare.surprisal_difference import differences
from charrnn.ui.components.table.table import Cell, Table, number
from charrnn.ui.server.analyses import saved_analysis
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.generation_defaults import PROMPT, SEED
from charrnn.ui.server.model_selection import models_payload, selected
from charrnn.ui.server.streaming import add_part, message
from charrnn.ui.server.view_query import IsCurrent, ViewQuery, require_current

SAMPLE_CHARS = 300
SAMPLE_SETTINGS = SamplingSettings(temperature=0.8)


def build(store: Store, study: Path = STUDY) -> None:
    """Lay out the tab: coupled sampling, Δ bits, curves, results, samples, lab sheet."""
    plot, table = "components/plot/plot", "components/table/table_view"
    add_part("cr-dice", "compare/coupled_sampling", partial(both_texts, store))
    add_part("cr-delta", "compare/surprisal_difference", partial(differences, store))
    add_part("cr-training", plot, lambda query, _: training_curves(store, query), "compare/training_curves")
    add_part("cr-results", table, lambda query, _: results(store, query, study), heading="compare/results_table")
    add_part("cr-learning", "compare/samples", partial(samples, store))
    add_part("cr-lab", table, lambda query, _: lab_sheet(query), heading="compare/lab_sheet")


def lab_sheet(query: ViewQuery) -> Iterator[str]:
    """Show the table of the lab sheet."""
    yield message(query.number, "", table=lab_sheet_table().to_json())


def training_curves(store: Store, query: ViewQuery) -> Iterator[str]:
    """Show the training curves of the selected checkpoints. Raises ValueError."""
    from charrnn import figures

    unit, span = query.one_of("unit", [*figures.UNITS]), query.one_of("span", figures.SPANS)
    parts, infos = query.some_of("parts", figures.PARTS), selected(store, query)
    models = models_payload(store, query)
    if not infos or not parts:
        what = "a model to see how it learnt" if parts else "what to see of them"
        yield message(query.number, f"Tick {what}.", **models)
        return
    stroke = figures.strokes([info.name for info in store.checkpoints()])
    runs = [figures.Run(LoadedModel.title_of(info), info.history, stroke[info.name]) for info in infos]
    figure = figures.training_curves_figure(runs, query.width, parts, unit, span)
    yield message(query.number, figures.describe_training_curves(runs, unit), figure=figure, **models)


TITLES = ("model", "parameters", "minutes", "train", "val stream", "val cold", "bits", "perplexity")
TITLES += ("half-life", "context", "source")
CAPTION = (
    "Bits and perplexity are those of val stream; in a grey row those of the loss that was published. Half-life of the "
    "gradient and effective context at 0.01 nats, both in characters: see the tab Gradients."
)


def results(store: Store, query: ViewQuery, study: Path) -> Iterator[str]:
    """Tabulate the checkpoints by loss, with published results and an n-gram model."""
    infos = sorted(store.checkpoints(), key=lambda info: info.metrics.get("val_stream_nats", float("inf")))
    rows = [checkpoint_row(info) for info in infos]
    references = [*ngram_rows(study), *map(published_row, PUBLISHED)]
    table = Table(
        " ".join([CAPTION, *describe_reach(infos)]),
        TITLES,
        [*rows, *references],
        quiet=range(len(rows), len(rows) + len(references)),
        sorted_by=TITLES.index("bits"),
    )
    yield message(query.number, "", table=table.to_json(), **models_payload(store, query))


def checkpoint_row(info: CheckpointInfo) -> list[Cell]:
    """Return the row of a checkpoint."""
    losses = [_metric(info.metrics, key) for key in ("train_loss_nats", "val_stream_nats", "val_cold_nats")]
    minutes = number(_metric(info.metrics, "minutes"), "{:.1f}")
    source = Cell(f"this checkpoint: {info.step} steps, seed {info.seed}")
    first = [Cell(LoadedModel.title_of(info), model=info.name), number(info.parameters, "{:,}"), minutes]
    return [*first, *map(number, losses), *_in_other_units(losses[1]), *reach(info), source]


def reach(info: CheckpointInfo) -> list[Cell]:
    """Return the saved half-life and effective context."""
    half_life = saved_analysis(info, "gradient", lambda record: record.number("half_life_chars", 0, 1e6))
    context = saved_analysis(info, "memory", lambda record: record.number("ecl_chars", 0, 1e6))
    return [number(half_life, "{:.1f}"), number(context, "{:.0f}")]


def describe_reach(infos: Sequence[CheckpointInfo]) -> list[str]:
    """Name the texts and sample sizes of the saved half-lives and contexts."""

    def half_life(record: AnalysisRecord) -> str:
        positions, read = (int(record.number(name, 1)) for name in ("positions", "characters_read"))
        return f"Half-life at {positions} positions of the first {read:,} characters of"

    def context(record: AnalysisRecord) -> str:
        return f"Context over {int(record.number('predictions', 1)):,} predictions on"

    titles_of: dict[str, list[str]] = {}  # by sentence
    for info in infos:
        for sample in (saved_analysis(info, "gradient", half_life), saved_analysis(info, "memory", context)):
            if sample:
                text = f"{sample} the validation part of {title_of(info.data_sha256)}"
                titles_of.setdefault(text, []).append(LoadedModel.title_of(info))
    return [
        f"{text}{'' if len(titles) == len(infos) else ': ' + ', '.join(titles)}." for text, titles in titles_of.items()
    ]


def published_row(result: Published) -> list[Cell]:
    """Return the row of a published result, whose loss is comparable to val cold."""
    size, loss, missing = number(result.parameters, "{:,}"), number(result.val_nats, "{:g}"), number(None)
    source = Cell(result.source, link=result.url, note=result.protocol)
    return [Cell(result.name), size, *3 * [missing], loss, *_in_other_units(result.val_nats), *2 * [missing], source]


def ngram_rows(study: Path) -> list[list[Cell]]:
    """Return the row of the study's best n-gram model; none without a study."""
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


def samples(store: Store, query: ViewQuery, is_current: IsCurrent) -> Iterator[str]:
    """Stream a sample of each saved step of a model. Raises ValueError."""
    infos = sorted(store.checkpoints(), key=lambda info: len(info.saved_steps) < 2)
    info = store.load(query.text("model", MAX_NAME_CHARS) or next((info.name for info in infos), None)).info
    models = [{"name": offered.name, "title": LoadedModel.title_of(offered)} for offered in infos]
    found: list[dict[str, Any]] = []
    skipped: list[str] = []
    for part, step in enumerate(info.saved_steps, 1):
        require_current(is_current)
        try:
            text = sample(store, info.name, step)
            found.append({"step": step, "loss": _loss_at(info, step), "text": text})
        except CheckpointError as error:  # the other steps may be valid
            skipped.append(f"Step {step} is left out: {error}.")
        words = "" if step == info.saved_steps[-1] else f"{LoadedModel.title_of(info)} writes …"
        if info.saved_steps == [step]:
            words = f"Of {LoadedModel.title_of(info)} only the last step was kept."
        words = " ".join(filter(None, [words, *skipped]))
        more: dict[str, Any] = {"models": models} if part == 1 else {}
        yield message(query.number, words, part, samples=found, chosen=info.name, **more)


def sample(store: Store, name: str, step: int) -> str:
    """Return the cached sample of one saved step, with the default prompt and seed."""
    return store.cache.compute(_sample, store.load(name, step))


def _sample(loaded: LoadedModel) -> str:
    prompt = loaded.vocab.default_prompt(PROMPT)
    return prompt + loaded.text_of(loaded.sample(prompt, SAMPLE_CHARS, SAMPLE_SETTINGS, SEED))


def _loss_at(info: CheckpointInfo, step: int) -> str:
    """Format the validation loss at a step; "" if not recorded."""
    losses = {point.step: point.val_loss_nats for point in info.history}
    return f"val {losses[step]:.3f} nats" if step in losses else ""
