"""Build networks from configs; refuse invalid configs."""

import subprocess
import sys

import pytest
import torch

from charrnn.cells import CELLS
from charrnn.model import CharRNN
from charrnn.registry import LIMITS, build_model, build_on_meta
from tests.cli import ROOT

RNN = {"cell": "rnn", "hidden_dim": 6}
GPT = {"cell": "minigpt", "hidden_dim": 8, "layers": 2, "heads": 2, "context": 5}
EVERY = [
    *({"cell": cell, "hidden_dim": 6, "layer_norm": normed} for cell in CELLS for normed in (False, True)),
    GPT,
    GPT | {"layers": 1, "heads": 1},
]


def name(config):
    return "-".join(map(str, config.values()))


@pytest.mark.parametrize(("cell", "kind"), CELLS.items())
def test_recurrent_config_builds_its_cell(cell, kind):
    model = build_model({"cell": cell, "hidden_dim": 6, "layer_norm": True}, 7, dropout=0.25, input_dropout=0.125)
    assert isinstance(model, CharRNN)
    assert type(model.cell) is kind
    assert (model.hidden_dim, model.cell.layer_norm) == (6, True)
    assert (model.dropout, model.input_dropout) == (0.25, 0.125)
    assert model.head.out_features == model.embed.num_embeddings == 7


def test_config_defaults_are_those_of_the_lab():
    assert build_model(RNN, 7).config == RNN | {"layer_norm": False}
    sizes = {"layers": 6, "heads": 4, "context": 128}
    minigpt = {"cell": "minigpt", "hidden_dim": 128}
    assert build_model(minigpt, 7).config == minigpt | sizes


@pytest.mark.parametrize("config", EVERY, ids=name)
def test_fast_forward_in_pieces_matches_forward(config):
    model, ids = build_model(config, 7).double(), torch.randint(7, (2, 12))
    whole, _ = model(ids)
    state, pieces = None, []
    for piece in ids.split([4, 1, 7], dim=1):
        logits, state = model.fast_forward(piece, state)
        pieces.append(logits)
    assert torch.allclose(torch.cat(pieces, dim=1), whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({}, "the cell is None: give one of rnn, gru, lstm, minigpt"),
        ({"hidden_dim": 6}, "the cell is None"),
        (RNN | {"cell": "elman"}, "the cell is 'elman'"),
        (RNN | {"cell": ["rnn"]}, r"the cell is \['rnn'\]"),
        ({"cell": "rnn"}, "hidden_dim is missing"),
        (RNN | {"hidden_dim": 0}, "hidden_dim is 0: give a whole number from 1 to 4096"),
        (RNN | {"hidden_dim": 6.0}, "hidden_dim is 6.0"),
        (RNN | {"hidden_dim": True}, "hidden_dim is True"),
        (RNN | {"layer_norm": "no"}, "layer_norm is 'no': give true or false"),
        (RNN | {"heads": 2}, "rnn has no 'heads': give hidden_dim, layer_norm"),
        (GPT | {"layer_norm": True}, "minigpt has no 'layer_norm'"),
        (GPT | {"layers": 65}, "layers is 65"),
        (GPT | {"heads": -1}, "heads is -1"),
        (GPT | {"heads": 3}, "hidden_dim is 8, heads 3: give heads that divide"),
        (GPT | {"hidden_dim": 6}, "each of 2 heads is 3 wide"),
        (GPT | {"context": 1}, "context is 1: give a whole number from 2 to 65536"),
    ],
    ids=str,
)
def test_invalid_config_is_refused(config, reason):
    for make in (build_model, build_on_meta):
        with pytest.raises(ValueError, match=reason):
            make(config, 7)


def test_config_limits_can_be_reached():
    for key, limits in LIMITS.items():
        base = {"cell": "minigpt", "hidden_dim": 8, "layers": 1, "heads": 1}
        for value in (2 if key == "hidden_dim" else limits.low, limits.high):
            config = base | {key: value} | ({"hidden_dim": 128} if key == "heads" else {})
            assert build_on_meta(config, 7).config[key] == value


@pytest.mark.parametrize("config", EVERY, ids=name)
def test_meta_model_matches_model(config):
    meta, real = build_on_meta(config, 7), build_model(config, 7)
    assert meta.config == real.config == config
    assert all(weight.is_meta for weight in meta.state_dict().values())
    shapes = [{name: w.shape for name, w in model.state_dict().items()} for model in (meta, real)]
    assert shapes[0] == shapes[1]


def test_meta_model_imports_nothing_more():
    """Drawing weights on the meta device would import hundreds of modules."""
    code = """
import sys
from charrnn.registry import KINDS, build_on_meta
before = len(sys.modules)
for cell in KINDS:
    build_on_meta({"cell": cell, "hidden_dim": 8}, 7)
print(len(sys.modules) - before)
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 20
