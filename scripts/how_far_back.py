"""
How far back the bundled networks reach: docs/how_far_back.md, made of what was measured and of nothing else.

    python scripts/how_far_back.py              write it, from the checkpoints' analyses.json and docs/how_far_back.json
    python scripts/how_far_back.py --check      exit code 1 where it is not what this would write
    python scripts/how_far_back.py --knob       turn the knob of the recurrent networks first (minutes), and keep that
    python scripts/how_far_back.py --exponents  measure their Lyapunov exponents first (minutes), and keep those
    python scripts/how_far_back.py --further    follow their gradients over a thousand characters first, and keep that

What stands in analyses.json is measured by `python scripts/analyse.py`. docs/how_far_back.json is
{"machine", "data_sha256", "settings", "further": [row, …], "exponents": [row, …], "knob": [row, …]}. A row of `further`
is a model and how the geometric mean of its gradient falls, in nats a character, range by range of lags (null: too
little is left to tell).

A row of `exponents` is a model, a factor g of W_hh, and the first Lyapunov exponent with W_hh × g in nats a character,
its standard error and the warm-up in characters: at every factor of `knob`, and where the exponent passes 0 halfway
between two of them, again and again, until it cannot be told from 0 or the two are within 1 % of each other.

A row of `knob` is a model and a factor g of W_hh: half_life_chars of the median gradient and, as _low and _high, of its
10th and 90th percentile over positions (null: never within the lags), horizon_chars (1 %), sigma_max and radius of the
scaled W_hh (null where gates or layer norm stand between it and the Jacobian); gates: by name ρ and σ_max of each
gate's recurrent weights; product: the largest singular value of the product of 128 step Jacobians, 10th percentile,
median and 90th over 32 positions. Of the plain network there is also the g that brings σ_max to 0.95.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from charrnn import command

command.begin(__name__)

import torch

from charrnn.checkpoint import load
from charrnn.checkpoint.safe_file import require_result_file, write_bytes
from charrnn.corpus import Corpus, tiny_shakespeare
from charrnn.gradient_flow import first_crossing, gradient_flow, lyapunov, product_norms, scaled, spectra, tail_slope
from charrnn.model import CharRNN
from charrnn.step_profile import machine
from scripts.far_back import FURTHER, LAGS, SECTIONS, TURNED, Measured, crossing, read_record
from scripts.flags import THREADS
from scripts.study import rounded

FACTORS = (0.5, 0.7, 0.85, 1.0, 1.2, 1.4, 1.6)
BELOW_ONE = 0.95  # σ_max where the theory says that the gradient must vanish
POSITIONS_OF_PRODUCTS = 32
LEAST_NORM = 1e-140  # its square is still a number
CLOSE = 0.01  # of a factor: where its exponent passes 0 is not looked for more closely
KINDS = ("further", "exponents", "knob")
SETTINGS = {"characters": 16_384, "positions": 512, "lags": LAGS}


# ------------------------------------------------------------------------------------------------ measurements


def turn(name: str, text: str) -> Iterator[dict[str, Any]]:
    """What the knob does to a network: a row for each factor."""
    trained, ids = read(name, text)
    for g in factors(trained):
        model = scaled(trained, g)
        flow = gradient_flow(model, ids, SETTINGS["lags"], SETTINGS["positions"])
        gates, spectrum = spectra(model), spectra(model)[0]
        norms = product_norms(model, ids, SETTINGS["lags"], POSITIONS_OF_PRODUCTS)
        yield {
            "model": name,
            "g": g,
            "half_life_chars": flow.half_life_chars,
            "half_life_low": first_crossing(flow.low, 0.5),
            "half_life_high": first_crossing(flow.high, 0.5),
            "horizon_chars": flow.horizon_chars,
            "sigma_max": spectrum.norm if spectrum.bounds else None,
            "radius": spectrum.radius if spectrum.bounds else None,
            "gates": {gate.gate: [gate.radius, gate.norm] for gate in gates},
            "product": [float(part[-1]) for part in (norms.low, norms.median, norms.high)],
        }


def factors(trained: CharRNN) -> tuple[float, ...]:
    """The positions of the knob; of the plain network there is one more."""
    own = spectra(trained)[0]
    return (*((BELOW_ONE / own.norm,) if own.bounds else ()), *FACTORS)


def grow(name: str, text: str) -> Iterator[dict[str, Any]]:
    """The first Lyapunov exponent of a network at each factor, and more closely where it passes 0."""
    trained, ids = read(name, text)
    rows = [_exponent(name, trained, ids, g) for g in factors(trained)]
    yield from rows
    while between := crossing(rows):
        low, high = between
        if high - low <= CLOSE * low:
            return
        row = _exponent(name, trained, ids, round((low + high) / 2, 4))
        if abs(row["exponent"]) <= 2 * row["exponent_error"]:
            return
        rows.append(row)
        yield row


def _exponent(name: str, trained: CharRNN, ids: Sequence[int], g: float) -> dict[str, Any]:
    first = lyapunov(scaled(trained, g), ids)
    found = {"exponent": float(first.exponents[0]), "exponent_error": float(first.errors[0])}
    return {"model": name, "g": g, **found, "warm_up": first.warm_up}


def follow(name: str, text: str) -> Iterator[dict[str, Any]]:
    """How the curve of a network falls, range by range of lags: one row."""
    model, ids = read(name, text)
    flow = gradient_flow(model, ids, FURTHER[-1][1], SETTINGS["positions"])
    told = [tail_slope(flow, *lags) if flow.geometric_mean[lags[1]] > LEAST_NORM else None for lags in FURTHER]
    yield {"model": name, "slopes": told}


def read(name: str, text: str) -> tuple[CharRNN, list[int]]:
    """A bundled network and the held-out text that everything here is measured on."""
    trained = load(REPOSITORY / "checkpoints" / name)
    if not isinstance(trained.model, CharRNN):
        raise ValueError(f"{name} is no recurrent network")
    return trained.model, Corpus.from_text(text, trained.vocab).val_ids[: SETTINGS["characters"]].tolist()


def keep(path: Path, kind: str, names: Sequence[str], measure: Callable[[str, str], Iterator[dict[str, Any]]]) -> None:
    """Measure the rows of one kind and write the file whole, the other kinds as they were."""
    require_result_file(path)  # now, not after minutes
    kept = read_record(path) if path.exists() else {}
    text, rows = tiny_shakespeare(), []
    for name in names:
        for row in measure(name, text):
            rows.append(rounded(row))
            print(json.dumps(rows[-1]), flush=True)
    heads = {"machine": machine(), "data_sha256": Corpus.from_text(text).sha256, "settings": SETTINGS}
    lists = {each: kept.get(each, []) for each in KINDS} | {kind: rows}
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in heads.items()]
    lines += [
        f' "{key}": [\n' + ",\n".join(f"  {json.dumps(row)}" for row in each) + "\n ]" for key, each in lists.items()
    ]
    write_bytes(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode("utf-8"))


# ------------------------------------------------------------------------------------------------ the page


def page(measured: Measured) -> str:
    """The whole file."""
    head = (
        "# How far back\n\nWritten by `python scripts/how_far_back.py` from what `scripts/analyse.py` keeps beside "
        "each checkpoint and from `docs/how_far_back.json`; nothing here is typed by hand. The page's tab *Gradients* "
        "shows the curves."
    )
    return "\n\n".join([head, *(f"## {title}\n\n{make(measured)}" for title, make in SECTIONS.items())]) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit code 1 where it is stale")
    parser.add_argument("--knob", action="store_true", help="turn the knob of the recurrent networks first")
    parser.add_argument("--exponents", action="store_true", help="measure their Lyapunov exponents first")
    parser.add_argument("--further", action="store_true", help="follow their gradients further first")
    parser.add_argument("--threads", type=THREADS, help="CPU threads (default: all)")
    options = parser.parse_args(arguments)
    if options.check and (options.knob or options.further):
        parser.error("--check changes nothing: leave --knob and --further out")
    if options.threads:
        torch.set_num_threads(options.threads)
    docs = REPOSITORY / "docs"
    try:
        measured = Measured(REPOSITORY)
        if options.further:
            keep(docs / "how_far_back.json", "further", [info.name for info in measured.recurrent], follow)
        if options.exponents:
            keep(docs / "how_far_back.json", "exponents", TURNED, grow)
        if options.knob:
            keep(docs / "how_far_back.json", "knob", TURNED, turn)
        text, path = page(measured), docs / "how_far_back.md"
        if not options.check:
            require_result_file(path)
            write_bytes(path, text.encode("utf-8"))
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if options.check and (not path.exists() or path.read_text(encoding="utf-8") != text):
        print(f"{path.name} is not what python scripts/how_far_back.py writes", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
