"""Build the package with BUNDLED; everything else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
BUNDLED = ("checkpoints/rnn", "checkpoints/lstm", "docs/study.json", "docs/runs.json", "docs/lab_sheet.json")
BUNDLED += ("docs/bench_profile.json", "requirements.txt")
LEFT_OUT = shutil.ignore_patterns("training.safetensors", "*.tmp")


class BuildWithBundledFiles(build_py):
    """
    Copy BUNDLED to the same paths below charrnn/bundled.

    `charrnn.paths` finds them there; an editable install uses the repository's files.
    """

    def run(self) -> None:
        """Delete the output of an earlier build, then build."""
        package = Path(self.build_lib) / "charrnn"
        shutil.rmtree(package, ignore_errors=True)
        super().run()
        if self.editable_mode:
            return
        for name in BUNDLED:
            source, target = ROOT / name, package / "bundled" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=LEFT_OUT)
            else:
                shutil.copy2(source, target)


if __name__ == "__main__":
    setup(cmdclass={"build_py": BuildWithBundledFiles})
