"""`scripts/sample.py`: texts and errors."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from charrnn import checkpoint
from charrnn.commands import sample
from charrnn.model import CharRNN
from charrnn.registry import build_model
from charrnn.sampling import SamplingSettings, UniformStream, generate
from charrnn.vocab import Vocab
from tests.checkpoint_files import write_model
from tests.cli import ROOT, run_main

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 200


@pytest.fixture
def typed(capsys):
    """Call the script in this process."""
    return lambda *arguments: run_main(capsys, sample.main, *arguments)


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_sample_script_matches_python(typed):
    arguments = ["--prompt", "JULIET:", "--chars", 80, "--temperature", 0.9, "--top-k", 12, "--top-p", 0.9, "--seed", 5]
    result = typed("--checkpoint", "rnn", *arguments)
    loaded = checkpoint.load(ROOT / "checkpoints/rnn")
    decoder, settings = loaded.model.decoder(), SamplingSettings(0.9, 12, 0.9)
    steps = generate(decoder, decoder.prefill(loaded.vocab.encode("JULIET:")), 80, settings, UniformStream(5))
    assert result.out == "JULIET:" + loaded.vocab.decode(step.id for step in steps) + "\n"
    ctx = torch.tensor([loaded.vocab.encode("JULIET:")])
    ids = loaded.model.sample(ctx, 80, temperature=0.9, top_k=12, top_p=0.9, seed=5)
    assert result.out == loaded.vocab.decode(ids[0].tolist()) + "\n"


@pytest.mark.parametrize(
    "config",
    [
        {"cell": "gru", "hidden_dim": 8},
        {"cell": "lstm", "hidden_dim": 8, "layer_norm": True},
        {"cell": "minigpt", "hidden_dim": 8, "layers": 2, "heads": 2, "context": 6},
    ],
    ids=lambda config: config["cell"],
)
def test_sample_script_loads_saved_steps(tmp_path, typed, config):
    vocab = Vocab.from_text(TEXT)
    early, late = (build_model(config, len(vocab)) for _ in range(2))
    write_model(tmp_path / "mine", late, vocab, saved={0: early.state_dict()})
    texts = set()
    for step in (0, 20):
        result = typed("--checkpoint", tmp_path / "mine", "--step", step, "--prompt", "fox", "--chars", 30)
        assert result.code == 0, result.err
        loaded = checkpoint.load(tmp_path / "mine", step).model
        ids = loaded.sample(torch.tensor([vocab.encode("fox")]), 30, temperature=0.8, seed=7)
        assert result.out == vocab.decode(ids[0].tolist()) + "\n"
        texts.add(result.out)
    assert len(texts) == 2


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_sample_script_loads_lab_solution(tmp_path, typed, corpus, cell, layer_norm):
    vocab = Vocab.from_text(TEXT)
    solution = CharRNN(len(vocab), 8, cell, layer_norm)
    save_file(solution.state_dict(), tmp_path / "solution.safetensors")
    flags = ["--state-dict", tmp_path / "solution.safetensors", "--data", corpus]
    result = typed(*flags, "--prompt", "fox", "--chars", 20)
    assert result.code == 0, result.err
    ids = solution.sample(torch.tensor([vocab.encode("fox")]), 20, temperature=0.8, seed=7)
    assert result.out == vocab.decode(ids[0].tolist()) + "\n"


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--checkpoint", "nowhere"], "give a folder that holds one, or one of best, gru, "),
        (["--prompt", "Ω"], "'Ω' at position 0"),
        (["--step", "7"], "has no step 7"),
        (["--state-dict", "solution.pt", "--data", str(Path(__file__))], "cannot read"),
    ],
)
def test_sample_script_errors_are_one_line(typed, flags, reason):
    result = typed(*flags)
    assert result.code == 2
    assert reason in result.err
    assert len(result.err.splitlines()) == 1
    assert result.out == ""


@pytest.mark.parametrize(
    "flags",
    [
        ["--data", "text.txt"],
        ["--state-dict", "solution.safetensors", "--step", "10"],
        ["--state-dict", "solution.safetensors", "--checkpoint", "gru"],
        ["--seed", "4294967303"],
    ],
    ids=" ".join,
)
def test_sample_script_refuses_wrong_flags(typed, flags):
    result = typed(*flags)
    assert result.code == 2
    assert flags[-2] in result.err.splitlines()[-1]
