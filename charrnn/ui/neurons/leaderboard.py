"""Neurons, leaderboard: the best unit for each concept and a custom regex."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from charrnn.corpus import title_of
from charrnn.neurons import (
    BANK,
    MAX_PATTERN_CHARS,
    BestUnit,
    Concept,
    ConceptTargets,
    Leaderboard,
    PatternError,
    covered_by,
)
from charrnn.neurons.scoring import MIN_SAMPLES
from charrnn.ui import tabs
from charrnn.ui.components.table.table import Cell, Go, Table, number
from charrnn.ui.neurons.unit_scores import Units, in_words, kept_boards, views_told
from charrnn.ui.server.activation_views import nearest_view
from charrnn.ui.server.analyses import MAX_ANALYSIS_CHARS, text_for
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.source_text import SourceText, given_text
from charrnn.ui.server.streaming import add_part, answer
from charrnn.ui.server.view_query import ViewQuery, Wanted

MAX_READ_CHARS = 10_000  # characters
MEANING = {concept.name: concept.meaning for concept in BANK}
TITLES = ("concept", "what it is", "best unit", "sign", "first half", "held out", "untrained", "to beat", "verdict")
PATTERN = "your pattern"


def build(units: Units) -> None:
    """Lay out the view and register its analysis."""
    add_part("cr-units", "neurons/leaderboard", partial(leaderboard, units))


def view_of(reader: LoadedModel, question: ViewQuery) -> str:
    """Return the requested view, or its equivalent in this cell."""
    asked = question.form.get("view")
    return nearest_view(reader.view_names, asked if isinstance(asked, str) else reader.view_names[0])


def passage(store: Store, reader: LoadedModel, given: SourceText | None) -> tuple[SourceText, str]:
    """Return the text to score, and a notice."""
    source = text_for(store, reader, given)
    dropped = len(given.text) - len(source.text) if given else 0
    note = f"{dropped:,} characters that the model does not know are left out. " if dropped else ""
    if given and len(source.text) > MAX_READ_CHARS:
        note += f"It has {len(source.text):,} characters: the first {MAX_READ_CHARS:,} are read. "
    return source.first(MAX_READ_CHARS), note.rstrip()


class Telling:
    """Encodes the results of one query."""

    def __init__(self, question: ViewQuery, **shown: Any):
        self.question, self.shown, self.part = question, shown, 0

    def now(self, words: str, busy: bool = False, **more: Any) -> str:
        """Encode a value of the view; fields that are not set stay."""
        self.shown |= more
        self.part += 1
        return answer(self.question.number, words, self.part, busy=busy, **self.shown)


def leaderboard(units: Units, question: ViewQuery, wanted: Wanted) -> Iterator[str]:
    """Stream the leaderboard: the saved one, then a computed one. Raises ValueError."""
    reader = units.store.load(question.choice.name, question.choice.step)
    view_name = view_of(reader, question)
    given, pattern = given_text(question, MAX_ANALYSIS_CHARS), question.text("pattern", MAX_PATTERN_CHARS)
    telling = Telling(question, views=views_told(reader), view=view_name)
    kept = None if given else kept_boards(reader).get(view_name)
    if kept is not None:
        what = f"the validation part of {title_of(reader.info.data_sha256)} when the checkpoint was refreshed"
        words = in_sentences(kept, what)
        yield telling.now(words, busy=bool(pattern), table=table(kept).told())
        board, words = kept, words
    else:
        board = words = None
        for told in live(units, reader, view_name, given, wanted):
            if isinstance(told, str):
                yield telling.now(told, busy=True)
            else:
                board, words = told
        assert board is not None and words is not None
        yield telling.now(words, busy=bool(pattern), table=table(board).told())
    if pattern and wanted():
        yield from with_pattern(units, reader, board, words, pattern, given, telling, wanted)


def live(
    units: Units, reader: LoadedModel, view_name: str, given: SourceText | None, wanted: Wanted
) -> Iterator[str | tuple[Leaderboard, str]]:
    """Compute the leaderboard of a text; yields progress, returns board and words."""
    source, note = passage(units.store, reader, given)
    text = source.text
    targets = ConceptTargets.of(text)
    yield f"Reading {len(text):,} characters …"
    scores = units.scores(reader, view_name, targets, wanted)
    for told in units.baseline(reader, view_name, targets, wanted):
        if isinstance(told, str):
            yield told
        elif wanted():
            board = Leaderboard.of(view_name, targets, scores, told)
            yield (
                board,
                " ".join(filter(None, [in_sentences(board, f"{len(text):,} characters of {source.origin}"), note])),
            )


def with_pattern(
    units: Units,
    reader: LoadedModel,
    board: Leaderboard,
    words: str,
    pattern: str,
    given: SourceText | None,
    telling: Telling,
    wanted: Wanted,
) -> Iterator[str]:
    """Add a row for the custom pattern, or the reason that it has none."""
    source, _ = passage(units.store, reader, given)
    text = source.text
    try:
        covered = covered_by(pattern, text)
    except PatternError as error:
        yield telling.now(words, pattern_error={"words": f"{error}.", "position": error.position})
        return
    targets = ConceptTargets.of(text, [Concept(PATTERN, pattern, lambda _: covered)])
    if targets.rare:
        half = len(text) // 2
        reason = (
            f"Your pattern covers {covered[:half].sum():,} characters of the first half of {source.origin} and "
            f"{covered[half:].sum():,} of the second: of {half:,} in each it must cover {MIN_SAMPLES} or more, and "
            "spare as many."
        )
        yield telling.now(words, pattern_error={"words": reason, "position": None})
        return
    scores = units.scores(reader, board.view, targets, wanted)
    for told in units.baseline(reader, board.view, targets, wanted):
        if isinstance(told, str):
            yield telling.now(told, busy=True)
            continue
        only = Leaderboard.of(board.view, targets, scores, replace(told, margin=board.margin))
        share = f"{covered.mean():.1%} of {len(text):,} characters of {source.origin}"
        longer = replace(board, best=(*only.best, *board.best))
        words = f"Your pattern covers {share}: {verdict_in_words(only.best[0])}. {words}"
        yield telling.now(words, table=table(longer, pattern).told())


def verdict_in_words(best: BestUnit) -> str:
    """Describe a concept's best unit, as a sentence without its period."""
    compared = f"held-out {best.held_out:.3f} against {best.to_beat:.3f} to beat"
    return f"unit {best.unit} stands for it ({compared})" if best.found else f"no unit stands for it ({compared})"


def in_sentences(board: Leaderboard, what: str) -> str:
    """Describe a leaderboard: number of concepts found, and the text."""
    found = sum(best.found for best in board.best)
    rare = f" Too rare in this text: {', '.join(board.rare)}." if board.rare else ""
    return (
        f"{found} of {len(board.best)} concepts have a unit of the {in_words(board.view)}; "
        f"{board.named} of {board.units} units bear a name. "
        f"Measured on {what}, against {board.untrained_units:,} untrained units.{rare}"
    )


def table(board: Leaderboard, pattern: str = "") -> Table:
    """Tabulate the leaderboard: concepts found first, by margin over the baseline."""

    def row(best: BestUnit) -> list[Cell]:
        goes = Go(f"unit {best.unit}", tabs.NEURONS, part="#cr-unit", unit=(board.view, best.unit))
        above = best.held_out - best.to_beat
        return [
            Cell(best.concept),
            Cell(pattern if best.concept == PATTERN else MEANING.get(best.concept, "")),
            Cell("", best.unit, go=(goes,)),
            Cell("+" if best.direction > 0 else "−"),
            number(best.train),
            number(best.held_out),
            number(best.percentile),
            number(best.to_beat) if best.to_beat < 1 else Cell("> 1", best.to_beat),
            Cell(f"found, +{above:.3f}" if best.found else "none found", above),
        ]

    rows = sorted(board.best, key=lambda best: (best.concept != PATTERN, not best.found, best.to_beat - best.held_out))
    caption = (
        f"The best unit of the {in_words(board.view)} for each concept: AUC, of positions and of the line R². "
        "Sign −: the less the unit says, the more of the concept."
    )
    return Table(caption, TITLES, [row(best) for best in rows], [i for i, best in enumerate(rows) if not best.found])
