"""The methods of a model that load, save and publish it."""

from pathlib import Path
from typing import Any, Self, cast

from charrnn.vocab import Vocab


class PretrainedMethods:
    """Methods of a model that call `charrnn.pretrained`, a higher layer, when used."""

    vocab: Vocab | None = None  # of the checkpoint that `from_pretrained` loaded

    @classmethod
    def from_pretrained(cls, source: str | Path, *, revision: str | None = None, subfolder: str = "") -> Self:
        """Load a checkpoint folder or a Hub repository."""
        from charrnn.pretrained import from_pretrained

        return from_pretrained(cast(Any, cls), source, revision, subfolder)

    def save_pretrained(self, folder: str | Path, *, vocab: Vocab | None = None) -> None:
        """Save a checkpoint folder; vocab None: that of the loaded checkpoint."""
        from charrnn.pretrained import save_pretrained

        save_pretrained(cast(Any, self), folder, vocab)

    def push_to_hub(
        self, repo_id: str, *, vocab: Vocab | None = None, private: bool = False, replace: bool = False
    ) -> str:
        """Publish as a repository of one checkpoint and return its address."""
        from charrnn.pretrained import push_to_hub

        return push_to_hub(cast(Any, self), repo_id, vocab, private, replace)
