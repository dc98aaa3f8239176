"""Gradients, recurrent scale: the picked model with W_hh × g, and its norms."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel

from charrnn.bootstrap import Interval, with_interval
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
from charrnn.number_format import signed
from charrnn.ranges import Range
from charrnn.ui.components.table.table import Cell, Table, number
from charrnn.ui.gradients.gradient_norms import remaining_share
from charrnn.ui.server import request_parameters
from charrnn.ui.server.analyses import (
    FAR_BACK,
    MAX_ANALYSIS_CHARS,
    MAX_LAG,
    POSITIONS,
    gradient_of,
    measure_gradient,
    text_for,
)
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.source_text import SourceText, given_text
from charrnn.ui.server.streaming import message
from charrnn.ui.server.view_query import IsCurrent, ViewQuery, require_current

DEFAULT_SCALE = 1.4
EXPONENT_CHARS = 4096  # a few seconds, with a wider interval than the whole text
HEIGHT = 340  # of a figure, pixels
PRODUCT_POSITIONS = 32  # each costs about four times a position of the gradient curve, at every lag
DEFAULT_GATES = {"rnn": "h", "gru": "n", "lstm": "g"}  # whose eigenvalues are shown


@dataclass
class ScaledModel:
    """A model with W_hh × g, and its results so far."""

    loaded: LoadedModel
    g: float
    spectra: tuple[Spectrum, ...] = ()
    flow: GradientFlow | None = None
    source: SourceText | None = None  # of `flow`
    norms: ProductNorms | None = None
    exponent: Lyapunov | None = None

    @property
    def title(self) -> str:
        return f"× {self.g:.2f}" if self.g != 1 else "× 1"


def scaled_gradients(store: Store, loaded: LoadedModel, g: float, given: SourceText | None = None) -> GradientFlow:
    """Return the cached gradient flow with W_hh × g on a text."""
    text = text_for(store, loaded, given).text
    if g == 1:
        return store.cache.compute(measure_gradient, loaded, text)
    return store.cache.compute(_flow, loaded, g, text)


def _flow(loaded: LoadedModel, g: float, text: str) -> GradientFlow:
    return gradient_flow(scale_recurrent(loaded.checkpoint.model, g), loaded.vocab.encode(text), MAX_LAG, POSITIONS)


def _spectra(loaded: LoadedModel, g: float) -> tuple[Spectrum, ...]:
    return spectra(scale_recurrent(loaded.checkpoint.model, g))


def _exponents(loaded: LoadedModel, g: float, text: str) -> Lyapunov | None:
    """Compute the first Lyapunov exponent; None if the text is too short."""
    try:
        return lyapunov_exponents(scale_recurrent(loaded.checkpoint.model, g), loaded.vocab.encode(text))
    except ValueError:
        return None


def _products(loaded: LoadedModel, g: float, text: str, is_current: IsCurrent) -> ProductNorms:
    """Compute the largest singular values of the products. Raises Superseded."""
    model, latest = scale_recurrent(loaded.checkpoint.model, g), []
    for norms in iter_product_norms(model, loaded.vocab.encode(text), MAX_LAG, PRODUCT_POSITIONS):
        latest = [norms]
        require_current(is_current)
    return latest[0]


class ScaleForm(BaseModel):
    """The form of the view."""

    knob: Annotated[float, request_parameters.within(Range(*SCALE_RANGE))] = DEFAULT_SCALE
    product: bool = True  # measure the products of Jacobians, which takes longest


@dataclass(frozen=True)
class ScaleAnalyses:
    """A parsed query and the stages of its analysis, whose results are cached."""

    store: Store
    query: ViewQuery
    is_current: IsCurrent
    variants: tuple[ScaledModel, ...]  # as trained, and scaled unless the scale is 1
    given: SourceText | None
    source: SourceText
    stages: tuple["Stage", ...]

    @classmethod
    def parse_query(cls, store: Store, query: ViewQuery, is_current: IsCurrent) -> "ScaleAnalyses":
        """Parse the query. Raises ValueError."""
        form = request_parameters.validate(ScaleForm, query.form)
        loaded = store.load(query.choice.name, query.choice.step)
        scale_recurrent(loaded.checkpoint.model, form.knob)  # rejects models without W_hh before any computation
        given = given_text(query, MAX_ANALYSIS_CHARS)
        source = text_for(store, loaded, given)
        variants = tuple(ScaledModel(loaded, g) for g in dict.fromkeys((1.0, form.knob)))
        stages = STAGES if form.product else STAGES[:-1]
        return cls(store, query, is_current, variants, given, source, stages)

    @property
    def trained(self) -> ScaledModel:
        """Return the model as trained."""
        return self.variants[0]

    @property
    def gates(self) -> list[str]:
        return [spectrum.gate for spectrum in self.trained.spectra]

    @property
    def gate(self) -> str:
        """Return the gate with the shown eigenvalues; "" before they are computed."""
        requested, first = self.query.form.get("gate"), DEFAULT_GATES.get(self.trained.loaded.info.cell)
        return next((gate for gate in (requested, first, *self.gates) if gate in self.gates), "")

    def eigenvalues(self, model: ScaledModel) -> None:
        """Compute the spectra of W_hh."""
        model.spectra = self.store.cache.compute(_spectra, model.loaded, model.g)

    def gradient(self, model: ScaledModel) -> None:
        """Compute the gradient flow; as trained, it is that of the other views."""
        if model.g == 1:
            model.flow, model.source = gradient_of(self.store, model.loaded, self.given)
        else:
            model.flow, model.source = scaled_gradients(self.store, model.loaded, model.g, self.source), self.source

    def lyapunov(self, model: ScaledModel) -> None:
        """Compute the first Lyapunov exponent. Raises Superseded."""
        require_current(self.is_current)
        model.exponent = self.store.cache.compute(_exponents, model.loaded, model.g, self.source.text[:EXPONENT_CHARS])

    def products(self, model: ScaledModel) -> None:
        """Compute the singular values of the products. Raises Superseded."""
        model.norms = self.store.cache.compute(
            _products, model.loaded, model.g, self.source.text, is_current=self.is_current
        )


Stage = tuple[str, Callable[[ScaleAnalyses, ScaledModel], None]]
STAGES: tuple[Stage, ...] = (
    ("its eigenvalues", ScaleAnalyses.eigenvalues),
    ("its gradient", ScaleAnalyses.gradient),
    ("its growth rate per step", ScaleAnalyses.lyapunov),
    ("the product of its steps", ScaleAnalyses.products),
)


def scaled_variants(store: Store, query: ViewQuery, is_current: IsCurrent) -> Iterator[str]:
    """Stream the results: eigenvalues, gradient, exponents, products.

    Raises ValueError, also for a model without recurrent weights, and Superseded.
    """
    analyses = ScaleAnalyses.parse_query(store, query, is_current)
    for part, (name, stage) in enumerate(analyses.stages):
        yield _encode(analyses, part, f"Measuring {name} …")
        with store.exclusive(scaled_variants, is_current):
            for model in reversed(analyses.variants):
                stage(analyses, model)
    require_current(is_current)
    yield _encode(analyses, len(analyses.stages))


def _encode(analyses: ScaleAnalyses, part: int, busy: str = "") -> str:
    """Encode the results so far as a value of the view."""
    trained = analyses.trained
    return message(
        analyses.query.number,
        " ".join(filter(None, [_describe(analyses), busy, *trained.loaded.checkpoint.model.notices()])),
        part,
        busy=bool(busy),
        figures=_figures(analyses),
        gates=analyses.gates,
        gate=analyses.gate,
        table=_table(analyses).to_json() if trained.spectra else None,
    )


def _describe(analyses: ScaleAnalyses) -> str:
    """Describe the effect of the scale in a sentence or two."""
    trained, scaled = analyses.trained, analyses.variants[-1]
    if trained.flow is None or scaled.flow is None:
        return ""
    growth, growth_as_trained = _growth(scaled.exponent), _growth(trained.exponent)
    words = f"{trained.loaded.title}, W_hh {scaled.title}: the gradient {scaled.flow.describe_halving()}"
    words += f"; in the long run each step multiplies it by {growth}." if growth else "."
    if scaled is not trained:
        words += f" {trained.title}: it {trained.flow.describe_halving()}"
        words += f"; each step multiplies it by {growth_as_trained}." if growth_as_trained else "."
    measured = f"{words} Measured at {_places(analyses)}"
    if scaled.exponent is not None:
        measured += f"; in the long run over {scaled.exponent.stretches * scaled.exponent.stretch:,} characters"
    return f"{measured}."


def _places(analyses: ScaleAnalyses) -> str:
    """Describe the number of places and the text of the gradients."""
    found: dict[str, str] = {}  # place and text -> title of the first model measured there
    for model in reversed(analyses.variants):
        if model.flow is not None:
            found.setdefault(f"{model.flow.positions:,} places in {model.source}", model.title)
    return ", ".join(where if len(found) == 1 else f"{where} ({title})" for where, title in found.items())


def _growth(found: Lyapunov | None) -> str:
    """Format the factor per step of the first Lyapunov exponent; "" without one."""
    if found is None:
        return ""
    ends = Interval(*(math.exp(end) for end in found.interval))
    return with_interval(_three_digits(math.exp(found.exponents[0])), ends, _three_digits)


def _three_digits(number: float) -> str:
    return f"{number:.3f}"


def _exponent(found: Lyapunov | None) -> str:
    return "–" if found is None else f"{signed(found.exponents[0], 4)} {found.interval.describe(_four_digits)}"


def _four_digits(number: float) -> str:
    return signed(number, 4)


def _figures(analyses: ScaleAnalyses) -> dict[str, dict[str, str]]:
    """Draw the results so far: Plotly JSON and description by name of the figure."""
    from charrnn import figures  # plotly is slow to import: only when needed

    colored = list(zip(analyses.variants, (figures.BLUE, figures.ORANGE), strict=False))
    width, drawn = analyses.query.width, dict[str, tuple[Any, str]]()
    clouds = [
        figures.Cloud(model.title, color, spectrum.eigenvalues)
        for model, color in colored
        for spectrum in model.spectra
        if spectrum.gate == analyses.gate
    ]
    if clouds:
        drawn["cloud"] = figures.eigenvalue_figure(clouds), figures.describe_eigenvalues(clouds)
    curves = [
        figures.Curve(model.title, model.flow, figures.Stroke(color, "solid")) for model, color in colored if model.flow
    ]
    if curves:
        words = figures.describe_gradient_flow(curves, [str(model.source) for model in analyses.variants if model.flow])
        drawn["curve"] = figures.gradient_flow_figure(curves, width, picked=curves[-1], height=HEIGHT), words
    products = [
        figures.ScaledCurves(model.title, color, model.norms, model.flow)
        for model, color in colored
        if model.norms and model.flow
    ]
    if products:
        drawn["product"] = figures.product_norms_figure(products, width), figures.describe_product_norms(products)
    return {name: {"figure": figure.to_json(), "words": words} for name, (figure, words) in drawn.items()}


def _table(analyses: ScaleAnalyses) -> Table:
    """Tabulate all values of the trained and the scaled model."""

    def row(title: str, value: Callable[[ScaledModel], Cell]) -> list[Cell]:
        return [Cell(title), *map(value, analyses.variants)]

    def of_flow(title: str, cell: Callable[[GradientFlow], Cell]) -> list[Cell]:
        return row(title, lambda model: Cell("…") if model.flow is None else cell(model.flow))

    rows = [
        of_flow("½ after, characters", lambda flow: Cell(flow.describe_half_life(), flow.half_life_chars)),
        of_flow("1 % after, characters", lambda flow: Cell(flow.describe_horizon(), flow.horizon_chars)),
        of_flow(f"left at k = {FAR_BACK}", remaining_share),
        row("growth rate per step (first Lyapunov exponent), nats", lambda model: Cell(_exponent(model.exponent))),
    ]
    for i, gate in enumerate(analyses.gates):
        of = "W_hh" if len(analyses.gates) == 1 else f"gate {gate}"
        rows.append(row(f"{of}: spectral radius ρ", lambda model, i=i: number(model.spectra[i].radius, "{:.2f}")))
        rows.append(row(f"{of}: largest singular value", lambda model, i=i: number(model.spectra[i].norm, "{:.2f}")))
    places = _places(analyses)
    caption = f"In brackets 95 % intervals{places and f'; gradients measured at {places}'}"
    return Table(caption, ["", *(model.title for model in analyses.variants)], rows, sortable=False)
