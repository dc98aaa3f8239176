"""Gradients of the picked model with W_hh × g: norms, spectra and text."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from charrnn.coupled_sampling import common_length
from charrnn.gradient_flow import (
    SCALE_RANGE,
    GradientFlow,
    Lyapunov,
    ProductNorms,
    Spectrum,
    gradient_flow,
    iter_product_norms,
    lyapunov_exponents,
    scale_recurrent,
    spectra,
)
from charrnn.ranges import Range
from charrnn.sampling import SamplingSettings, UniformStream, generate
from charrnn.ui.components.table.table import Cell, Table, number
from charrnn.ui.gradients.gradient_norms import left_far_back
from charrnn.ui.server import validation
from charrnn.ui.server.analyses import FAR_BACK, MAX_ANALYSIS_CHARS, MAX_LAG, POSITIONS, measure, text_for
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.defaults import prompt_for
from charrnn.ui.server.source_text import SourceText, given_text
from charrnn.ui.server.streaming import add_part, answer
from charrnn.ui.server.view_query import ViewQuery, Wanted, require

AT_FIRST = 1.4
CHARACTERS = 200
READ_FOR_EXPONENT = 4096  # characters; a few seconds, with a larger error than the whole text
POSITIONS_OF_PRODUCTS = 32  # each costs about four times a position of the gradient curve, at every lag
CANDIDATE = {"rnn": "h", "gru": "n", "lstm": "g"}  # the gate whose eigenvalues are shown by default


def build(store: Store) -> None:
    """Lay out the view and register its analysis."""
    add_part("cr-knob", "gradients/recurrent_scale", partial(turns, store))


# ------------------------------------------------------------------------------------------------ what is measured


@dataclass
class Turn:
    """A model at one recurrent scale, with its results so far."""

    reader: LoadedModel
    g: float
    spectra: tuple[Spectrum, ...] = ()
    text: str = ""
    flow: GradientFlow | None = None
    norms: ProductNorms | None = None
    exponent: Lyapunov | None = None

    @property
    def title(self) -> str:
        return f"× {self.g:.2f}" if self.g != 1 else "× 1"

    @property
    def model(self) -> Any:
        return scale_recurrent(self.reader.checkpoint.model, self.g)


def turned_flow(store: Store, reader: LoadedModel, g: float, given: SourceText | None = None) -> GradientFlow:
    """Return the cached gradient flow with W_hh × g on a text."""
    text = text_for(store, reader, given).text
    return store.cache.compute(measure, reader, text) if g == 1 else store.cache.compute(_flow, reader, g, text)


def _flow(reader: LoadedModel, g: float, text: str) -> GradientFlow:
    return gradient_flow(scale_recurrent(reader.checkpoint.model, g), reader.vocab.encode(text), MAX_LAG, POSITIONS)


def _spectra(reader: LoadedModel, g: float) -> tuple[Spectrum, ...]:
    return spectra(scale_recurrent(reader.checkpoint.model, g))


def _exponents(reader: LoadedModel, g: float, text: str) -> Lyapunov | None:
    """Compute the first Lyapunov exponent; None if the text is too short."""
    try:
        return lyapunov_exponents(scale_recurrent(reader.checkpoint.model, g), reader.vocab.encode(text))
    except ValueError:
        return None


def _products(reader: LoadedModel, g: float, text: str, wanted: Wanted) -> ProductNorms:
    """Compute the largest singular values of the products. Raises Superseded."""
    model, grown = scale_recurrent(reader.checkpoint.model, g), []
    for norms in iter_product_norms(model, reader.vocab.encode(text), MAX_LAG, POSITIONS_OF_PRODUCTS):
        grown = [norms]
        require(wanted)
    return grown[0]


@dataclass(frozen=True)
class Asked:
    """A parsed query: scales, text, and the text to generate."""

    question: ViewQuery
    turned: tuple[Turn, ...]  # as trained and scaled; one if the scale is 1
    source: SourceText
    prompt: str
    settings: SamplingSettings
    seed: int

    @property
    def gate(self) -> str:
        """Return the gate with the shown eigenvalues. Raises ValueError."""
        gates = [spectrum.gate for spectrum in self.turned[0].spectra]
        asked = self.question.form.get("gate")
        first = CANDIDATE.get(self.turned[0].reader.info.cell)
        return asked if asked in gates else first if first in gates else gates[0]


class KnobForm(validation.Writing):
    """The form of the view."""

    knob: Annotated[float, validation.within(Range(*SCALE_RANGE))] = AT_FIRST


def asked_for(store: Store, question: ViewQuery) -> Asked:
    """Parse the query. Raises ValueError."""
    form = validation.checked(KnobForm, question.form)
    reader = store.load(question.choice.name, question.choice.step)
    scale_recurrent(reader.checkpoint.model, form.knob)  # rejects models without W_hh before any computation
    source = text_for(store, reader, given_text(question, MAX_ANALYSIS_CHARS))
    turned = tuple(Turn(reader, each) for each in dict.fromkeys((1.0, form.knob)))
    prompt = reader.vocab.drop_unknown(prompt_for(reader, form.prompt))[0]
    return Asked(question, turned, source, prompt, form.settings, form.seed)


def turns(store: Store, question: ViewQuery, wanted: Wanted) -> Iterator[str]:
    """Stream the results: eigenvalues and text, gradient, exponents, products.

    Raises ValueError, also for a model without recurrent weights.
    """
    asked = asked_for(store, question)
    work = Work(store, asked, wanted)
    stages = (
        ("its eigenvalues and its text", work.weights_and_text),
        ("its gradient", work.gradient),
        ("its Lyapunov exponent", work.exponents),
        ("the product of its steps", work.products),
    )
    for part, (name, stage) in enumerate(stages):
        yield told(asked, part, f"Measuring {name} …")
        with store.turn(turns, wanted):
            stage()
    require(wanted)
    yield told(asked, len(stages))


@dataclass
class Work:
    """Cached analyses of scaled models, each computed once for all pages."""

    store: Store
    asked: Asked
    wanted: Wanted

    def weights_and_text(self) -> None:
        """Return the spectra of W_hh, and the generated text."""
        asked = self.asked
        for turn in self.asked.turned:
            turn.spectra = self.store.cache.compute(_spectra, turn.reader, turn.g)
            decoder = turn.reader.decoder if turn.g == 1 else turn.model.decoder()
            beginning = decoder.prefill(turn.reader.vocab.encode(asked.prompt))
            steps = generate(decoder, beginning, CHARACTERS, asked.settings, UniformStream(asked.seed))
            turn.text = turn.reader.vocab.decode([step.id for step in steps])

    def gradient(self) -> None:
        """Return the gradient flow."""
        for turn in self.asked.turned:
            turn.flow = turned_flow(self.store, turn.reader, turn.g, self.asked.source)

    def exponents(self) -> None:
        """Return the first Lyapunov exponent; None if the text is too short."""
        text = self.asked.source.text[:READ_FOR_EXPONENT]
        for turn in reversed(self.asked.turned):
            require(self.wanted)
            turn.exponent = self.store.cache.compute(_exponents, turn.reader, turn.g, text)

    def products(self) -> None:
        """Yield the largest singular values of the products, the scaled model first."""
        for turn in reversed(self.asked.turned):
            compute, text = self.store.cache.compute, self.asked.source.text
            turn.norms = compute(_products, turn.reader, turn.g, text, wanted=self.wanted)


# ------------------------------------------------------------------------------------------------ what the view shows


def told(asked: Asked, part: int, busy: str = "") -> str:
    """Encode the results so far as a value of the view."""
    turned = asked.turned
    figures_told: dict[str, Any] = {}
    if turned[0].spectra:
        figures_told["cloud"] = _cloud(asked)
    if all(turn.flow for turn in turned):
        figures_told["curve"] = _curve(asked)
    if all(turn.norms for turn in turned):
        figures_told["product"] = _product(asked)
    texts = [turn.text for turn in turned]
    at = common_length(texts[0], texts[-1]) if len(texts) > 1 and texts[0] != texts[-1] else None
    return answer(
        asked.question.number,
        " ".join(filter(None, [in_words(asked), busy, *turned[0].reader.checkpoint.model.notices()])),
        part,
        busy=bool(busy),
        knob=turned[-1].g,
        title=turned[0].reader.title,
        figures=figures_told,
        gates=[spectrum.gate for spectrum in turned[0].spectra],
        gate=asked.gate if turned[0].spectra else "",
        prompt=asked.prompt,
        texts=texts if texts[0] else None,
        titles=[turn.title for turn in turned],
        parting=None if at is None else {"at": at},
        table=_table(asked).told() if turned[0].spectra else None,
    )


def in_words(asked: Asked) -> str:
    """Describe the effect of the scale in a sentence or two."""
    one, turn = asked.turned[0], asked.turned[-1]
    if one.flow is None or turn.flow is None:
        return ""
    beside = turn is not one
    said = f"{one.reader.title}, W_hh {turn.title}: the gradient {_half(turn.flow)}"
    said += f" ({one.title}: {_half(one.flow)})." if beside else "."
    if turn.exponent is not None:
        read = turn.exponent.stretches * turn.exponent.stretch
        said += f" First Lyapunov exponent {_exponent(turn.exponent)} nats a character over {read:,} characters"
        said += f" ({one.title}: {_exponent(one.exponent)})." if beside and one.exponent else "."
    return f"{said} Measured at {turn.flow.positions} positions of {asked.source}."


def _half(flow: GradientFlow) -> str:
    half = flow.half_life_chars
    return "never halves" if half is None else f"has halved after {half:.1f} characters"


def _exponent(found: Lyapunov | None) -> str:
    return "–" if found is None else f"{found.exponents[0]:+.4f} ± {found.errors[0]:.4f}".replace("-", "−")


def _colours(asked: Asked) -> list[tuple[Turn, str]]:
    """Return the colors of the trained and the scaled model."""
    from charrnn import figures  # plotly is slow to import: only when needed

    return list(zip(asked.turned, (figures.BLUE, figures.ORANGE), strict=False))


def _told(figure: Any, words: str) -> dict[str, str]:
    """Encode a figure as Plotly JSON with its description."""
    return {"figure": figure.to_json(), "words": words}


def _curve(asked: Asked) -> dict[str, str]:
    from charrnn import figures

    curves = [
        figures.Curve(turn.title, turn.flow, figures.Stroke(colour, "solid"))
        for turn, colour in _colours(asked)
        if turn.flow
    ]
    drawn = figures.gradient_flow_figure(curves, asked.question.width, picked=curves[-1])
    return _told(drawn, figures.describe_gradient_flow(curves, [str(asked.source)] * len(curves)))


def _product(asked: Asked) -> dict[str, str]:
    from charrnn import figures

    turned = [
        figures.ScaledCurves(turn.title, colour, turn.norms, turn.flow)
        for turn, colour in _colours(asked)
        if turn.norms and turn.flow
    ]
    drawn = figures.product_norms_figure(turned, asked.question.width)
    return _told(drawn, figures.describe_product_norms(turned))


def _cloud(asked: Asked) -> dict[str, str]:
    from charrnn import figures

    gate = asked.gate
    clouds = [
        figures.Cloud(turn.title, colour, spectrum.eigenvalues)
        for turn, colour in _colours(asked)
        for spectrum in turn.spectra
        if spectrum.gate == gate
    ]
    return _told(figures.eigenvalue_figure(clouds), figures.describe_eigenvalues(clouds))


def _table(asked: Asked) -> Table:
    """Tabulate all values of the trained and the scaled model."""

    def row(title: str, value: Callable[[Turn], Cell]) -> list[Cell]:
        return [Cell(title), *(value(turn) for turn in asked.turned)]

    def of_flow(read: Callable[[GradientFlow], float | None], form: str, missing: str) -> Callable[[Turn], Cell]:
        return lambda turn: Cell("…") if turn.flow is None else number(read(turn.flow), form, missing)

    rows = [
        row("half-life, characters", of_flow(lambda flow: flow.half_life_chars, "{:.1f}", "never")),
        row("1 % left at", of_flow(lambda flow: flow.horizon_chars, "{:.1f}", f"> {MAX_LAG}")),
        row(f"left at k = {FAR_BACK}", lambda turn: Cell("…") if turn.flow is None else left_far_back(turn.flow)),
        row("first Lyapunov exponent, nats", lambda turn: Cell(_exponent(turn.exponent).split(" ")[0])),
        row("its standard error", lambda turn: Cell(_exponent(turn.exponent).split(" ")[-1])),
    ]
    for i, spectrum in enumerate(asked.turned[0].spectra):
        of = "W_hh" if len(asked.turned[0].spectra) == 1 else f"gate {spectrum.gate}"
        rows.append(row(f"{of}: spectral radius ρ", lambda turn, i=i: number(turn.spectra[i].radius, "{:.2f}")))
        rows.append(row(f"{of}: largest singular value", lambda turn, i=i: number(turn.spectra[i].norm, "{:.2f}")))
    positions = f", gradient at {asked.turned[0].flow.positions} positions" if asked.turned[0].flow else ""
    return Table(
        f"The same in numbers; measured on {asked.source}{positions}",
        ["", *(turn.title for turn in asked.turned)],
        rows,
        sortable=False,
    )
