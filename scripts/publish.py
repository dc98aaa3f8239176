"""
Publish a trained checkpoint on the Hugging Face Hub, in one commit, with a model card.

    python scripts/publish.py checkpoints/rnn owner/name

Log in first (`hf auth login`, or HF_TOKEN). An error is one line on stderr and exit code 1.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from charrnn import hub


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the checkpoint folder")
    parser.add_argument("repository", metavar="owner/name", help="where to; made where there is none")
    parser.add_argument("--private", action="store_true", help="make a new repository private")
    options = parser.parse_args(arguments)
    try:
        pushed = hub.push(options.folder, options.repository, private=options.private)
    except ValueError as error:  # CheckpointError, HubError
        print(error, file=sys.stderr)
        return 1
    print(f"{pushed.url} at commit {pushed.commit}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
