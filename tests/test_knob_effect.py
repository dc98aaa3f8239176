"""What the report says of the knob is what was measured, and where theory and measurement part it says so."""

import json
import math
from typing import Any

import numpy as np
import pytest

from charrnn.checkpoint import load
from charrnn.gradient_flow import first_crossing, gradient_flow, lyapunov, scaled
from scripts import knob_effect
from scripts.knob_effect import knob_section, main, tails_section, turning_point, verdict
from tests.trained import TEXT, train_all


def row(model: str = "rnn", g: float = 1.0, exponent: float = -0.4, norm: float = 9.8, **more: Any) -> dict[str, Any]:
    gate = knob_effect.CANDIDATE[model]
    measured: dict[str, Any] = {
        "half_life_chars": 2.0,
        "half_life_band_chars": [1.0, 5.5],
        "horizon_chars": None,
        "horizon_band_chars": [30.0, None],
        "exponent_nats": exponent,
        "exponent_error_nats": 0.01,
        "product_norm": [1e-22, 4e-21, 2e-19],
        "spectra": {gate: {"radius": 6.2, "norm": norm}},
    }
    return {"model": model, "g": g} | measured | more


def test_a_record_holds_what_the_scaled_network_does(tmp_path, monkeypatch):
    folder = train_all(tmp_path / "nets")
    monkeypatch.setattr(knob_effect, "KNOBS", (1.0, 1.4))
    monkeypatch.setattr(knob_effect, "TURNED", ("rnn", "gru"))
    (tmp_path / "text").write_text(TEXT * 2, encoding="utf-8")
    out = tmp_path / "knob.json"
    assert main(["--checkpoints", str(folder), "--data", str(tmp_path / "text"), "--out", str(out)]) == 0
    rows = json.loads(out.read_text(encoding="utf-8"))
    assert [(row["model"], row["g"]) for row in rows[1:]] == [(name, g) for name in ("rnn", "gru") for g in (1.0, 1.4)]
    assert rows[0]["spectra"]["h"]["norm"] == pytest.approx(0.95, rel=1e-3)
    checkpoint = load(folder / "gru")
    text = (TEXT * 2)[int(0.9 * len(TEXT * 2)) :][:10_000]
    model, ids = scaled(checkpoint.model, 1.4), checkpoint.vocab.encode(text)
    flow, exponent = gradient_flow(model, ids), lyapunov(model, ids)
    (found,) = [row for row in rows if row["model"] == "gru" and row["g"] == 1.4]
    assert found["half_life_chars"] == flow.half_life_chars
    assert found["horizon_band_chars"] == [first_crossing(flow.low, 0.01), first_crossing(flow.high, 0.01)]
    assert (found["exponent_nats"], found["exponent_error_nats"]) == (exponent.exponents[0], exponent.errors[0])
    W = 1.4 * checkpoint.model.state_dict()["cell.W_hh.weight"].double().numpy()[-16:]
    assert found["spectra"]["n"]["norm"] == pytest.approx(np.linalg.svd(W)[1][0], rel=1e-5)
    assert "### `gru`" in knob_section(rows)


def test_the_theory_is_held_against_what_happens():
    assert verdict(0.95, -2.0, 0.01) == "must vanish; vanishes: agrees"
    assert verdict(0.95, +0.5, 0.01) == "must vanish; explodes: DISAGREES"
    assert verdict(9.8, -0.4, 0.01) == "may explode; vanishes"
    assert verdict(9.8, 0.03, 0.01) == "may explode; explodes"
    assert verdict(9.8, 0.015, 0.01) == "may explode; neither, within 2 SE"
    said = knob_section([row(g=1.0), row(g=1.4, exponent=0.02, norm=13.7)])
    assert "passes 0 at g = 1.38" in said and "at g = 0.10: they are not contradicted" in said
    assert "are contradicted" in knob_section([row(g=0.1, norm=0.9, exponent=0.5), row(), row(g=1.4, exponent=0.02)])
    assert "stays below 0 at every g" in knob_section([row("lstm"), row("lstm", g=1.6, exponent=-0.01)])


def test_a_row_has_its_bands_and_says_where_nothing_is_reached():
    table = knob_section([row("gru", g=1.0)]).splitlines()
    (line,) = [line for line in table if line.startswith("| 1.00")]
    assert line == (
        "| 1.00 | 6.20 | 9.80 | −0.400 ± 0.010 | 2.0 (1.0 – 5.5) | > 128 (30.0 – > 128) | 4.0e-21 (1e-22 – 2e-19) |"
    )


def test_the_turning_point_lies_on_the_line_between_two_positions():
    assert turning_point([row(g=1.0, exponent=-0.3), row(g=1.2, exponent=0.1)]) == pytest.approx(1.15)
    assert turning_point([row(g=1.0, exponent=-0.3), row(g=1.2, exponent=-0.1)]) is None


def test_a_tail_is_within_two_errors_or_it_is_said():
    rows = [
        {"model": "rnn", "tail_slope_nats": -0.396, "exponent_nats": -0.392, "exponent_error_nats": 0.004},
        {"model": "lstm", "tail_slope_nats": -0.09, "exponent_nats": -0.02, "exponent_error_nats": 0.001},
    ]
    said = tails_section(rows)
    assert "| `rnn` | −0.3960 | −0.3920 ± 0.0040 | 1.0 | yes |" in said
    assert "| `lstm` | −0.0900 | −0.0200 ± 0.0010 | 70.0 | **no** |" in said
    assert math.isclose(knob_effect._apart(rows[1]), 70)


def test_what_cannot_be_measured_is_said(tmp_path, capsys):
    assert main(["--checkpoints", str(tmp_path), "--data", str(tmp_path / "none"), "--out", str(tmp_path / "o")]) == 2
    assert str(tmp_path / "none") in capsys.readouterr().err
