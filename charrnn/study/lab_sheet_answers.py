"""
Answer the lab sheet section by section.

The answers are docs/lab_sheet.json, which the page's tab Lab sheet shows. An answer has the verdict of
`lab_sheet_claims.py`, a finding of `lab_sheet_findings.py` and the command that measures it again. All figures come
from the stored records.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from charrnn.study import lab_sheet_claims as claims
from charrnn.study import lab_sheet_findings as findings
from charrnn.study.lab_sheet_claims import CLAIMS, CONFIRMED, CORRECTED, POSITIVE, Verdict
from charrnn.study.stored_records import Records

NOT_MEASURED = "not measured"  # the verdict without a record
TRAIN, STUDY = "python scripts/train.py", "python scripts/study.py"
EVALUATE, ANALYSE = "python scripts/evaluate.py checkpoints", "python scripts/analyse.py checkpoints"
PROFILE = "python scripts/bench.py profile"
Judge = Callable[[Records], Verdict]


class Answer(NamedTuple):
    """A claim or question of the sheet, with judge, finding and commands."""

    claim: str
    judge: Judge
    finding: Callable[[Records], str]
    commands: tuple[str, ...]

    def record(self, records: Records) -> dict[str, Any]:
        """Return the answer; without a record its finding names the command to run."""
        try:
            verdict, figure, needed = self.judge(records)
            finding = self.finding(records)
        except (OSError, ValueError) as error:
            verdict, figure, needed, finding = NOT_MEASURED, "", "", f"{error}."
        found = {"verdict": verdict, "needed": needed, "finding": finding, "figure": figure}
        return {"claim": self.claim, **found, "commands": list(self.commands)}


class Section(NamedTuple):
    """A section or exercise of the sheet; key: its number there."""

    key: str
    title: str
    answers: tuple[Answer, ...]


def lab_sheet(records: Records) -> str:
    """Return the content of docs/lab_sheet.json: the sections with their answers."""
    sections = [
        {"key": key, "title": title, "answers": [answer.record(records) for answer in answers]}
        for key, title, answers in SECTIONS
    ]
    return json.dumps({"sections": sections}, indent=1, ensure_ascii=False) + "\n"


def answer(judge: Judge, finding: Callable[[Records], str], *commands: str) -> Answer:
    """Return the answer to a claim of CLAIMS."""
    (claim,) = [claim for _, claim, judged in CLAIMS if judged is judge]
    return Answer(claim, judge, finding, commands)


def better_of(records: Records, name: str, other: str) -> Verdict:
    """Judge which recipe has the lower held-out loss; its name is the verdict."""
    gain = records.mean(other).minus(records.mean(name))
    figure = f"held-out loss {records.mean(name)} (`{name}`), {records.mean(other)} (`{other}`)"
    verdict = claims.judged(figure, (gain, POSITIVE))
    return verdict._replace(verdict={CONFIRMED: name, CORRECTED: other}.get(verdict.verdict, verdict.verdict))


SECTIONS = (
    Section(
        "0",
        "Why recurrent networks lost",
        (
            answer(
                claims.fifty_steps,
                findings.vanishing,
                f"{ANALYSE}/rnn checkpoints/lstm --sections gradient --anew",
            ),
        ),
    ),
    Section("1–2", "The vanilla cell", (answer(claims.relu, findings.relu, f"{STUDY} relu"),)),
    Section("3", "The loop over time", (answer(claims.loop, findings.loop_share, PROFILE),)),
    Section("4", "Sampling and temperature", (answer(claims.temperature, findings.temperature, f"{STUDY} sampling"),)),
    Section("5", "The training loop", (answer(claims.clipping, findings.clipping, f"{STUDY} clipping"),)),
    Section(
        "6",
        "What to expect",
        (
            answer(claims.initial_loss, findings.initial_loss, f"{TRAIN} --recipe rnn-lab"),
            answer(claims.training_loss, findings.sheet_recipe, f"{TRAIN} --recipe rnn-lab", f"{EVALUATE}/rnn-lab"),
            answer(claims.bits, findings.bits, f"{EVALUATE}/rnn-lab"),
            answer(
                claims.order,
                findings.order,
                f"{ANALYSE}/rnn checkpoints/lstm checkpoints/minigpt --sections bits --anew",
            ),
        ),
    ),
    Section(
        "7",
        "Against a Transformer",
        (
            answer(
                claims.minigpt_loss,
                partial(findings.one_network, name="minigpt", title="MiniGPT"),
                f"{TRAIN} --cell minigpt",
                f"{EVALUATE}/minigpt",
            ),
            answer(claims.coherence, findings.coherence, f"{STUDY} sampling"),
            answer(claims.wall_time, findings.wall_time, PROFILE),
            answer(claims.hundred_back, findings.hundred_back, ANALYSE),
        ),
    ),
    Section("8", "Pitfalls", (answer(claims.no_grad, findings.no_grad, f"{STUDY} no_grad"),)),
    Section(
        "Stretch 1",
        "LSTM by hand",
        (
            answer(
                claims.lstm_loss,
                partial(findings.one_network, name="lstm", title="The LSTM"),
                f"{TRAIN} --cell lstm",
                f"{EVALUATE}/lstm",
            ),
        ),
    ),
    Section(
        "Stretch 2",
        "GRU against LSTM",
        (
            Answer(
                "Which of the two predicts better?",
                partial(better_of, name="gru", other="lstm"),
                partial(findings.compared, name="gru", other="lstm", titles=("the GRU", "the LSTM")),
                (f"{TRAIN} --cell gru", f"{EVALUATE}/gru"),
            ),
        ),
    ),
    Section(
        "Stretch 3",
        "Layer norm inside the cell",
        (
            answer(
                claims.layer_norm,
                findings.layer_norm,
                f"{TRAIN} --layer-norm",
                f"{TRAIN} --layer-norm --seq-len 512",
            ),
        ),
    ),
    Section(
        "Stretch 4",
        "Carrying the state",
        (
            Answer(
                "Does a state carried across batches help?",
                partial(better_of, name="rnn-stateful", other="rnn"),
                partial(
                    findings.compared,
                    name="rnn-stateful",
                    other="rnn",
                    titles=("stateful training", "shuffled training"),
                ),
                (f"{TRAIN} --stateful",),
            ),
        ),
    ),
    Section(
        "Stretch 5",
        "Longer context",
        (
            answer(
                claims.saturation,
                findings.saturation,
                f"{TRAIN} --seq-len 512",
                f"{ANALYSE}/rnn-seq512 checkpoints/minigpt --sections memory --anew",
            ),
        ),
    ),
    Section("Stretch 6", "Top-k and top-p", (answer(claims.filters, findings.filters, f"{STUDY} sampling"),)),
    Section(
        "Stretch 7",
        "Where the time goes",
        (answer(claims.loop, findings.parallel, PROFILE),),
    ),
)
