import numpy as np
import torch
import torch.nn.functional as F

from charrnn.cells import HiddenState
from charrnn.model import CharRNN

KEYS = ["embed.weight", "cell.W_ih.weight", "cell.W_hh.weight", "cell.W_hh.bias", "head.weight", "head.bias"]


def test_the_state_dict_has_the_keys_of_the_lab_sheet():
    assert list(CharRNN(65).state_dict()) == KEYS


def test_forward_gives_logits_for_every_character_and_the_last_state():
    logits, state = CharRNN(7, 5)(torch.zeros(3, 4, dtype=torch.long))
    assert logits.shape == (3, 4, 7)
    assert state.h.shape == (3, 5)


def test_forward_is_the_loop_of_the_lab_sheet():
    model = CharRNN(7, 5).double()
    ids = torch.randint(7, (2, 6))
    h, logits = torch.zeros(2, 5, dtype=torch.float64), []
    for t in range(6):
        e = F.embedding(ids[:, t], model.embed.weight)
        h = torch.tanh(F.linear(e, model.cell.W_ih.weight) + F.linear(h, model.cell.W_hh.weight, model.cell.W_hh.bias))
        logits.append(F.linear(h, model.head.weight, model.head.bias))
    assert torch.allclose(model(ids)[0], torch.stack(logits, 1), rtol=0, atol=1e-14)


def test_states_are_those_that_forward_passes_through():
    model, ids = CharRNN(7, 5).double(), torch.randint(7, (2, 6))
    for t in range(6):
        assert torch.allclose(model.states(ids)[:, t], model(ids[:, : t + 1])[1].h, rtol=0, atol=1e-14)


def test_the_decoder_reads_what_forward_reads():
    model, ids = CharRNN(7, 5), torch.randint(7, (1, 9))
    logits, state = model(ids)
    decoder = model.decoder()
    reading = decoder.prefill(ids[0].tolist())
    assert np.allclose(reading.logits, logits[0, -1].detach(), atol=1e-5)
    assert np.allclose(reading.state.h, state.h[0].detach(), atol=1e-5)
    assert reading.logits.dtype == reading.state.h.dtype == np.float32


def test_stepping_equals_prefilling():
    decoder, ids = CharRNN(7, 5).decoder(), [3, 1, 6, 0]
    stepped = decoder.prefill(ids[:1])
    for id in ids[1:]:
        stepped = decoder.step(id, stepped.state)
    whole = decoder.prefill(ids)
    assert np.array_equal(stepped.logits, whole.logits)
    assert np.array_equal(stepped.state.h, whole.state.h)


def test_a_decoder_does_not_follow_later_training():
    model = CharRNN(7, 5)
    decoder = model.decoder()
    before = decoder.prefill([1, 2]).logits
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    assert np.array_equal(decoder.prefill([1, 2]).logits, before)


def test_an_empty_text_leaves_the_model_at_its_start():
    model = CharRNN(7, 5)
    reading = model.decoder().prefill([])
    assert np.allclose(reading.logits, model.head(torch.zeros(5)).detach(), atol=1e-6)


def test_sample_continues_every_row_and_repeats_with_its_seed():
    model, ctx = CharRNN(7, 5), torch.randint(7, (3, 4))
    text = model.sample(ctx, 10, temperature=0.8, top_k=5, seed=1)
    assert text.shape == (3, 14)
    assert torch.equal(text[:, :4], ctx)
    assert torch.equal(text, model.sample(ctx, 10, temperature=0.8, top_k=5, seed=1))
    assert not torch.equal(text, model.sample(ctx, 10, temperature=0.8, top_k=5, seed=9))


def test_greedy_sampling_follows_the_argmax_of_forward():
    model, ctx = CharRNN(7, 5).double(), torch.randint(7, (1, 4))
    text = model.sample(ctx, 8, temperature=0)
    for t in range(4, 12):
        logits, _ = model(text[:, :t], HiddenState(torch.zeros(1, 5, dtype=torch.float64)))
        assert text[0, t] == logits[0, -1].argmax()


def test_sampling_leaves_the_global_random_state_alone():
    model, ctx = CharRNN(7, 5), torch.zeros(1, 1, dtype=torch.long)
    before = torch.get_rng_state()
    model.sample(ctx, 5, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
