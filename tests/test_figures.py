"""Figures and alt texts match their records; colors have contrast."""

import itertools
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import charrnn
from charrnn.figures import (
    FLOOR,
    Curve,
    Run,
    Stroke,
    context_of,
    describe_gradient_flow,
    describe_profile,
    describe_step_cost,
    gradient_flow_figure,
    in_light_colors,
    profile_figure,
    step_cost_figure,
    strokes,
    text_of,
    training_curves_figure,
    training_curves_sentences,
)
from charrnn.figures.axes import LINE_HEIGHT, spread_labels
from charrnn.figures.palette import AREA_OPACITY, BLUE, DASHES, FIXED_STYLES, LIGHT, MODELS, SPARSE_DOTS, mixed
from charrnn.figures.training_curves import HEIGHT
from charrnn.gradient_flow import GradientFlow
from charrnn.metrics import Metrics, bits_per_char

THEME = Path(charrnn.__file__).parent / "ui" / "components" / "theme.css"
LINE = Stroke(BLUE, "solid")


def theme_colors() -> list[dict[str, str]]:
    """Return the colors of the stylesheet by name: light, dark."""
    themes = [dict(re.findall(r"--cr-([\w-]+): (#\w{6});", part)) for part in THEME.read_text().split("body.dark")]
    return [colors | {"model-1": colors["minus"]} for colors in themes]


both_themes = pytest.mark.parametrize("colors", theme_colors(), ids=["light", "dark"])


def decay(rate: float, max_lag: int = 128, sees: int | None = None) -> GradientFlow:
    """Return a gradient that shrinks by `rate` per lag and is 0 from lag `sees` on."""
    lags = np.arange(max_lag + 1)
    median = np.where(lags < (sees or max_lag + 1), rate ** lags.astype(float), 0.0)
    half, horizon = (math.log(level) / math.log(rate) if rate < 1 else None for level in (0.5, 0.01))
    within = lambda lag: sees if lag is None or lag > (sees or max_lag) else lag  # noqa: E731
    return GradientFlow(lags, median, median / 3, median * 3, median * 0.9, 512, within(half), within(horizon))


def curves_of(*rates: float) -> list[Curve]:
    names = [f"net {i}" for i in range(len(rates))]
    lines = strokes(names)
    return [Curve(name, decay(rate), lines[name]) for name, rate in zip(names, rates, strict=True)]


def trace(figure: Any, name: str) -> Any:
    (found,) = [trace for trace in figure.data if trace.name == name]
    return found


def texts(figure: Any) -> list[str]:
    return [annotation.text for annotation in figure.layout.annotations]


def test_gradient_curve_is_median_down_to_floor():
    curves = curves_of(0.6, 0.7, 0.8, 0.9, 0.95)
    figure = gradient_flow_figure(curves)
    for curve in curves:
        drawn = trace(figure, curve.title)
        assert (drawn.line.color, drawn.line.dash) == curve.stroke
        for value, shown in zip(curve.flow.median, drawn.y, strict=True):
            assert shown == (value if value >= FLOOR else None)


def test_gradient_curve_of_transformer_ends_at_context():
    flow = decay(0.99, sees=16)
    figure: Any = gradient_flow_figure([Curve("MiniGPT", flow, LINE)])
    shown = trace(figure, "MiniGPT").y
    assert all(value is not None for value in shown[:16]) and set(shown[16:]) == {None}
    assert context_of(flow) == 16 and context_of(decay(0.99)) is None
    description = describe_gradient_flow([Curve("MiniGPT", flow, LINE)], ["a text"])
    assert "MiniGPT: more than 15; it sees only the last 16 characters." in description
    assert not any(trace.marker.symbol == "diamond" for trace in figure.data if trace.mode == "markers")


def test_half_life_and_horizon_are_points_on_curves():
    curves = curves_of(0.6, 0.7, 0.8, 0.9, 0.95)
    figure: Any = gradient_flow_figure(curves)
    points = {(trace.x[0], trace.y[0], trace.marker.color) for trace in figure.data if trace.mode == "markers"}
    expected = [((c.flow.half_life_chars, 0.5), (c.flow.horizon_chars, 0.01)) for c in curves]
    assert points == {(*p, c.stroke.color) for c, two in zip(curves, expected, strict=True) for p in two}


def test_letters_are_drawn_at_their_lags():
    flow = decay(0.7)
    figure: Any = gradient_flow_figure([Curve("net", flow, LINE)], letters="x" * 200 + "to be,\n<or")
    (letters,) = [trace for trace in figure.data if trace.mode == "text"]
    assert letters.text[:6] == ("r", "o", "&lt;", "⏎", ",", "e") and (letters.x0, letters.dx) == (0, 1)
    assert len(letters.text) == len(letters.y) == len(flow.lags)
    assert figure.layout.xaxis.range == (flow.lags[-1], 0), "the past is on the left, as in a text"


def test_selected_model_has_band_mean_and_untrained():
    curves = curves_of(0.7, 0.8, 0.9)
    plain: Any = gradient_flow_figure(curves)
    assert not any(trace.fill for trace in plain.data)
    figure: Any = gradient_flow_figure(curves, picked=curves[1], untrained=decay(0.85))
    (band,) = [trace for trace in figure.data if trace.fill]
    assert max(y for x, y in zip(band.x, band.y, strict=True) if x == 5) == pytest.approx(curves[1].flow.high[5])
    assert (band.fillcolor, band.opacity) == (MODELS[1], AREA_OPACITY)
    mean = trace(figure, "net 1, geometric mean")
    assert mean.y[3] == curves[1].flow.geometric_mean[3] and mean.line.width < trace(figure, "net 1").line.width
    assert trace(figure, "untrained").line.dash == SPARSE_DOTS


def test_gradient_above_its_horizon_again_is_described():
    flow = decay(0.9)
    again = np.where(flow.lags == 100, 0.02, flow.median)
    description = describe_gradient_flow([Curve("net", replace(flow, median=again), LINE)], ["a text"])
    assert f"net: {flow.describe_horizon()}, but more than 1 % is left again 100 characters back." in description
    assert "again" not in describe_gradient_flow([Curve("net", flow, LINE)], ["a text"])


def test_exploding_gradient_has_no_half_life():
    record = decay(1.05)
    curve = Curve("net", record, LINE)
    figure: Any = gradient_flow_figure([curve], picked=curve, untrained=decay(0.9))
    assert not any(trace.mode == "markers" for trace in figure.data)
    lowest, highest = figure.layout.yaxis.range
    assert highest > math.log10(record.high[-1]) and lowest <= math.log10(decay(0.9).median[-1])
    assert f"net: more than {record.lags[-1]}." in describe_gradient_flow([curve], ["a text"])


def test_legend_names_each_line_once():
    curves = curves_of(0.7, 0.8)
    figure: Any = gradient_flow_figure(curves, picked=curves[0], untrained=decay(0.9))
    assert "bdata" not in figure.to_json()  # plain numbers instead of base64
    listed = [trace.name for trace in figure.data if trace.showlegend is not False]
    assert figure.layout.showlegend and listed == ["untrained", "net 0", "net 1", "net 0, geometric mean"]
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"


def test_names_are_escaped_in_figures():
    curve = Curve("<img src=x> & co", decay(0.7), LINE)
    figure = str(gradient_flow_figure([curve]).to_json())
    run = Run("<img src=x> & co", [Metrics(0, 4, 4, 0, 1, 0), Metrics(9, 2, 2, 1, 1, 0)], LINE)
    curves = str(training_curves_figure([run]).to_json())
    record = {"parts": ["<b>"], "rows": [{"name": "<img>", "median_ms": 1.0, "parts": {"<b>": 1.0}}]}
    bars = str(profile_figure(record).to_json())
    for drawn in (figure, curves, bars):
        assert "<img" not in drawn.replace("\\u003c", "<") and "&lt;img" in drawn.replace("\\u0026", "&")


def test_alt_text_has_sentences_of_each_model():
    curves = [*curves_of(0.5, 0.7), Curve("MiniGPT", decay(0.999, sees=100), LINE)]
    assert describe_gradient_flow(curves, ["a text", "a text", "another"]) == (
        "99 % of the learning signal is gone after this many characters. net 0: 6.6. net 1: 12.9. "
        "MiniGPT: more than 99; it sees only the last 100 characters. "
        "Measured at 512 places in a text. Measured at 512 places in another."
    )


@given(st.lists(st.floats(0, 400), min_size=1, max_size=12))
def test_end_labels_stay_apart_and_inside(heights: list[float]):
    placed = spread_labels(heights, 400)
    apart = min(LINE_HEIGHT, 400 / len(heights))
    by_height = [placed[i] for i in np.argsort(heights, kind="stable")]
    assert all(b - a >= apart - 1e-6 for a, b in itertools.pairwise(by_height))
    assert min(placed) >= apart / 2 - 1e-6 and max(placed) <= 400 - apart / 2 + 1e-6


def test_end_label_stays_level_with_room():
    assert spread_labels([50, 200, 300], 400) == [50, 200, 300]
    assert spread_labels([100, 100], 400) == [92, 108]


def linear(color: str) -> np.ndarray:
    """Convert #rrggbb to linear light."""
    channels = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG."""
    low, high = sorted(float(linear(color) @ [0.2126, 0.7152, 0.0722]) for color in (one, other))
    return (high + 0.05) / (low + 0.05)


# Linear light seen with all receptors, and without red, green or blue ones: Machado et al. 2009, severity 1.
EYES = [
    np.eye(3),
    np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
]


def oklab(light: np.ndarray) -> np.ndarray:
    """Convert to Oklab (Ottosson 2020): its distances match perceived differences."""
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    opponents = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return opponents @ np.cbrt(np.clip(cones @ light, 0, None))


MODEL_NAMES = [f"model-{i}" for i in range(1, 13)]


@both_themes
def test_model_colors_have_text_contrast(colors: dict[str, str]):
    for name in (*MODEL_NAMES, "ink", "quiet", "minus", "words"):
        assert contrast(colors[name], colors["paper"]) >= 4.5


@both_themes
def test_models_of_one_dash_differ_for_color_blind(colors: dict[str, str]):
    for one, other in itertools.combinations(range(len(DASHES)), 2):
        if DASHES[one] != DASHES[other]:
            continue
        for eye in EYES:
            seen = [oklab(np.clip(eye @ linear(colors[MODEL_NAMES[i]]), 0, 1)) for i in (one, other)]
            assert np.linalg.norm(seen[0] - seen[1]) > 0.07, (one, other)


def test_twelve_models_have_twelve_lines():
    lines = strokes([*FIXED_STYLES, "my own"])
    assert len(set(lines.values())) == 12
    assert strokes(["a", "lstm", "b"])["lstm"] == lines["lstm"]
    four = [lines[name] for name in ("rnn", "gru", "lstm", "minigpt")]
    assert len({line.dash for line in four}) == 4
    assert len(strokes([f"net {i}" for i in range(30)])) == 30


def test_exported_colors_are_light_theme():
    light = theme_colors()[0]
    assert {name: light[name] for name in LIGHT} == LIGHT
    curves = curves_of(0.7, 0.8)
    figure = gradient_flow_figure(curves, picked=curves[0])
    exported = in_light_colors(figure)
    assert trace(exported, "net 1").line.color == light["model-2"] and "var(" not in str(exported.to_json())
    assert trace(figure, "net 1").line.color == MODELS[1]  # unchanged
    mixed_color: Any = in_light_colors(figure.update_layout(font_color=mixed(MODELS[1], 0.4)))
    assert mixed_color.layout.font.color == "#dab699"  # 40 % of #a8500a, the rest #fbfaf8


def run(title: str, end: float, steps: int = 200) -> Run:
    points = [
        Metrics(step, end + 2 / (1 + step), end + 0.1 + 2 / (1 + step), 0.0 if step == 0 else 3 / step, 1e-3, step)
        for step in range(0, steps + 1, 50)
    ]
    return Run(title, points, strokes([title])[title])


@pytest.mark.parametrize("unit", ["nats", "bits"])
def test_training_curves_match_history(unit: str):
    runs = [run("rnn", 1.4), run("gru", 1.3)]
    figure = training_curves_figure(runs, unit=unit)
    to_unit = bits_per_char if unit == "bits" else float
    for one in runs:
        steps = tuple(point.step for point in one.history)
        validation, train, norm = (
            trace(figure, f"{one.title}, {part}") for part in ("validation", "train", "gradient norm")
        )
        assert validation.x == train.x == norm.x == steps
        assert validation.y == tuple(to_unit(point.val_loss_nats) for point in one.history)
        assert train.y == tuple(to_unit(point.train_loss_nats) for point in one.history)
        assert norm.y == (None, *(point.grad_norm for point in one.history[1:]))  # a log axis has no 0
        assert train.line.width < validation.line.width and validation.line.dash == one.stroke.dash


def test_training_curves_draw_selected_parts_only():
    runs = [run("rnn", 1.4)]
    for parts in (["train"], ["gradient norm"], ["train", "validation"]):
        figure: Any = training_curves_figure(runs, parts=parts)
        assert {trace.name for trace in figure.data} == {f"rnn, {part}" for part in parts}
    norm: Any = training_curves_figure(runs, parts=["gradient norm"]).layout
    assert norm.yaxis2.domain == (0, 1)


def test_labels_of_close_curves_are_one_line_apart():
    layout: Any = training_curves_figure([run("rnn", 1.4), run("gru", 1.395)], parts=["validation"]).layout
    pixels = HEIGHT - layout.margin.t - layout.margin.b
    low, high = layout.yaxis.range
    above, below = ((high - label.y) / (high - low) * pixels + label.ay for label in layout.annotations)
    assert below - above == pytest.approx(LINE_HEIGHT)


def test_late_span_cuts_off_beginning():
    runs = [run("rnn", 1.4), run("gru", 1.3)]
    late: Any = training_curves_figure(runs, span="late").layout
    whole: Any = training_curves_figure(runs, span="whole").layout
    assert late.yaxis.range[1] < 2 < 3.3 < whole.yaxis.range[1]
    assert late.yaxis.range[0] < runs[1].history[-1].train_loss_nats


def test_training_curve_labels_show_loss():
    runs = [run("rnn", 1.4), run("gru", 1.3), run("short", 1.35, steps=100)]
    figure: Any = training_curves_figure(runs, parts=["train", "validation"])
    for one in runs:
        assert f"<b>{one.title}</b> {one.history[-1].val_loss_nats:.3f}" in texts(figure)
    narrow: Any = training_curves_figure(runs, width=358)
    listed = [trace.name for trace in narrow.data if trace.showlegend]
    assert narrow.layout.showlegend and not figure.layout.showlegend
    assert not texts(narrow) and listed == [f"{one.title}, validation" for one in runs]


def test_empty_history_draws_nothing():
    empty = Run("empty", [], LINE)
    assert not training_curves_figure([empty]).data and training_curves_sentences([empty]) == []
    training_curves_figure([empty, run("rnn", 1.4)], width=358)


def test_alt_text_of_training_curves_has_losses():
    assert text_of(training_curves_sentences([run("rnn", 1.4)])) == (
        "rnn: from 3.50 nats per character to training 1.410, validation 1.510 at step 200."
    )
    assert "2.178" in text_of(training_curves_sentences([run("rnn", 1.4)], "bits"))


PROFILE = {
    "machine": {"processor": "a processor", "threads": 1, "torch": "2"},
    **{"batch": 64, "seq_len": 128, "hidden_dim": 256},
    "parts": ["input product", "loop over T", "blocks", "backward: loop over T", "the rest"],
    "rows": [
        {
            "name": "plain loop",
            "median_ms": 100.0,
            "loop_share": 0.9,
            "parts": {"input product": 5.0, "loop over T": 40.0, "backward: loop over T": 50.0, "the rest": 5.0},
        },
        {
            "name": "MiniGPT",
            "median_ms": 900.0,
            "loop_share": 0.0,
            "parts": {"input product": 1.0, "blocks": 800.0, "the rest": 99.0},
        },
    ],
    "against_T": [
        {"name": "plain loop", "seq_len": [32, 128, 512], "median_ms": [100.0, 390.0, 1600.0]},
        {"name": "MiniGPT", "seq_len": [32, 128, 512], "median_ms": [900.0, 950.0, 1000.0]},
    ],
}


def test_profile_bars_are_as_long_as_their_steps():
    figure: Any = profile_figure(PROFILE)
    assert [bar.name for bar in figure.data] == PROFILE["parts"]
    for row, length in enumerate((100, 900)):
        assert sum(bar.x[row] or 0 for bar in figure.data) == length
    assert figure.layout.xaxis.range == (0, 900) and tuple(trace(figure, "loop over T").x) == (40.0, None)
    assert trace(figure, "blocks").text == ("", "blocks 89\u00a0%")
    assert [*trace(figure, "loop over T").customdata[0]] == ["plain loop", 40.0]
    hatched = trace(figure, "backward: loop over T").marker
    assert hatched.pattern.shape == "/"  # not by color alone
    assert hatched.pattern.bgcolor == hatched.color != hatched.pattern.fgcolor
    assert {"<b>plain loop</b> 100 ms", "<b>MiniGPT</b> 900 ms"} <= set(texts(figure))


def test_cost_against_length_matches_record():
    figure: Any = step_cost_figure(PROFILE)
    for line in PROFILE["against_T"]:
        drawn = trace(figure, line["name"])
        assert list(drawn.x) == line["seq_len"] and list(drawn.y) == line["median_ms"]
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"
    assert set(texts(figure)) == {"<b>plain loop</b>", "<b>MiniGPT</b>"}


def test_profile_is_described_by_what_runs_in_parallel():
    assert describe_profile(PROFILE) == (
        "A step takes 100 ms with plain loop and 900 ms with MiniGPT, 9 times as long on 1 thread. But 90\u00a0% of a "
        "recurrent step is the loop over T: each character waits for the one before it. MiniGPT has no such loop, "
        "it computes all characters at once: hardware with thousands of parallel lanes, a GPU, can use that; a few "
        "threads cannot."
    )
    without = {**PROFILE, "rows": PROFILE["rows"][:1]}
    assert describe_profile(without).startswith("plain loop takes 100 ms a step. 90\u00a0% of a recurrent step")
    words = "From 32 to 512 characters in a window a step gets slower by: plain loop 16.0×, MiniGPT 1.1×."
    assert describe_step_cost(PROFILE) == words
