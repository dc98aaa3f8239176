"""Batches: random windows, or contiguous streams with a carried state."""

import pytest
import torch

from charrnn.cells import HiddenState, LSTMState
from charrnn.training.batches import ContiguousStreams, RandomWindows

TEXT = torch.arange(1000)  # each id is its position


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def epoch(windows, rng):
    """Return the windows of one epoch, each with its initial state."""
    found = [(*windows.next(rng), windows.state)]
    while True:
        windows.carry(HiddenState(torch.ones(windows.batch, 3)))
        x, y = windows.next(rng)
        if windows.state is None:
            return found
        found.append((x, y, windows.state))


@pytest.mark.parametrize(("batch", "seq_len"), [(1, 7), (3, 5), (4, 24), (7, 13)])
def test_streams_cover_text_in_order(batch, seq_len):
    windows = ContiguousStreams(TEXT, batch, seq_len)
    found = epoch(windows, generator())
    x, y = torch.cat([x for x, _, _ in found], dim=1), torch.cat([y for _, y, _ in found], dim=1)
    offset = int(torch.randint(seq_len, (), generator=generator()))
    length = (1000 - offset) // batch
    assert x.shape == (batch, seq_len * len(found))
    assert torch.equal(y, x + 1), "each character is predicted from the one before"
    for row in range(batch):
        assert x[row].tolist() == list(range(offset + row * length, offset + row * length + x.shape[1]))
    assert length - seq_len <= x.shape[1] + 1 <= length, "less than a window of each stream is left out"


def test_carried_state_has_no_gradient():
    windows, rng = ContiguousStreams(TEXT, 2, 10), generator()
    windows.next(rng)
    h, c = torch.randn(2, 2, 4, requires_grad=True).unbind()
    windows.carry(LSTMState(h, c))
    windows.next(rng)
    assert isinstance(windows.state, LSTMState)
    assert torch.equal(windows.state.h, h) and torch.equal(windows.state.c, c)
    assert not windows.state.h.requires_grad and not windows.state.c.requires_grad


def test_epochs_start_at_different_offsets():
    windows, rng, firsts = ContiguousStreams(TEXT, 3, 50), generator(), []
    for _ in range(30):
        x, _ = windows.next(rng)
        if windows.state is None:
            firsts.append(int(x[0, 0]))
        windows.carry(HiddenState(torch.zeros(3, 2)))
    assert len(firsts) == 5, "six windows an epoch"
    assert len(set(firsts)) > 1
    assert all(0 <= first < 50 for first in firsts)


@pytest.mark.parametrize("taken", [0, 1, 5, 6, 7])
def test_position_restores_streams(taken):
    """An epoch has six windows: within it, at its end and after it."""
    original, rng = ContiguousStreams(TEXT, 3, 50), generator()
    for i in range(taken):
        original.next(rng)
        original.carry(LSTMState(torch.full((3, 2), float(i)), torch.full((3, 2), float(-i))))
    restored = ContiguousStreams(TEXT, 3, 50)
    carried, position = original.position()
    restored.seek(LSTMState(**carried) if carried else None, position)
    rngs = [rng, rng.clone_state()]
    for _ in range(9):
        windows = [stream.next(rng) for stream, rng in zip((original, restored), rngs, strict=True)]
        assert all(torch.equal(a, b) for a, b in zip(*windows, strict=True))
        assert (original.state is None) == (restored.state is None)
        if original.state is not None and restored.state is not None:
            assert type(restored.state) is type(original.state)
            assert all(torch.equal(a, b) for a, b in zip(original.state, restored.state, strict=True))


@pytest.mark.parametrize(("batch", "seq_len"), [(1, 1), (4, 9), (64, 128)])
def test_shortest_text_has_window_of_every_stream(batch, seq_len):
    least = batch * (seq_len + 1) + seq_len
    for seed in range(50):
        x, y = ContiguousStreams(torch.arange(least), batch, seq_len).next(generator(seed))
        assert x.shape == y.shape == (batch, seq_len)
    with pytest.raises(
        ValueError, match=f"has {least - 1} characters .* take {least}; give a smaller --batch or --seq-len"
    ):
        ContiguousStreams(torch.arange(least - 1), batch, seq_len)


def test_random_windows_carry_nothing():
    windows, rng = RandomWindows(TEXT, 4, 10), generator()
    x, y = windows.next(rng)
    assert torch.equal(y, x + 1)
    windows.carry(HiddenState(torch.ones(4, 2)))
    assert windows.state is None
    assert windows.position() == ({}, {})
