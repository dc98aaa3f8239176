"""
What the knob does, measured: half-life, horizon, spectrum and first exponent of bundled networks with W_hh × g.

    python scripts/knob_effect.py            measure (many minutes) and keep the record in docs/knob_effect.json

Beside it what Pascanu et al. 2013 predict for the vanilla cell, with γ = 1 the largest slope of tanh: gradients vanish
if σ_max(W_hh) < 1/γ (sufficient); they explode only if σ_max(W_hh) > 1/γ (necessary). `knob_section` tells the record
as Markdown; `tails_section` tells, from what is kept beside the checkpoints, whether the tail of each network's curve
falls as its first Lyapunov exponent says.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from charrnn.checkpoint import CheckpointInfo, load
from charrnn.corpus import Corpus, read_text, tiny_shakespeare
from charrnn.gradient_flow import (
    first_crossing,
    gradient_flow,
    lyapunov,
    product_norms,
    scaled,
    spectra,
)
from scripts.tables import markdown_table

TURNED = ("rnn", "gru", "lstm")
KNOBS = (0.5, 0.7, 0.85, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6)
BELOW_ONE = 0.95  # of a knob that brings σ_max there, where the theory says that gradients vanish
POSITIONS_OF_PRODUCTS = 32
READ = 10_000  # characters of the validation text: the page's default text
CANDIDATE = {"rnn": "h", "gru": "n", "lstm": "g"}
Report = Callable[[str], None]


# ------------------------------------------------------------------------------------------------ the knob


def measure_knob(root: Path, text: str, report: Report) -> list[dict[str, Any]]:
    """One record for each network and position of the knob; of the vanilla net also one where σ_max is below 1."""
    rows = []
    for name in TURNED:
        checkpoint = load(root / name)
        ids = checkpoint.vocab.encode(text)
        own = {spectrum.gate: spectrum for spectrum in spectra(checkpoint.model)}
        below = [BELOW_ONE / own["h"].norm] if name == "rnn" else []
        for g in [*below, *KNOBS]:
            report(f"{name} × {g:.2f}")
            rows.append({"model": name, "g": round(g, 4)} | turned_to(checkpoint.model, g, ids))
    return rows


def turned_to(model: Any, g: float, ids: Sequence[int]) -> dict[str, Any]:
    """Everything that is told of one position of the knob; None where a level is never reached within 128 lags."""
    turned = scaled(model, g)
    flow, exponent = gradient_flow(turned, ids), lyapunov(turned, ids)
    norms = product_norms(turned, ids, positions=POSITIONS_OF_PRODUCTS)
    return {
        "half_life_chars": flow.half_life_chars,
        "half_life_band_chars": [first_crossing(flow.low, 0.5), first_crossing(flow.high, 0.5)],
        "horizon_chars": flow.horizon_chars,
        "horizon_band_chars": [first_crossing(flow.low, 0.01), first_crossing(flow.high, 0.01)],
        "exponent_nats": float(exponent.exponents[0]),
        "exponent_error_nats": float(exponent.errors[0]),
        "product_norm": [float(part[-1]) for part in (norms.low, norms.median, norms.high)],
        "spectra": {each.gate: {"radius": each.radius, "norm": each.norm} for each in spectra(turned)},
    }


def knob_section(rows: Sequence[dict[str, Any]]) -> str:
    """The section as Markdown: a table for each network, and what the theory says of the vanilla one."""
    told = ["## The knob: W_hh × g", _THEORY]
    for name in dict.fromkeys(row["model"] for row in rows):
        own = [row for row in rows if row["model"] == name]
        gate = CANDIDATE[name]
        of = "W_hh" if gate == "h" else f"W_h{gate}"
        heads = ["g", f"ρ({of})", f"σ_max({of})", "first exponent, nats a character", "half-life", "1 % left at"]
        heads += ["σ_max of 128 steps", *(["theory, and what happens"] if name == "rnn" else [])]
        table = markdown_table(heads, [_row(row, gate) for row in own])
        told += [f"### `{name}`", table, _reading(name, own)]
    return "\n\n".join(told)


_THEORY = """Half-life and horizon in characters: median over 512 positions, in brackets where the 10 % and the 90 %
curve cross. The exponent is positive where gradients grow. Pascanu et al. 2013 say of the vanilla net: σ_max(W_hh) < 1
suffices for the gradient to vanish, σ_max(W_hh) > 1 is necessary for it to explode. Of a gated cell they say nothing;
its tables show the recurrent weights of the candidate (n of the GRU, g of the LSTM), all gates were scaled."""


def _row(row: dict[str, Any], gate: str) -> list[str]:
    spectrum, exponent = row["spectra"][gate], row["exponent_nats"]
    low, median, high = row["product_norm"]
    cells = [
        f"{row['g']:.2f}",
        f"{spectrum['radius']:.2f}",
        f"{spectrum['norm']:.2f}",
        f"{exponent:+.3f} ± {row['exponent_error_nats']:.3f}".replace("-", "−"),
        _banded(row["half_life_chars"], row["half_life_band_chars"]),
        _banded(row["horizon_chars"], row["horizon_band_chars"]),
        f"{median:.1e} ({low:.0e} – {high:.0e})",
    ]
    return cells + ([verdict(spectrum["norm"], exponent, row["exponent_error_nats"])] if gate == "h" else [])


def verdict(norm: float, exponent: float, error: float) -> str:
    """What the theory says of a vanilla net with this σ_max, and whether that is what happened."""
    happens = "vanishes" if exponent < -2 * error else "explodes" if exponent > 2 * error else "neither, within 2 SE"
    if norm < 1:
        return f"must vanish; {happens}: {'agrees' if happens == 'vanishes' else 'DISAGREES'}"
    return f"may explode; {happens}"


def _banded(value: float | None, band: Sequence[float | None]) -> str:
    low, high = ("> 128" if part is None else f"{part:.1f}" for part in band)
    return f"{'> 128' if value is None else f'{value:.1f}'} ({low} – {high})"


def turning_point(rows: Sequence[dict[str, Any]]) -> float | None:
    """The g at which the first exponent passes 0, between the positions measured; None where it does not."""
    for one, other in zip(rows, rows[1:], strict=False):
        before, after = one["exponent_nats"], other["exponent_nats"]
        if before < 0 <= after:
            return one["g"] + (other["g"] - one["g"]) * before / (before - after)
    return None


def _reading(name: str, rows: Sequence[dict[str, Any]]) -> str:
    at, last = turning_point(rows), rows[-1]
    trained = next(row for row in rows if row["g"] == 1)
    said = "The exponent stays below 0 at every g measured" if at is None else f"The exponent passes 0 at g = {at:.2f}"
    halves = f"half-life {_banded(trained['half_life_chars'], trained['half_life_band_chars'])} as trained, "
    halves += f"{_banded(last['half_life_chars'], last['half_life_band_chars'])} at g = {last['g']:g}"
    told = f"{said}; {halves}."
    if name != "rnn":
        return told
    bound = f"The theory's conditions part at σ_max = 1, which is at g = {1 / trained['spectra']['h']['norm']:.2f}"
    if at is None:
        return f"{told} {bound}; nothing here contradicts them."
    contradicted = any("DISAGREES" in verdict(row["spectra"]["h"]["norm"], row["exponent_nats"], 0) for row in rows)
    agree = "are contradicted" if contradicted else "are not contradicted"
    return (
        f"{told} {bound}: they {agree}, but between there and g = {at:.2f} they decide nothing. The gap is the factor "
        "1 − h² of every step: trained units stand near ±1, where tanh is flat."
    )


# ------------------------------------------------------------------------------------------------ tail and exponent


def tails(infos: Sequence[CheckpointInfo]) -> list[dict[str, Any]]:
    """Of each network with exponents in its analyses: the slope of its curve far back beside the first of them."""
    rows = []
    for info in infos:
        found = info.analyses.sections.get("gradient")
        if found is not None and "exponent" in found.facts:
            names = {
                "exponent_nats": "exponent",
                "exponent_error_nats": "exponent_error",
                "tail_slope_nats": "tail_slope",
            }
            rows.append({"model": info.name} | {name: found.facts[fact] for name, fact in names.items()})
    return rows


def tails_section(rows: Sequence[dict[str, Any]]) -> str:
    """The section as Markdown."""
    heads = ["network", "slope of the curve, lags 32–128", "first exponent ± SE", "apart, in SE", "within two"]
    body = [
        [
            f"`{row['model']}`",
            f"{row['tail_slope_nats']:+.4f}".replace("-", "−"),
            f"{row['exponent_nats']:+.4f} ± {row['exponent_error_nats']:.4f}".replace("-", "−"),
            f"{_apart(row):.1f}",
            "yes" if _apart(row) <= 2 else "**no**",
        ]
        for row in rows
    ]
    return "\n\n".join(
        ["## Does the tail fall as the first Lyapunov exponent says?", markdown_table(heads, body), _TAILS]
    )


_TAILS = """In nats a character, of the geometric mean over 512 positions. A gradient that has turned to the slowest
directions of the network falls by the first exponent. Where the curve falls faster, the loss points across them: the
network could carry a gradient that far, but what this loss asks of the past is not stored where it would last."""


def _apart(row: dict[str, Any]) -> float:
    return abs(row["tail_slope_nats"] - row["exponent_nats"]) / row["exponent_error_nats"]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=Path, default=REPOSITORY / "checkpoints", help="the folder of networks")
    parser.add_argument("--data", type=Path, help="the text they were trained on (default: Tiny Shakespeare)")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "knob_effect.json", help="(%(default)s)")
    options = parser.parse_args(arguments)
    try:
        text = tiny_shakespeare() if options.data is None else read_text(options.data)
        val_ids = Corpus.from_text(text).val_ids[:READ]
        text = Corpus.from_text(text).vocab.decode(val_ids.tolist())
        rows = measure_knob(options.checkpoints, text, lambda said: print(said, file=sys.stderr, flush=True))
        options.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
