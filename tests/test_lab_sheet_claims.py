"""Verdicts on the lab sheet's claims follow from the figures by one rule."""

import json
import math
from pathlib import Path
from statistics import NormalDist, fmean, stdev
from typing import Any

import pytest

from charrnn.bootstrap import Interval
from charrnn.study import lab_sheet_claims as claims
from charrnn.study.stored_records import Records
from tests.cli import ROOT

T_QUANTILES = {2: 4.3027, 4: 2.7764}  # of Student's t by degrees of freedom


class Planted(Records):
    """Records with given values."""

    def __init__(self, folder: Path, losses: dict[str, list[float]], **parts: list[dict[str, Any]]):
        super().__init__(folder)
        runs = [
            {"name": name if seed == 0 else f"{name}-seed{seed}", "seed": seed, "step": 2000, "parameters": 1}
            | {"metrics": {"val_stream_nats": nats, "train_loss_nats": nats}}
            for name, values in losses.items()
            for seed, nats in enumerate(values)
        ]
        study = {name: {"settings": {"texts": 8, "positions": 4096}, "rows": rows} for name, rows in parts.items()}
        self.__dict__.update(bundled=[], other_runs=runs, study=study)  # in the place of cached properties


@pytest.fixture
def planted(tmp_path):
    return lambda losses={}, **parts: Planted(tmp_path, losses, **parts)


@pytest.mark.parametrize(
    ("intervals", "verdict"),
    [
        ([Interval(0.1, 0.2)], "confirmed"),
        ([Interval(-0.2, -0.1)], "corrected"),
        ([Interval(-0.1, 0.2)], "open"),
        ([None], "open"),
        ([Interval(0.1, 0.2), Interval(0.3, 0.4)], "confirmed"),
        ([Interval(0.1, 0.2), Interval(-0.2, -0.1)], "partly"),
        ([Interval(0.1, 0.2), Interval(-0.1, 0.2)], "open"),
    ],
)
def test_verdict_follows_from_intervals(intervals, verdict):
    assert claims.judged("", *((interval, claims.POSITIVE) for interval in intervals)).verdict == verdict


@pytest.mark.parametrize(("interval", "seeds"), [(Interval(-0.004, 0.016), 9), (Interval(-0.016, 0.004), 9)])
def test_open_claim_names_the_seeds_that_decide_it(interval, seeds):
    """The margin shrinks with the root of the number: 3 · (0.010 / 0.006)² = 8.3."""
    verdict = claims.judged("", (interval, claims.POSITIVE), (Interval(1, 2), claims.POSITIVE), samples=3)
    assert verdict.needed == f"about {seeds} seeds a recipe" and verdict.needed in verdict.figure


def test_mean_of_seeds_has_pooled_students_interval(planted):
    """Check one recipe's spread, then two pooled; a single run has the pooled spread."""
    first, second = [1.50, 1.52, 1.57], [1.40, 1.41, 1.45]
    alone = planted({"a": first, "b": [1.4]})
    margin = T_QUANTILES[2] * stdev(first) / math.sqrt(3)
    assert alone.mean("a").interval == pytest.approx((fmean(first) - margin, fmean(first) + margin), abs=1e-3)
    pooled = planted({"a": first, "b": second, "c": [1.3]})
    deviation = math.sqrt((stdev(first) ** 2 + stdev(second) ** 2) / 2)
    for name, runs in (("a", 3), ("c", 1)):
        mean = pooled.mean(name)
        assert mean.runs == runs
        assert mean.interval.high - mean.value == pytest.approx(T_QUANTILES[4] * deviation / math.sqrt(runs), rel=0.01)
    difference = pooled.mean("a").minus(pooled.mean("b"))
    half = T_QUANTILES[4] * deviation * math.sqrt(2 / 3)
    centre = fmean(first) - fmean(second)
    assert difference == pytest.approx((centre - half, centre + half), rel=0.01)


@pytest.mark.parametrize(
    ("train", "verdict"),
    [([1.59, 1.6, 1.61], "confirmed"), ([1.43, 1.44, 1.45], "corrected"), ([1.48, 1.5, 1.52], "open")],
)
def test_claim_on_training_loss_follows_range(planted, train, verdict):
    judged = claims.training_loss(planted({"rnn-lab": train, "rnn": [1.35]}))
    assert judged.verdict == verdict
    assert f"{fmean(train):.3f}" in judged.figure and "3 runs" in judged.figure


@pytest.mark.parametrize(("gain", "verdict"), [(0.1, "confirmed"), (0.005, "open"), (-0.1, "corrected")])
def test_claim_on_layer_norm_follows_long_windows(planted, gain, verdict):
    plain = [1.55, 1.56, 1.57]
    losses = {f"rnn{suffix}": plain for suffix in ("", "-seq256", "-seq512")}
    losses |= {"rnn-layernorm": plain}
    losses |= {f"rnn-layernorm-seq{length}": [nats - gain for nats in plain] for length in (256, 512)}
    judged = claims.layer_norm(planted(losses))
    assert judged.verdict == verdict and ("seeds a recipe would decide it" in judged.figure) == (verdict == "open")


@pytest.mark.parametrize(("runs", "diverged", "verdict"), [(3, 0, "open"), (6, 0, "corrected"), (6, 6, "confirmed")])
def test_claim_on_divergence_follows_exact_share(planted, runs, diverged, verdict):
    """None of 3 leaves a share of up to 71 %, none of 6 of up to 46 %."""
    rows = [
        {"learning_rate": 1e-3, "max_grad_norm": norm, "diverged_at": 400 if i < diverged and not norm else None}
        | {"last_loss_nats": 1.5, "largest_grad_norm": 2.0, "share_to_clip": 0.0, "steps": 500, "activation": kind}
        | {"curve": {"largest_state": [1.0]}}
        for norm in (0.0, 5.0)
        for kind in ("relu", "tanh")
        for i in range(runs)
    ]
    assert claims.relu(planted(relu=rows)).verdict == verdict
    assert claims.clipping(planted(clipping=[row for row in rows if row["activation"] == "relu"])).verdict == verdict


@pytest.mark.parametrize(("share", "verdict"), [((0.7, 0.8), "confirmed"), ((0.3, 0.4), "corrected"), ((), "open")])
def test_claim_on_loop_follows_its_share(planted, share, verdict):
    ends = dict(zip(("loop_share_low", "loop_share_high"), share, strict=False))
    rows = [{"name": name, "median_ms": 100.0, "loop_share": 0.75} | ends for name in ("plain loop", "charrnn rnn")]
    records = planted()
    docs = records.root / "docs"
    docs.mkdir()
    (docs / "bench_profile.json").write_text(json.dumps({"rows": rows}), encoding="utf-8")
    judged = claims.loop(records)
    assert judged.verdict == verdict and "75\u00a0%" in judged.figure


def quality(known: float, distinct: float, **settings: Any) -> dict[str, Any]:
    shares = {"known_words": known, "distinct_4grams": distinct}
    return settings | {name: {"mean": mean, "standard_error": 0.001} for name, mean in shares.items()}


@pytest.mark.parametrize(("gain", "verdict"), [(0.02, "top-p"), (-0.02, "top-k"), (0.0, "open")])
def test_filters_are_compared_at_equal_variety(planted, gain, verdict):
    """Place a top-k between two top-p, off by `gain`; one beyond them is left out."""
    rows = []
    for i, (model, t) in enumerate((model, t) for model in ("rnn", "lstm", "minigpt") for t in (0.8, 1.0, 1.2)):
        noise = NormalDist(0, 0.002).inv_cdf((i + 1) / 10)
        common = {"model": model, "temperature": t}
        rows += [quality(0.99, 0.5, top_k=0, top_p=0.5, **common), quality(0.91, 0.7, top_k=0, top_p=0.9, **common)]
        rows += [quality(0.95 - gain + noise, 0.6, top_k=5, top_p=1.0, **common)]
        rows += [quality(0.5, 0.9, top_k=40, top_p=1.0, **common)]
    records = planted(sampling=rows)
    assert claims.filters(records).verdict == verdict
    assert fmean(each for _, _, each in claims.filter_gains(records)) == pytest.approx(gain, abs=1e-9)


@pytest.mark.parametrize(("hot", "verdict"), [(0.7, "confirmed"), (0.984, "open"), (0.999, "partly")])
def test_claim_on_temperature_needs_both_differences(planted, hot, verdict):
    plain = {"model": "rnn", "top_k": 0, "top_p": 1.0}
    rows = [quality(0.985, 0.57, temperature=0.5, **plain), quality(0.93, 0.74, temperature=0.8, **plain)]
    assert (
        claims.temperature(planted(sampling=[*rows, quality(hot, 0.86, temperature=1.2, **plain)])).verdict == verdict
    )


def test_claims_have_verdict_and_figure():
    records = Records(ROOT)
    for section, claim, judge in claims.CLAIMS:
        judged = judge(records)
        assert section and claim
        assert judged.verdict in (claims.CONFIRMED, claims.CORRECTED, claims.PARTLY, claims.OPEN, "top-k", "top-p")
        assert any(character.isdigit() for character in judged.figure)
        if judged.verdict == claims.OPEN:
            assert "decide" in judged.figure, claim
