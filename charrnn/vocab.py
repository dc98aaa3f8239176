"""The characters a model knows: text ↔ ids."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property


class UnknownCharacterError(ValueError):
    """A text holds a character that the vocabulary lacks; `character` and its `position` in the text."""

    def __init__(self, character: str, position: int):
        super().__init__(f"the model does not know the character {character!r} at position {position}; leave it out")
        self.character = character
        self.position = position


@dataclass(frozen=True)
class Vocab:
    """The distinct characters of a corpus; the id of a character is its index in `characters`."""

    characters: str

    def __post_init__(self) -> None:
        if not self.characters:
            raise ValueError("a vocabulary needs at least one character")
        if len(set(self.characters)) != len(self.characters):
            raise ValueError("a vocabulary lists every character once")

    @classmethod
    def from_text(cls, text: str) -> "Vocab":
        """The vocabulary of a corpus: `sorted(set(text))`."""
        return cls("".join(sorted(set(text))))

    @cached_property
    def ids(self) -> dict[str, int]:
        """The id of each character."""
        return {character: i for i, character in enumerate(self.characters)}

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> list[int]:
        """Text -> its ids. Raises UnknownCharacterError at the first character that is not in the vocabulary."""
        try:
            return [self.ids[character] for character in text]
        except KeyError:
            position = next(i for i, character in enumerate(text) if character not in self.ids)
            raise UnknownCharacterError(text[position], position) from None

    def decode(self, ids: Iterable[int]) -> str:
        """Ids -> their text."""
        return "".join(self.characters[i] for i in ids)

    def drop_unknown(self, text: str) -> tuple[str, list[tuple[int, str]]]:
        """The text without the characters that are not in the vocabulary, and those with their positions."""
        unknown = [(i, character) for i, character in enumerate(text) if character not in self.ids]
        return "".join(character for character in text if character in self.ids), unknown
