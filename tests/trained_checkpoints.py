"""Train small networks for a few steps."""

from dataclasses import replace
from pathlib import Path

from charrnn.corpus import Corpus
from charrnn.training import Recipe, Training
from tests.checkpoint_files import write_training

TEXT = (
    "ROMEO:\nWhat light is this, that breaks? It is the east; arise, fair sun, and kill the envious moon.\n\n"
    "JULIET:\nGood night, good night! Parting is such sweet sorrow; 'tis but thy name that is my enemy.\n\n"
) * 25
SMALL = Recipe(hidden_dim=16, steps=12, batch=4, seq_len=24, max_grad_norm=1.0, learning_rate=5e-3)
RECIPES = {
    "rnn": replace(SMALL, keep_steps=True),
    "rnn-layernorm": replace(SMALL, layer_norm=True),
    "gru": replace(SMALL, cell="gru", keep_steps=True),
    "lstm": replace(SMALL, cell="lstm", keep_steps=True),
    "minigpt": replace(SMALL, cell="minigpt", hidden_dim=32, keep_steps=True),
    "my <b>net & co": replace(SMALL, initialisation="orthogonal"),
}


def train_all(root: Path) -> Path:
    """Train one network per folder."""
    corpus = Corpus.from_text(TEXT)
    for seed, (name, recipe) in enumerate(RECIPES.items()):
        training = Training(corpus, recipe, seed)
        while True:
            if training.should_evaluate:
                training.measure()
            if training.finished:
                break
            training.advance()
        write_training(root / name, training, passage=TEXT[:2000] if name == "rnn" else "")
    return root
