"""What a decoder keeps of a text it reads at once is what it says one character at a time."""

import numpy as np
import pytest
import torch

from charrnn.registry import build_model

FORMS = {
    "rnn": {"cell": "rnn", "hidden_dim": 12},
    "gru with layer norm": {"cell": "gru", "hidden_dim": 12, "layer_norm": True},
    "lstm": {"cell": "lstm", "hidden_dim": 12},
    "minigpt": {"cell": "minigpt", "hidden_dim": 16, "layers": 3, "heads": 2, "context": 8},
}
V, T = 11, 40  # five contexts of the MiniGPT
NAMES = {
    "rnn": ["h"],
    "gru with layer norm": ["h", "r", "z", "n"],
    "lstm": ["h", "c", "i", "f", "g", "o"],
    "minigpt": ["layer 3", "layer 2", "layer 1", "embedding"],
}


@pytest.mark.parametrize("form", FORMS)
def test_reading_at_once_equals_stepping(form: str):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        decoder = build_model(FORMS[form], V).decoder()
    ids = np.random.default_rng(0).integers(0, V, T).tolist()
    trace = decoder.read(ids)
    assert list(trace.activations) == NAMES[form]
    reading = decoder.prefill([])
    for t, id in enumerate(ids):
        reading = decoder.step(id, reading.state)
        np.testing.assert_allclose(trace.logits[t], reading.logits, atol=1e-5)
        for name, rows in reading.activations.items():
            np.testing.assert_allclose(trace.activations[name][t], rows, atol=1e-5)
    np.testing.assert_allclose(trace.end.logits, reading.logits, atol=1e-5)
    after, expected = decoder.step(3, trace.end.state), decoder.step(3, reading.state)
    np.testing.assert_allclose(after.logits, expected.logits, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_a_text_read_in_pieces_leaves_what_the_whole_leaves(form: str):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        decoder = build_model(FORMS[form], V).decoder()
    ids = np.random.default_rng(1).integers(0, V, T).tolist()
    whole, first = decoder.read(ids), decoder.read(ids[:23])
    rest = decoder.read(ids[23:], first.end.state)
    np.testing.assert_allclose(np.concatenate([first.logits, rest.logits]), whole.logits, atol=1e-5)
    for name, rows in whole.activations.items():
        pieces = [first.activations[name], rest.activations[name]]
        np.testing.assert_allclose(np.concatenate(pieces), rows, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_a_decoder_takes_a_copy_of_the_weights_or_shares_them(form: str):
    model = build_model(FORMS[form], V)
    shared, own = model.decoder(share=True), model.decoder()
    before = own.prefill([1, 2]).logits
    assert np.array_equal(shared.prefill([1, 2]).logits, before)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.mul_(2.0 if name.startswith("head.") else 1.0)
    assert np.array_equal(own.prefill([1, 2]).logits, before)
    assert np.array_equal(shared.prefill([1, 2]).logits, 2 * before)
