"""
Published results on Tiny Shakespeare (last 10 % held out), with sources.

None was measured here. nanoGPT and its derivatives average over random windows without context, which is close to our
`cold` loss, not `stream`.
"""

from dataclasses import dataclass

FROM_ZERO = "random windows, each from a zero state"


@dataclass(frozen=True)
class Published:
    """A published validation loss in nats per character, its protocol and source."""

    name: str
    parameters: int | None  # None if the source does not say
    val_nats: float
    protocol: str
    source: str

    @property
    def url(self) -> str:
        """Address of the source; "" if it has none."""
        return URLS.get(self.source, "")


NANO_GPT, MIN_RNNS = "Karpathy, nanoGPT", "Feng et al. 2024, Were RNNs all we needed?"
URLS = {NANO_GPT: "https://github.com/karpathy/nanoGPT", MIN_RNNS: "https://arxiv.org/abs/2410.01201"}
PUBLISHED = (
    Published(
        "nanoGPT, baby GPT",
        10_650_000,
        1.4697,
        f"{FROM_ZERO}, up to 256 characters; the best of 5000 steps",
        NANO_GPT,
    ),
    Published(
        "GPT, 4 layers, d = 256",
        3_300_000,
        1.543,
        f"{FROM_ZERO}, up to 512 characters; 2000 steps",
        "narinzar, a model card on Hugging Face",
    ),
    Published("minGRU", None, 1.548, "test loss, the best step", MIN_RNNS),
    Published("minLSTM", None, 1.555, "test loss, the best step", MIN_RNNS),
    Published(
        "nanoGPT on a CPU",
        800_000,
        1.88,
        f"{FROM_ZERO}, up to 64 characters; 2000 steps",
        NANO_GPT,
    ),
)
