"""The sections of docs/how_far_back.md: each a function of what was measured; `scripts/how_far_back.py` writes it."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from charrnn.checkpoint import CheckpointInfo, describe
from charrnn.findings import Findings
from charrnn.memory import MemoryUsed, memory_of
from charrnn.neurons import from_findings
from charrnn.training import RECIPES
from scripts import far_back_units
from scripts.tables import markdown_table

TURNED = ("rnn", "rnn-layernorm", "gru", "lstm")  # by the knob
LAGS = 128
FURTHER = ((32, 128), (128, 256), (256, 512), (512, 1024))  # ranges of lags
FAR = 50  # characters: where the lab sheet says that gradients vanish


def read_record(path: Path) -> dict[str, Any]:
    """What docs/how_far_back.json holds. Raises ValueError for a file that is not one."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record, dict) or not all(isinstance(record.get(kind), list) for kind in ("further", "knob")):
            raise ValueError("it was written by another program or version")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read ({error}): mend it, or remove it") from None
    return record


@dataclass(frozen=True)
class Measured:
    """Everything the page is made of. Raises OSError or ValueError where a file or a section is missing."""

    root: Path

    @cached_property
    def infos(self) -> list[CheckpointInfo]:
        """The bundled checkpoints."""
        return [describe(self.root / "checkpoints" / name) for name in RECIPES]

    @property
    def recurrent(self) -> list[CheckpointInfo]:
        """Those that carry a state."""
        return [info for info in self.infos if info.cell != "minigpt"]

    @cached_property
    def record(self) -> dict[str, Any]:
        """What docs/how_far_back.json holds."""
        return read_record(self.root / "docs" / "how_far_back.json")

    @property
    def knob(self) -> list[dict[str, Any]]:
        """The rows of the knob."""
        return self.record["knob"]

    @property
    def exponents(self) -> list[dict[str, Any]]:
        """The rows of the Lyapunov exponents: at the factors of the knob, and at others."""
        return self.record.get("exponents", [])

    @property
    def further(self) -> dict[str, list[float | None]]:
        """How the curve of each network falls, by range of lags, in nats a character; None where too little is left."""
        return {row["model"]: row["slopes"] for row in self.record["further"]}

    def section(self, info: CheckpointInfo, name: str) -> Findings:
        """A section of what is kept beside a checkpoint."""
        if name not in info.analyses.sections:
            reasons = "; ".join(info.analyses.refused) or f"it has no section {name}"
            raise ValueError(f"{info.folder}: {reasons}; run python scripts/analyse.py {info.folder}")
        return info.analyses.sections[name]

    def gradient(self, name: str) -> Findings:
        """What is kept of a network's gradient."""
        return self.section(self.info(name), "gradient")

    def memory(self, name: str) -> MemoryUsed:
        """What is kept of the memory it uses."""
        return memory_of(self.section(self.info(name), "memory"))

    def turned(self, name: str) -> list[dict[str, Any]]:
        """The rows of one network by factor, with their exponents."""
        exponent = {row["g"]: row for row in self.exponents if row["model"] == name}
        rows = sorted((row for row in self.knob if row["model"] == name), key=lambda row: row["g"])
        missing = [row["g"] for row in rows if row["g"] not in exponent]
        if missing:
            raise ValueError(f"no exponent of {name} at {missing}; run python scripts/how_far_back.py --exponents")
        return [row | exponent[row["g"]] for row in rows]

    def info(self, name: str) -> CheckpointInfo:
        """What a bundled checkpoint says of itself."""
        return next(info for info in self.infos if info.name == name)


def half_lives(measured: Measured) -> str:
    """Half-life, horizon and exponent of every network."""
    body = []
    for info in measured.infos:
        found = measured.section(info, "gradient")
        median = found.numbers("curve", "median", 0, fewest=FAR + 1)
        exponent = "–"
        if "exponent" in found.facts:
            exponent = f"{found.number('exponent'):+.4f} ± {found.number('exponent_error'):.4f}"
        slopes = [nats(slope) for slope in measured.further.get(info.name, [None] * len(FURTHER))]
        lengths = [found.number_or_none(fact) for fact in ("half_life_chars", "horizon_chars")]
        row = [chars(length) for length in lengths]
        body.append((lengths[1] or math.inf, [f"`{info.name}`", *row, f"{median[FAR]:.0e}", exponent, *slopes]))
    ranges = [f"{first}–{last}" for first, last in FURTHER]
    heads = ["network", "half-life", "1 % left at", f"left at k = {FAR}", "first exponent", *ranges]
    return (
        "The norm of the gradient of one loss, k characters back, relative to k = 0: where the median over 512 "
        "positions of held-out text is down to a half and to 1 %, in characters, and what is left of it 50 characters "
        "back. The first Lyapunov exponent along the same text, in nats a character: what a step does in the long run. "
        "The last columns are how the geometric mean falls over those lags, in nats a character too: far enough back "
        "it should be the same number (–: too little is left to tell).\n\n"
        + markdown_table(heads, [row for _, row in sorted(body, key=lambda pair: pair[0])])
    )


def used_memory(measured: Measured) -> str:
    """Effective context and replaced characters of every network."""
    body = []
    for info in measured.infos:
        used = measured.memory(info.name)
        context, probe = used.context, used.corruption
        lengths = [context.ecl_chars, context.ecl_share_chars, context.shuffled_ecl_chars, probe.felt_chars]
        losses = [f"{context.loss_nats[n - 1]:.3f}" for n in (1, 4, 16, 64)] + [f"{context.loss_nats[-1]:.3f}"]
        body.append((context.ecl_chars, [f"`{info.name}`", *map(str, lengths), *losses]))
    heads = ["network", "0.01 nats", "1 %", "shuffled", "felt", *(f"n = {n}" for n in (1, 4, 16, 64, 256))]
    context = measured.memory(measured.infos[0].name).context
    return (
        f"The loss on the same {context.predictions:,} held-out characters with only the last n before them, from the "
        "state a network was trained to start from. The effective context is the n from which on more is worth at most "
        "0.01 nats, or 1 % of the loss; `shuffled`: at 0.01 nats, where 128 characters in random order stand before "
        "the n. `felt`: for how many characters a replaced one changes the typical (median) prediction by more than "
        "0.01 nats. All in characters; the losses in nats.\n\n"
        + markdown_table(heads, [row for _, row in sorted(body, key=lambda pair: pair[0])])
    )


def knob(measured: Measured) -> str:
    """What W_hh × g does to half-life and exponent, beside what the theory says."""
    body = []
    for name in TURNED:
        rows = measured.turned(name)
        at_one = next(row["exponent"] for row in rows if row["g"] == 1.0)
        for row in rows:
            band = f"{chars(row['half_life_low'])} … {chars(row['half_life_high'])}"
            norms = ["–" if row[key] is None else f"{row[key]:.2f}" for key in ("sigma_max", "radius")]
            exponent = f"{row['exponent']:+.4f} ± {row['exponent_error']:.4f}"
            predicted = f"{at_one + math.log(row['g']):+.3f}"
            lengths = [chars(row["half_life_chars"]), band, chars(row["horizon_chars"])]
            low, median, high = row["product"]
            product = f"{median:.0e} ({low:.0e} … {high:.0e})"
            body.append([f"`{name}`", f"{row['g']:.3g}", *lengths, exponent, predicted, *norms, product])
    heads = ["network", "g", "half-life", "10–90 %", "1 % left at", "exponent", "linear", "σ_max", "ρ", "128 steps"]
    return (
        "The trained networks with W_hh × g and nothing else changed; half-life with the band over positions. Pascanu "
        "et al. 2013: with tanh the gradient must vanish where σ_max(W_hh) < 1, and can explode only where it is "
        "greater. `linear` is the exponent that scaling alone would give, that of g = 1 plus ln g: the difference is "
        "what the states make of it, which change too. `128 steps`: the largest singular value of the product of 128 "
        "step Jacobians, median and 10–90 % over positions: no loss sends more than that factor back.\n\n"
        f"{markdown_table(heads, body)}\n\n{gates(measured)}\n\n{verdict(measured)}"
    )


def gates(measured: Measured) -> str:
    """The spectra of the gated networks as trained: of each gate's recurrent weights."""
    told = []
    for name in TURNED:
        trained = next(row for row in measured.turned(name) if row["g"] == 1.0)
        if len(trained["gates"]) > 1:
            each = ", ".join(f"{gate} {radius:.2f} and {norm:.2f}" for gate, (radius, norm) in trained["gates"].items())
            told.append(f"`{name}` {each}")
    return f"ρ and σ_max of each gate's recurrent weights at g = 1 (× g scales both): {'; '.join(told)}."


def crossing(rows: Sequence[dict[str, Any]]) -> tuple[float, float] | None:
    """
    Two factors between which the exponent passes 0: two standard errors below it at one, above it at the other.

    Those closest to each other, of the first crossing; None where it does not pass 0 at the factors measured.
    """
    clear = [row for row in rows if abs(row["exponent"]) > 2 * row["exponent_error"]]
    for one, other in pairwise(sorted(clear, key=lambda row: row["g"])):
        if one["exponent"] < 0 < other["exponent"]:
            return one["g"], other["g"]
    return None


def verdict(measured: Measured) -> str:
    """Whether the knob does what the theory says, as found."""
    plain = measured.turned("rnn")
    must = [row for row in plain if row["sigma_max"] < 1]
    may = [row for row in plain if row["sigma_max"] >= 1]
    growing = [row["g"] for row in may if row["exponent"] > 2 * row["exponent_error"]]
    said = [
        f"**Vanilla cell.** σ_max < 1 at {len(must)} of {len(plain)} factors"
        + (f", and there the exponent is below zero in {sum(row['exponent'] < 0 for row in must)}." if must else ".")
        + f" At the {len(may)} others the theory allows growth; the exponent is above zero at "
        + (", ".join(f"{g:g}" for g in growing) if growing else "none")
        + ": a σ_max above 1 is necessary and far from sufficient."
    ]
    found = {name: crossing([row for row in measured.exponents if row["model"] == name]) for name in TURNED}
    ways = [f"`{name}` {'nowhere measured' if not g else f'{g[0]:g} < g < {g[1]:g}'}" for name, g in found.items()]
    said.append(
        "**Where gradients begin to grow** (the exponent passes 0: two standard errors below it at the smaller factor, "
        f"above it at the larger): {', '.join(ways)}."
    )
    for name in TURNED:
        rows = measured.turned(name)
        one = next(row for row in rows if row["g"] == 1.0)
        off = {row["g"]: row["exponent"] - one["exponent"] - math.log(row["g"]) for row in rows if row["g"] != 1.0}
        least, most = min(off), max(off)
        said.append(
            f"`{name}`: against the linear expectation the exponent is off by {off[least]:+.2f} at g = {least:.3g} and "
            f"by {off[most]:+.2f} at g = {most:.3g}."
        )
    return "\n\n".join([*said[:2], " ".join(said[2:])])


def best_units(measured: Measured) -> str:
    """What the units of each network stand for."""
    return far_back_units.best_units({i.name: from_findings(measured.section(i, "units")) for i in measured.infos})


def uncomfortable(measured: Measured) -> str:
    """What does not fit what is usually said, in figures."""
    ways = [fifty(measured), windows(measured), gating(measured), could_and_does(measured), tails(measured)]
    return "\n".join(f"- {way}" for way in ways)


def fifty(measured: Measured) -> str:
    """Where the plain network's memory really ends."""
    plain, memory = measured.gradient("rnn"), measured.memory("rnn")
    left = plain.numbers("curve", "median", 0, fewest=FAR + 1)[FAR]
    return (
        "**“Vanishing gradients past ~50 timesteps”**, says the lab sheet. In the plain network 1 % is left "
        f"{horizon(plain)} characters back, and {left:.0e} at 50. Its prediction uses {memory.context.ecl_chars} "
        f"characters, and a replaced one is felt for {memory.corruption.felt_chars}: its memory ends far before the 50."
    )


def windows(measured: Measured) -> str:
    """What training on more context at a time does for a plain network."""
    names = ("rnn", "rnn-seq256", "rnn-seq512", "rnn-stateful")
    lengths = ", ".join(f"{measured.memory(name).context.ecl_chars} (`{name}`)" for name in names)
    return (
        "**Longer windows, carried states.** Effective context, in characters, after training on windows of 128, 256 "
        f"and 512 characters, and with the state carried along: {lengths}."
    )


def gating(measured: Measured) -> str:
    """What of the curve gating changes."""
    found = {name: measured.gradient(name) for name in ("rnn", "lstm", "gru")}
    halves = ", ".join(f"{each.number('half_life_chars'):.1f} (`{name}`)" for name, each in found.items())
    ends = ", ".join(f"{horizon(each)} (`{name}`)" for name, each in found.items())
    return f"**The half-life says little of gating**: {halves} characters. The tails differ: 1 % is left at {ends}."


def could_and_does(measured: Measured) -> str:
    """The gradient that reaches, the memory that is used."""
    gru, gpt = measured.memory("gru"), measured.memory("minigpt")
    return (
        "**What could be used and what is used are two things.** `gru` has 1 % of its gradient left at "
        f"{horizon(measured.gradient('gru'))} characters and uses {gru.context.ecl_chars}; MiniGPT sees "
        f"{measured.info('minigpt').config['context']} and uses {gpt.context.ecl_chars}, behind a shuffled prefix "
        f"{gpt.context.shuffled_ecl_chars}. A single replaced character changes the typical prediction by more than "
        f"0.01 nats for {gru.corruption.felt_chars} and {gpt.corruption.felt_chars} characters."
    )


def tails(measured: Measured) -> str:
    """Where the slope far back is the first exponent, and where it is not (yet)."""
    apart = {}
    for info in measured.recurrent:
        found = measured.section(info, "gradient")
        apart[info.name] = abs(found.number("tail_slope") - found.number("exponent")) / found.number("exponent_error")
    agree = [name for name, off in apart.items() if off <= 2]
    said = (
        "**The slope of the curve at lags 32–128 is the first Lyapunov exponent** within two standard errors in "
        f"{len(agree)} of {len(apart)} networks."
    )
    for name in (name for name in apart if name not in agree):
        slopes = ", ".join(
            f"{nats(slope)} at {first}–{last}"
            for slope, (first, last) in zip(measured.further[name], FURTHER, strict=True)
        )
        exponent = measured.gradient(name).number("exponent")
        said += f" In `{name}` it is not, by {apart[name]:.0f} of them: {slopes}; the exponent is {exponent:+.4f}."
    return said


SECTIONS: dict[str, Callable[[Measured], str]] = {
    "What does not fit what is usually said": uncomfortable,
    "How far back the gradient reaches": half_lives,
    "The memory that is used": used_memory,
    "The knob: W_hh × g": knob,
    "The best units": best_units,
}


def chars(length: float | None) -> str:
    """A length in characters; where there is none, it is longer than was looked at."""
    return f"> {LAGS}" if length is None else f"{length:.1f}"


def nats(slope: float | None) -> str:
    """How a curve falls, or nothing where too little of it is left."""
    return "–" if slope is None else f"{slope:+.3f}"


def horizon(found: Findings) -> str:
    """Where 1 % of a gradient is left."""
    return chars(found.number_or_none("horizon_chars"))
