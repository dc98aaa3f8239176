"""Compare, scoreboard: checkpoints, published results and an n-gram model."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from charrnn.analysis_record import AnalysisRecord
from charrnn.bootstrap import interval_from_record, with_interval
from charrnn.checkpoint import CheckpointInfo
from charrnn.corpus import TINY_SHAKESPEARE_SHA256, title_of
from charrnn.metrics import bits_per_char, perplexity
from charrnn.published_results import PUBLISHED, Published
from charrnn.seed_means import Mean, by_recipe, counted, mean_of
from charrnn.ui.components.table.table import Cell, Table, number
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.model_selection import models_payload
from charrnn.ui.server.saved_analysis import saved_analysis
from charrnn.ui.server.streaming import message
from charrnn.ui.server.view_query import ViewQuery

TITLES = ("model", "parameters", "minutes", "train", "val stream", "val cold", "bits", "perplexity")
TITLES += ("mean bits of runs", "half-life", "context", "source")
CAPTION = (
    "Bits and perplexity are those of val stream; mean bits: over runs that differ in their seed alone, with a 95 % "
    "interval; grey rows: published by others. Half-life of the gradient and effective context at 0.01 nats, both in "
    "characters with 95 % intervals: see the tab Gradients."
)
PROTOCOL = "Open marks: published by others, measured differently: compare them with “val cold” under Numbers."


def scoreboard(store: Store, query: ViewQuery, study: Path) -> Iterator[str]:
    """Show the checkpoints by loss, with published results and an n-gram model."""
    from charrnn import figures  # plotly is slow to import: only when needed

    infos = sorted(store.checkpoints(), key=lambda info: info.metrics.get("val_stream_nats", float("inf")))
    means = mean_losses(infos, study.with_name("runs.json"))
    rows = [checkpoint_row(info, means.get(info.name)) for info in infos]
    references = [*ngram_rows(study), *map(published_row, PUBLISHED)]
    table = Table(
        " ".join([CAPTION, *describe_reach(infos)]),
        TITLES,
        [*rows, *references],
        quiet=range(len(rows), len(rows) + len(references)),
        sorted_by=TITLES.index("bits"),
    )
    stroke = figures.strokes([info.name for info in store.checkpoints()])
    scores = []
    for info in infos:
        mean, nats = means.get(info.name), _metric(info.metrics, "val_stream_nats")
        if nats is None:
            continue
        title, color = LoadedModel.title_of(info), stroke[info.name].color
        score = figures.Score(title, info.parameters, bits_per_char(nats), color)
        if mean:
            score = score._replace(bits=bits_per_char(mean.value), runs=mean.runs, margin=bits_per_char(mean.margin))
        scores.append(score)
    floor = floor_of(study)
    words = " ".join([figures.describe_scores(scores, floor), describe_runs(infos, means), PROTOCOL])
    scores += [
        figures.Score(other.name, other.parameters, bits_per_char(other.val_nats))
        for other in PUBLISHED
        if other.parameters
    ]
    figure = figures.scoreboard_figure(scores, floor, query.width)
    yield message(query.number, words, figure=figure, table=table.to_json(), **models_payload(store, query))


def mean_losses(infos: Sequence[CheckpointInfo], runs: Path) -> dict[str, Mean]:
    """
    Return the mean val stream loss in nats of each checkpoint with several runs.

    Only networks trained on Tiny Shakespeare count. runs: the file of the other runs, as `scripts/report.py --runs`
    stores it. Without a valid file the result is empty.
    """
    found: dict[str, Mapping[str, Any]] = {
        info.name: {key: getattr(info, key) for key in ("name", "seed", "recipe", "metrics")}
        for info in infos
        if info.data_sha256 == TINY_SHAKESPEARE_SHA256 and _metric(info.metrics, "val_stream_nats") is not None
    }
    try:
        for run in json.loads(runs.read_text(encoding="utf-8")):
            found.setdefault(run["name"], run)
        losses = {name: _losses(group, found.get(name, group[0])) for name, group in by_recipe(found.values()).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    named = [info.name for info in infos if len(losses.get(info.name, [])) > 1 and info.name in found]
    means = {name: mean_of(losses[name], losses.values()) for name in named}
    return {name: mean for name, mean in means.items() if mean}


def _losses(runs: Sequence[Mapping[str, Any]], like: Mapping[str, Any]) -> list[float]:
    """Return the losses of the runs with the settings of one of them."""
    recipe = like["recipe"]  # versions record different settings
    return [
        run["metrics"]["val_stream_nats"]
        for run in runs
        if all(recipe.get(name, value) == value for name, value in run["recipe"].items() if name != "keep_steps")
    ]


def describe_runs(infos: Sequence[CheckpointInfo], means: Mapping[str, Mean]) -> str:
    """Name the number of runs of each network."""
    several = [
        f"{LoadedModel.title_of(info)} ({counted(means[info.name].runs)})" for info in infos if info.name in means
    ]
    where = "measured on the held-out tenth of the text"
    if not several:
        return f"One training run each, {where}."
    others = "" if len(several) == len(infos) else "; the others have one run"
    return f"Bars: 95 % intervals of means over runs with other random seeds: {', '.join(several)}{others}; {where}."


def checkpoint_row(info: CheckpointInfo, mean: Mean | None = None) -> list[Cell]:
    """Return the row of a checkpoint."""
    losses = [_metric(info.metrics, key) for key in ("train_loss_nats", "val_stream_nats", "val_cold_nats")]
    minutes = number(_metric(info.metrics, "minutes"), "{:.1f}")
    source = Cell(f"this checkpoint: {info.step} steps, seed {info.seed}")
    first = [Cell(LoadedModel.title_of(info), model=info.name), number(info.parameters, "{:,}"), minutes]
    return [*first, *map(number, losses), *_in_other_units(losses[1]), _mean_bits(mean), *reach(info), source]


def _mean_bits(mean: Mean | None) -> Cell:
    if mean is None:
        return Cell("1 run")
    bits, margin = bits_per_char(mean.value), bits_per_char(mean.margin)
    return Cell(f"{bits:.3f} ± {margin:.3f} ({counted(mean.runs)})", bits)


def reach(info: CheckpointInfo) -> list[Cell]:
    """Return the saved half-life and effective context."""
    half_life = saved_analysis(info, "gradient", lambda record: _estimate(record, "half_life", "{:.1f}"))
    context = saved_analysis(info, "memory", lambda record: _estimate(record, "ecl", "{:.0f}"))
    return [half_life or Cell("–"), context or Cell("–")]


def _estimate(record: AnalysisRecord, name: str, form: str) -> Cell:
    """Return a cell with a number of characters and its interval. Raises RecordError."""
    chars, interval = record.number(f"{name}_chars", 0, 1e6), interval_from_record(record, name)
    text = with_interval(form.format(chars), interval, lambda end: "∞" if math.isinf(end) else form.format(end))
    return Cell(text, chars)


def describe_reach(infos: Sequence[CheckpointInfo]) -> list[str]:
    """Name the texts and sample sizes of the saved half-lives and contexts."""

    def half_life(record: AnalysisRecord) -> str:
        positions, read = (int(record.number(name, 1)) for name in ("positions", "characters_read"))
        of = "" if read == record.facts.get("characters") else f" the first {read:,} characters of"
        return f"Half-life at {positions:,} positions of{of}"

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
    return [Cell(result.name), size, *3 * [missing], loss, *_in_other_units(result.val_nats), *3 * [missing], source]


def best_ngram(study: Path) -> dict[str, Any]:
    """
    Return the record of the study's best n-gram model.

    Raises OSError, ValueError, KeyError or TypeError.
    """
    rows = json.loads(study.read_text(encoding="utf-8"))["ngram"]["rows"]
    return min(rows, key=lambda row: row["val_stream_nats"])


def floor_of(study: Path) -> tuple[str, float] | None:
    """Return title and bits per character of the best n-gram model; None if absent."""
    try:
        best = best_ngram(study)
        return f"{best['order']}-gram counts", bits_per_char(best["val_stream_nats"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def ngram_rows(study: Path) -> list[list[Cell]]:
    """Return the row of the study's best n-gram model; none without a study."""
    try:
        best = best_ngram(study)
        losses = [best["train_loss_nats"], best["val_stream_nats"], best["val_cold_nats"]]
        first = [Cell(f"Kneser-Ney {best['order']}-gram"), number(best["ngrams"], "{:,}")]
        minutes = number(best["seconds"] / 60, "{:.1f}")
    except (OSError, ValueError, KeyError, TypeError):
        return []
    source = Cell("n-gram counts, no neural network: python scripts/study.py ngram")
    return [[*first, minutes, *map(number, losses), *_in_other_units(losses[1]), *3 * [Cell("–")], source]]


def _metric(metrics: Mapping[str, Any], key: str) -> float | None:
    value = metrics.get(key)
    return value if type(value) in (int, float) else None


def _in_other_units(loss_nats: float | None) -> list[Cell]:
    if loss_nats is None:
        return [number(None), number(None)]
    return [number(bits_per_char(loss_nats)), number(perplexity(loss_nats), "{:.2f}")]
