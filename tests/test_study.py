"""Every part of the study gives the documented rows; recompute its figures."""

import argparse
import json
import math
import mmap
import random
import re
from dataclasses import asdict
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from charrnn import checkpoint
from charrnn.corpus import Corpus
from charrnn.ngram import KneserNey
from charrnn.sampling import SamplingSettings, UniformStream, generate
from charrnn.study import model_experiments, run_study, study_file, study_flags, study_parts, training_experiments
from charrnn.text_quality import Reference
from charrnn.training import DivergedError, Recipe, Training, evaluate_cold, evaluate_stream
from tests.checkpoint_files import write_model

WORDS = "the and of king thou o'er shall not love death with heart come away night day blood".split()


def random_text(length, seed=0):
    """Lines of random words."""
    rng = random.Random(seed)
    return "".join(rng.choice(WORDS) + rng.choice("  \n") for _ in range(length // 3))[:length]


TEXT = random_text(12_000)
CORPUS = Corpus.from_text(TEXT)


def small_model(cell="rnn", seed=0) -> Any:
    """An untrained network with a moderately peaked distribution."""
    return Training(CORPUS, Recipe(cell=cell, hidden_dim=8, seq_len=16), seed).model.eval()


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def data(tmp_path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    """A checkpoint of a small vanilla network."""
    facts = {"recipe": asdict(Recipe(hidden_dim=8, seq_len=16)), "data_sha256": CORPUS.sha256}
    write_model(tmp_path / "small", small_model(), CORPUS.vocab, **facts)
    return tmp_path / "small"


@pytest.fixture
def measure(tmp_path, data):
    """Measure a part by its command line -> its stored rows."""
    out = tmp_path / "study.json"

    def run(part, *flags):
        assert run_study.main([part, *map(str, flags), "--data", str(data), "--out", str(out)]) == 0
        return json.loads(out.read_text())[part]["rows"]

    return run


RUN_FLAGS = ("--steps", 4, "--batch", 3, "--seq-len", 8, "--hidden-dim", 6, "--every", 3, "--learning-rates", 0.01)
SAMPLING_FLAGS = ("--temperatures", 0.8, "--top-k", 3, "--top-p", 0.9, "--texts", 2, "--chars", 60)
FLAGS = {
    "ngram": ("--orders", 3, 4),
    "sampling": SAMPLING_FLAGS,
    "clipping": (*RUN_FLAGS, "--seeds", 0),
    "relu": (*RUN_FLAGS, "--seeds", 0),
    "no_grad": ("--chars", 5, 20, "--rounds", 2, "--hidden-dim", 6),
}


def check_rows(part, rows, count):
    """The rows of a part have different keys, and each field is documented."""
    keys = [[row[name] for name in study_parts.PARTS[part].key] for row in rows]
    assert len(rows) == count and study_parts.PARTS.keys() == FLAGS.keys() | {"recurrent_scale"}
    assert len(set(map(str, keys))) == len(rows), "each row its own key"
    sections = dict(re.findall(r"^(\w+) {2,}(\S.*\n(?: .*\n)*)", run_study.__doc__ or "", re.MULTILINE))
    documented = sections[part] + (sections["clipping"] if part == "relu" else "")  # as it says
    for row in rows:
        nested = [name for value in row.values() if isinstance(value, dict) for name in value]
        for name in (*row, *nested):
            assert name in documented, f"{name} is not documented"
        assert list(row)[: len(keys[0])] == list(study_parts.PARTS[part].key), "the key comes first"


@pytest.mark.parametrize("part", sorted(FLAGS))
def test_study_rows_are_documented(part, measure, folder):
    named = ("--checkpoints", folder) if part == "sampling" else ()
    counts = {"ngram": 2, "sampling": 5, "clipping": 2, "relu": 4, "no_grad": 2}
    check_rows(part, measure(part, *named, *FLAGS[part]), counts[part])


def measurement(**changes):
    return {"machine": {"cores": 2}, "data_sha256": "ab", "settings": {"positions": 5}} | changes


def test_study_row_replaces_row_of_same_key(tmp_path):
    path = tmp_path / "study.json"
    for part, model, positions in (
        ("recurrent_scale", "a", 1),
        ("recurrent_scale", "b", 2),
        ("no_grad", "a", 3),
        ("recurrent_scale", "a", 4),
    ):
        study_file.store_row(path, part, measurement(), {"model": model, "g": 1, "chars": 5, "positions": positions})
    stored = json.loads(path.read_text())
    assert [(row["model"], row["positions"]) for row in stored["recurrent_scale"]["rows"]] == [("b", 2), ("a", 4)]
    assert [row["positions"] for row in stored["no_grad"]["rows"]] == [3]
    assert '  {"model": "b", "g": 1, "chars": 5, "positions": 2},\n' in path.read_text(), "one row a line"


@pytest.mark.parametrize("change", [{"settings": {"positions": 6}}, {"data_sha256": "cd"}])
def test_study_rows_of_other_settings_are_not_mixed(tmp_path, change):
    path = tmp_path / "study.json"
    study_file.store_row(path, "recurrent_scale", measurement(), {"model": "a", "g": 1})
    before = path.read_text()
    with pytest.raises(ValueError, match="--anew"):
        study_file.store_row(path, "recurrent_scale", measurement(**change), {"model": "b", "g": 1})
    assert path.read_text() == before
    other_machine = measurement(machine={"cores": 64})
    study_file.store_row(path, "recurrent_scale", other_machine, {"model": "b", "g": 1})


def test_study_part_can_be_restarted(measure, capsys):
    measure("ngram", "--orders", 2)
    measure("no_grad", "--chars", 5, "--rounds", 1, "--hidden-dim", 4)
    assert [row["chars"] for row in measure("no_grad", "--chars", 6, "--rounds", 2, "--hidden-dim", 4, "--anew")] == [6]
    assert [row["order"] for row in measure("ngram", "--orders", 3)] == [2, 3], "the other part stays"


def test_study_numbers_have_six_digits(tmp_path):
    path = tmp_path / "study.json"
    row = {"model": "a", "g": 1, "x": {"y": (1 / 3, math.nan, np.float64(math.inf))}, "big": 123456789.0}
    study_file.store_row(path, "recurrent_scale", measurement(), row)
    (stored,) = json.loads(path.read_text())["recurrent_scale"]["rows"]
    assert stored == {"model": "a", "g": 1, "x": {"y": [0.333333, None, None]}, "big": 123457000.0}


def test_invalid_study_file_is_kept(tmp_path, data, capsys):
    path = tmp_path / "study.json"
    path.write_text("{")
    assert run_study.main(["ngram", "--data", str(data), "--out", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and path.read_text() == "{"


def test_missing_checkpoint_is_skipped(measure, folder, capsys):
    rows = measure("recurrent_scale", "--checkpoints", "nowhere", folder, "--positions", 4)
    assert {row["model"] for row in rows} == {"small"}
    assert "nowhere" in capsys.readouterr().err


class NGramNetwork:
    """A 3-gram model with the interface of a network."""

    def __init__(self, model):
        self.log_probs = cache(model.log_probs)
        self.head = SimpleNamespace(out_features=model.vocab_size)

    def fast_forward(self, ids, state=None, rng=None):
        T = ids.shape[1]
        rows = [[*before, *row] for before, row in zip(state or [[]] * len(ids), ids.tolist(), strict=True)]
        logits = [
            [self.log_probs(tuple(row[max(0, t - 1) : t + 1])) for t in range(len(row) - T, len(row))] for row in rows
        ]
        return torch.tensor(np.array(logits)), [row[-2:] for row in rows]


def test_ngram_row_uses_protocol_of_networks():
    text = random_text(172_000)  # 64 streams of more than a window
    corpus = Corpus.from_text(text)
    row = next(model_experiments.ngram(argparse.Namespace(orders=[3]), text))
    network: Any = NGramNetwork(KneserNey(corpus.train_ids.numpy(), len(corpus.vocab), 3))
    assert row["val_stream_nats"] == pytest.approx(evaluate_stream(network, corpus.val_ids), rel=1e-9)
    assert row["val_cold_nats"] == pytest.approx(evaluate_cold(network, corpus.val_ids), rel=1e-9)


def test_ngram_decoder_in_pieces_matches_whole():
    decoder = model_experiments.NGramDecoder(KneserNey(CORPUS.train_ids.numpy(), len(CORPUS.vocab), 5))
    ids = CORPUS.val_ids[:20].tolist()
    piecewise = decoder.prefill([])
    for id in ids:
        piecewise = decoder.step(id, piecewise.state)
    whole = decoder.prefill(ids)
    assert np.array_equal(whole.logits, piecewise.logits) and whole.state == piecewise.state == tuple(ids[-4:])
    settings = SamplingSettings(temperature=0.8)
    first, second = ([step.id for step in generate(decoder, whole, 30, settings, UniformStream(1))] for _ in "12")
    assert first == second


def test_quality_row_matches_model_samples(folder):
    flags = study_flags.study_parser().parse_args(["sampling", *map(str, SAMPLING_FLAGS), "--checkpoints", str(folder)])
    rows = {(row["temperature"], row["top_k"], row["top_p"]): row for row in model_experiments.sampling(flags, TEXT)}
    passages = list(model_experiments._prompts_and_continuations(TEXT[len(CORPUS.train_ids) :], 2, 60))
    reference = Reference(TEXT[: len(CORPUS.train_ids)])
    model: Any = checkpoint.load(folder).model
    for temperature, top_k, top_p in ((0, 0, 1.0), (0.8, 3, 1.0), (0.8, 0, 0.9)):
        qualities = []
        for seed, (prompt, _) in enumerate(passages):
            ctx = torch.tensor([CORPUS.vocab.encode(prompt)])
            ids = model.sample(ctx, 60, temperature, top_k=top_k, top_p=top_p, seed=seed)[0, ctx.shape[1] :]
            qualities.append(reference.score_text(CORPUS.vocab.decode(ids.tolist())))
        row = rows[temperature, top_k, top_p]
        for share in ("known_words", "distinct_4grams", "repetition", "copied"):
            a, b = (getattr(quality, share) for quality in qualities)
            assert row[share]["mean"] == pytest.approx((a + b) / 2)
            assert row[share]["standard_error"] == pytest.approx(abs(a - b) / 2)
    assert rows[0.8, 3, 1.0]["kept_characters"] == 3 and rows[0, 0, 1.0]["kept_characters"] == 1
    assert rows[None, None, None]["model"] == model_experiments.HELD_OUT
    assert rows[None, None, None]["known_words"]["mean"] > 0.95


def test_held_out_passages_follow_their_prompts():
    text = random_text(3000, seed=5)
    passages = list(model_experiments._prompts_and_continuations(text, 5, 700))
    assert len({prompt for prompt, _ in passages}) == 5
    assert all(prompt + following in text and prompt.endswith("\n") for prompt, following in passages)
    assert {(len(prompt), len(following)) for prompt, following in passages} == {(model_experiments.PROMPT_CHARS, 700)}
    with pytest.raises(ValueError, match="--chars"):
        list(model_experiments._prompts_and_continuations(text, 5, 2850))


def test_recurrent_scale_row_one_is_the_network(measure, folder):
    least, *rows = scaled = measure("recurrent_scale", "--checkpoints", folder)
    check_rows("recurrent_scale", scaled, 8)
    (row,) = [row for row in rows if row["g"] == 1]
    flow = model_experiments.gradient_flow(checkpoint.load(folder).model, CORPUS.val_ids.tolist(), positions=4096)
    assert row["half_life_chars"] == pytest.approx(flow.half_life_chars, rel=1e-5)
    assert least["sigma_max"] == pytest.approx(0.95)
    assert least["sigma_max"] / least["g"] == pytest.approx(row["sigma_max"], rel=1e-5)
    assert [each["exponent"] for each in rows] == sorted(each["exponent"] for each in rows)


class ScriptedTraining:
    """A run with given losses and gradient norms; None diverges."""

    def __init__(self, points: list[Any]):
        self.points, self.step, self.seed = points, 0, 0
        self.recipe, self.corpus, self.model = Recipe(max_grad_norm=0), CORPUS, small_model()

    @property
    def finished(self):
        return self.step == len(self.points)

    def advance(self):
        if self.points[self.step] is None:
            raise DivergedError(self.step, math.nan, math.inf)
        self.last_update = self.points[self.step]
        self.step += 1

    def require_finite(self):
        pass


def test_learning_row_finds_spikes():
    points = [(2.0, 1.0)] * 100
    points[70], points[80] = (7.0, 3.0), (2.5, 40.0)
    scripted: Any = ScriptedTraining(points)
    row = training_experiments.learn(scripted, 30)
    assert (row["largest_spike_step"], row["largest_spike_nats"]) == (70, 5.0)
    assert (row["largest_grad_norm_step"], row["largest_grad_norm"]) == (80, 40.0)
    assert row["share_to_clip"] == pytest.approx(0.01), "3 is below the lab sheet's 5"
    assert row["curve"]["loss_max_nats"] == [2, 2, 7, 2] and row["curve"]["grad_norm_median"] == [1, 1, 1, 1]
    assert row["last_loss_nats"] == pytest.approx(2 + 5.5 / 50)
    assert (row["steps"], row["diverged_at"]) == (100, None)
    assert row["val_stream_nats"] == pytest.approx(evaluate_stream(small_model(), CORPUS.val_ids))


def test_learning_row_of_diverged_run_keeps_rest():
    scripted: Any = ScriptedTraining([(2.0, 1.0), (9.0, 1e9), None])
    row = training_experiments.learn(scripted, 2)
    assert (row["diverged_at"], row["steps"], row["largest_grad_norm"]) == (2, 2, 1e9)
    assert math.isnan(row["val_stream_nats"]) and row["largest_spike_step"] is None
    scripted = ScriptedTraining([None])
    row = study_file.rounded(training_experiments.learn(scripted, 2))
    assert (row["diverged_at"], row["steps"], row["last_loss_nats"], row["largest_grad_norm"]) == (0, 0, None, None)


def test_clipping_row_without_long_gradients_is_same(measure):
    free, clipped = measure("clipping", *RUN_FLAGS, "--seeds", 0, "--max-grad-norms", 0, 1000)
    assert free["max_grad_norm"] == 0 and free["curve"] == clipped["curve"]
    tight = measure("clipping", *RUN_FLAGS, "--seeds", 0, "--max-grad-norms", 0.001)[-1]
    assert tight["curve"]["grad_norm_max"][0] > 0.001, "norms are those before clipping"
    assert tight["curve"]["loss_mean_nats"] != free["curve"]["loss_mean_nats"]


def test_tanh_loop_learns_like_training():
    recipe = Recipe(steps=6, batch=3, seq_len=8, hidden_dim=6, learning_rate=0.01)
    ours, loop = (Training(CORPUS, recipe, seed=2) for _ in range(2))
    loop.model = training_experiments.LoopRNN(loop.model, training_experiments.ACTIVATIONS["tanh"])
    expected, curve = (training_experiments.learn(training, 1)["curve"] for training in (ours, loop))
    for name in ("loss_mean_nats", "grad_norm_max"):
        assert curve[name] == pytest.approx(expected[name], rel=1e-4)


def test_relu_state_matches_formula():
    model = training_experiments.LoopRNN(small_model(), training_experiments.ACTIVATIONS["relu"])
    record = training_experiments.state_while_reading(model, CORPUS.val_ids)
    rows = CORPUS.val_ids[: 64 * (len(CORPUS.val_ids) // 64)].view(64, -1)
    W_ih, W_hh, b, table = (
        parameter.detach().double().numpy()
        for parameter in (model.cell.W_ih.weight, model.cell.W_hh.weight, model.cell.W_hh.bias, model.embed.weight)
    )
    h = np.zeros((64, 8))
    for t in range(record["characters"][-1]):
        h = np.maximum(0, table[rows[:, t]] @ W_ih.T + h @ W_hh.T + b)
        if t + 1 in record["characters"]:
            largest = record["largest_state"][record["characters"].index(t + 1)]
            assert largest == pytest.approx(np.abs(h).max(), rel=1e-4)


def test_allocated_memory_is_counted():
    def pages(n: int) -> mmap.mmap:  # 4 MB each; a heap could reuse freed memory
        memory = mmap.mmap(-1, n << 22)
        for _ in range(n):
            memory.write(bytes(1 << 22))
        return memory

    measured = training_experiments.bytes_per_char(pages, 20)
    assert measured is None or measured == pytest.approx(4 << 20, rel=0.1)
