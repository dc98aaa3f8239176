"""Batch sampling: random windows, or contiguous streams with carried state."""

from typing import Any

import torch
from torch import Tensor

from charrnn.corpus import contiguous_streams, random_windows


class RandomWindows:
    """Random windows of the text ids (N,), each read from a zero state."""

    state = None

    def __init__(self, ids: Tensor, batch: int, seq_len: int):
        self.ids, self.batch, self.seq_len = ids, batch, seq_len

    def next(self, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return x (B, T) and the targets y (B, T), shifted by one."""
        return random_windows(self.ids, self.batch, self.seq_len, rng)

    def carry(self, state: Any) -> None:
        """Ignore the state."""

    def position(self) -> tuple[dict[str, Tensor], dict[str, int]]:
        """Return the tensors and numbers that restore this position."""
        return {}, {}

    def seek(self, state: Any, position: dict[str, int]) -> None:
        """Restore a position and its carried state (None: no state was carried)."""


class ContiguousStreams(RandomWindows):
    """
    B contiguous streams: each window continues the previous one and its state.

    At the end of an epoch the state is reset and the streams are shifted, so that no two epochs have the same
    windows. Raises ValueError for a text too short for one window per stream.
    """

    def __init__(self, ids: Tensor, batch: int, seq_len: int):
        super().__init__(ids, batch, seq_len)
        if len(ids) < (least := batch * (seq_len + 1) + seq_len):
            raise ValueError(
                f"the text has {len(ids)} characters to learn from: {batch} streams of {seq_len} take {least}; "
                "give a smaller --batch or --seq-len, or --no-stateful"
            )
        self.offset, self.start = 0, len(ids)  # as if at the end of an epoch
        self.state = None

    def next(self, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        rows = contiguous_streams(self.ids[self.offset :], self.batch)
        if self.start + self.seq_len + 1 > rows.shape[1]:
            self.offset = int(torch.randint(self.seq_len, (), generator=rng))
            self.start, self.state = 0, None
            rows = contiguous_streams(self.ids[self.offset :], self.batch)
        start, end = self.start, self.start + self.seq_len
        self.start = end
        return rows[:, start:end], rows[:, start + 1 : end + 1]

    def carry(self, state: Any) -> None:
        """Carry the state to the next window, detached from the graph."""
        self.state = type(state)(*(part.detach() for part in state))

    def position(self) -> tuple[dict[str, Tensor], dict[str, int]]:
        carried = {} if self.state is None else self.state._asdict()
        return carried, {"offset": self.offset, "start": self.start}

    def seek(self, state: Any, position: dict[str, int]) -> None:
        self.offset, self.start, self.state = int(position["offset"]), int(position["start"]), state
