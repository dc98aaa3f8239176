"""The methods of a model that load, save and publish it."""

from pathlib import Path
from typing import Any, Self, cast

from charrnn.vocab import Vocab


class PretrainedMethods:
    """`charrnn.pretrained` as methods of a model; imported when one is called, since it is a higher layer."""

    vocab: Vocab | None = None  # of the checkpoint that `from_pretrained` loaded

    @classmethod
    def from_pretrained(cls, source: str | Path, *, revision: str | None = None, subfolder: str = "") -> Self:
        """Load a checkpoint folder or a Hub repository, as `charrnn.pretrained.from_pretrained`."""
        from charrnn.pretrained import from_pretrained

        return from_pretrained(cast(Any, cls), source, revision, subfolder)

    def save_pretrained(self, folder: str | Path, *, vocab: Vocab | None = None) -> None:
        """Save a checkpoint folder; vocab: that of the checkpoint it was loaded from if None."""
        from charrnn.pretrained import save_pretrained

        save_pretrained(cast(Any, self), folder, vocab)

    def push_to_hub(
        self, repo_id: str, *, vocab: Vocab | None = None, private: bool = False, replace: bool = False
    ) -> str:
        """Publish as a repository of one checkpoint, as `charrnn.pretrained.push_to_hub`; its address."""
        from charrnn.pretrained import push_to_hub

        return push_to_hub(cast(Any, self), repo_id, vocab, private, replace)
