"""Verdicts on the lab sheet's claims follow from the figures."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from charrnn.study import lab_sheet_claims as claims
from charrnn.study.load_records import Records
from tests.cli import ROOT


@dataclass(frozen=True)
class Planted(Records):
    """Records with given values."""

    root: Path = ROOT
    losses: dict[tuple[str, str], float] = field(default_factory=dict)
    found: list[dict[str, Any]] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def runs(self) -> dict[str, dict[str, Any]]:
        return {"minigpt-seq512": {"step": 1000}}

    def nats(self, name: str, figure: str = "val_stream_nats") -> float:
        return self.losses[name, figure]

    def rows(self, part: str, **key: Any) -> list[dict[str, Any]]:
        return [row for row in self.found if all(row[name] == value for name, value in key.items())]

    def row(self, part: str, **key: Any) -> dict[str, Any]:
        (row,) = self.rows(part, **key)
        return row

    def bench(self, verb: str) -> dict[str, Any]:
        return self.record


def run(rate: float, norm: float, diverged_at: int | None) -> dict[str, Any]:
    losses = {"last_loss_nats": 1.5, "largest_grad_norm": 2.0, "share_to_clip": 0.0}
    return {"learning_rate": rate, "max_grad_norm": norm, "diverged_at": diverged_at, **losses}


@pytest.mark.parametrize(("train", "verdict"), [(1.59, "confirmed"), (1.43, "corrected"), (1.8, "corrected")])
def test_claim_on_training_loss_follows_range(train, verdict):
    losses = {("rnn-lab", "train_loss_nats"): train, ("rnn-lab", "val_stream_nats"): 1.6}
    losses |= {("rnn", "train_loss_nats"): 1.36, ("rnn", "val_stream_nats"): 1.55}
    judged = claims.training_loss(Planted(losses=losses))
    assert judged.verdict == verdict
    assert f"{train:.3f}" in judged.figure


@pytest.mark.parametrize(("diverged_at", "verdict"), [(500, "confirmed"), (None, "corrected")])
def test_claim_on_clipping_follows_divergence(diverged_at, verdict):
    found = [run(rate, norm, None if norm else diverged_at) for rate in (1e-3, 1e-2) for norm in (0.0, 5.0)]
    assert claims.clipping(Planted(found=found)).verdict == verdict


@pytest.mark.parametrize(("share", "verdict"), [(0.7, "confirmed"), (0.3, "corrected")])
def test_claim_on_loop_follows_its_share(share, verdict):
    rows = [{"name": name, "median_ms": 100.0, "loop_share": share} for name in ("plain loop", "charrnn rnn")]
    judged = claims.loop(Planted(record={"rows": rows}))
    assert judged.verdict == verdict
    assert f"{share:.0%}" in judged.figure


@pytest.mark.parametrize(
    ("vanilla", "lstm", "verdict"), [(40, 64, "confirmed"), (40, 128, "partly"), (400, 128, "corrected")]
)
def test_claim_on_saturation_follows_both_cells(vanilla, lstm, verdict):
    contexts = {"rnn-seq512": vanilla, "rnn-layernorm-seq512": 50, "lstm": lstm, "minigpt": 100, "minigpt-seq512": 256}
    found = [{"model": name, "effective_context": characters} for name, characters in contexts.items()]
    assert claims.saturation(Planted(found=found)).verdict == verdict


@pytest.mark.parametrize(
    ("judge", "name", "claimed"),
    [(claims.bits, "rnn-lab", 1.594), (claims.lstm_loss, "lstm", 1.4), (claims.minigpt_loss, "minigpt", 1.32)],
)
def test_claims_on_losses_use_one_tolerance(judge, name, claimed):
    for distance, verdict in ((0.04, "confirmed"), (-0.04, "confirmed"), (0.06, "corrected"), (-0.06, "corrected")):
        losses = {(name, "train_loss_nats"): claimed + distance, (name, "val_stream_nats"): claimed}
        assert judge(Planted(losses=losses | {("gru", "val_stream_nats"): 1.5})).verdict == verdict


@pytest.mark.parametrize(
    ("gain", "verdict"), [(0.03, "confirmed"), (0.01, "open"), (-0.01, "open"), (-0.03, "corrected")]
)
def test_claim_on_layer_norm_follows_seed_spread(gain, verdict):
    held_out = {"rnn": 1.55, "rnn-seed1": 1.56, "rnn-seed2": 1.57, "rnn-layernorm": 1.55}
    held_out |= {"rnn-seq256": 1.55, "rnn-layernorm-seq256": 1.55}
    held_out |= {"rnn-seq512": 1.55, "rnn-layernorm-seq512": 1.55 - gain}
    losses = {(name, "val_stream_nats"): nats for name, nats in held_out.items()}
    assert claims.layer_norm(Planted(losses=losses)).verdict == verdict


@pytest.mark.parametrize(("known", "verdict"), [(0.97, "open"), (0.95, "open"), (0.92, "corrected")])
def test_claim_on_coherence_follows_made_up_words(known, verdict):
    shares = {"rnn": 0.93, "lstm": 0.93, "minigpt": known, "held-out text": 0.96}
    plain = {"temperature": 0.8, "top_k": 0, "top_p": 1.0}
    found = [{"model": name, "known_words": {"mean": share}, **plain} for name, share in shares.items()]
    assert claims.coherence(Planted(found=found)).verdict == verdict


@pytest.mark.parametrize(("gpt", "verdict"), [(40.0, "confirmed"), (90.0, "open"), (300.0, "open")])
def test_claim_on_gpu_speed_is_open_on_cpu(gpt, verdict):
    times = {"plain loop": 100.0, "charrnn rnn": 20.0, "MiniGPT": gpt}
    rows = [{"name": name, "median_ms": ms} for name, ms in times.items()]
    assert claims.wall_time(Planted(record={"rows": rows, "machine": {"threads": 2}})).verdict == verdict


def test_claims_have_verdict_and_figure():
    records = Records(ROOT)
    for section, claim, judge in claims.CLAIMS:
        judged = judge(records)
        assert section and claim
        assert judged.verdict in (claims.CONFIRMED, claims.CORRECTED, claims.PARTLY, claims.OPEN, "top-k", "top-p")
        assert any(character.isdigit() for character in judged.figure)
