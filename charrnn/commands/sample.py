"""
Write a text with a checkpoint.

    python scripts/sample.py --checkpoint rnn --prompt "ROMEO:" --chars 500 --temperature 0.8 --seed 7
    python scripts/sample.py --checkpoint gru --prompt-file beginning.txt          a prompt of several lines
    python scripts/sample.py --checkpoint minigpt --step 300                       as it wrote after 300 updates
    python scripts/sample.py --state-dict solution.safetensors --data input.txt    your own solution of the lab sheet

Any network can be used. The cell of a state dict and its layer norm follow from names and shapes. The text is printed
as it is generated, with control characters escaped on a terminal; an error is one line on stderr and exit code 2.
"""

import argparse
import sys
from pathlib import Path

from charrnn import checkpoint, script_runner
from charrnn.corpus import read_text, tiny_shakespeare
from charrnn.flag_types import SEED, Number, name_or_path, path
from charrnn.paths import BUNDLED, CHECKPOINTS
from charrnn.ranges import Range
from charrnn.registry import Network
from charrnn.sampling import LIMITS, SamplingSettings, UniformStream, generate
from charrnn.vocab import Vocab

PROMPT = "ROMEO:"
STEP = CHARS = Number(Range(0, 10**9, whole=True))


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Parse the flags and check that they go together."""
    parser = script_runner.script_parser(__doc__)
    model = parser.add_mutually_exclusive_group()
    model.add_argument(
        "--checkpoint", type=name_or_path, default="rnn", help="a name under checkpoints/, or any checkpoint folder"
    )
    model.add_argument(
        "--state-dict",
        type=path,
        help="the bare state dict of a CharRNN as safetensors; needs the text it was trained on",
    )
    parser.add_argument("--step", type=STEP, help="one of the checkpoint's saved steps (default: the last)")
    parser.add_argument("--data", type=path, help="with --state-dict: its corpus (default: Tiny Shakespeare)")
    prompt = parser.add_mutually_exclusive_group()
    prompt.add_argument(
        "--prompt", help=f"the text to continue (default: {PROMPT}, as far as the model has its characters)"
    )
    prompt.add_argument("--prompt-file", type=path, help="a UTF-8 file with the prompt, line ends included")
    parser.add_argument("--chars", type=CHARS, default=500, help="characters to write (default: 500)")
    parser.add_argument(
        "--temperature", type=Number(LIMITS["temperature"]), default=0.8, help="0: always the likeliest (default: 0.8)"
    )
    parser.add_argument("--top-k", type=Number(LIMITS["top_k"]), default=0, help="0: off")
    parser.add_argument("--top-p", type=Number(LIMITS["top_p"]), default=1.0, help="1: off")
    parser.add_argument("--min-p", type=Number(LIMITS["min_p"]), default=0.0, help="0: off")
    parser.add_argument("--seed", type=SEED, default=7, help="the same seed writes the same text (default: 7)")
    options = parser.parse_args(argv)
    if options.data and not options.state_dict:
        parser.error("--data goes with --state-dict: a checkpoint stores its characters")
    if options.step is not None and options.state_dict:
        parser.error("--step goes with --checkpoint: a state dict has no saved steps")
    return options


def read_model(options: argparse.Namespace) -> tuple[Network, Vocab]:
    """Load the model and its vocabulary. Raises ValueError."""
    if options.state_dict is not None:
        vocab = Vocab.from_text(read_text(options.data) if options.data else tiny_shakespeare())
        return checkpoint.load_state_dict(options.state_dict, vocab), vocab
    loaded = checkpoint.load(folder_of(options.checkpoint), options.step)
    return loaded.model, loaded.vocab


def folder_of(name: str) -> Path:
    """Return the checkpoint folder of a name or path. Raises ValueError."""
    roots = (CHECKPOINTS, BUNDLED / "checkpoints")
    paths = (roots[0] / name, Path(name), roots[1] / name)
    if found := next((path for path in paths if name and path.is_dir()), None):
        return found
    bundled = ", ".join(sorted({path.parent.name for root in roots for path in root.glob("*/model.safetensors")}))
    raise ValueError(f"there is no checkpoint {name!r}: give a folder that holds one, or one of {bundled}")


def main(argv: list[str] | None = None) -> int:
    """Generate the text and return the exit code."""
    options = parse(argv)
    try:
        settings = SamplingSettings(options.temperature, options.top_k, options.top_p, options.min_p)
        uniforms = UniformStream(options.seed)
        model, vocab = read_model(options)
        prompt = read_text(options.prompt_file) if options.prompt_file else options.prompt
        prompt = vocab.default_prompt(PROMPT) if prompt is None else prompt
        decoder = model.decoder()
        output = decoder.prefill(vocab.encode(prompt))
        script_runner.write_text(prompt)
        for step in generate(decoder, output, options.chars, settings, uniforms):
            script_runner.write_text(vocab.decode([step.id]))
            sys.stdout.flush()
        script_runner.write_text("\n")
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0
