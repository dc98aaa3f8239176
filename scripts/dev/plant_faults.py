"""
Plant random faults in a copy of the package and report those the tests miss.

    python scripts/dev/plant_faults.py                     20 faults, each against the quick tests
    python scripts/dev/plant_faults.py --seed 3 -n 5       5 other faults
    python scripts/dev/plant_faults.py --under charrnn/bptt -- tests/test_bptt.py

A fault is a flipped sign, a swapped operator or comparison, an off-by-one constant, a negated or dropped condition, or
a dropped call of min, max, clamp or escape. Exit code 1 if a fault was not found. What follows `--` goes to pytest.
"""

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from charrnn import script_runner

QUICK = ["-m", "not (browser or process or slow)"]
SWAPS: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
DROPPED = {"min", "max", "clamp", "clip", "escape", "escaped", "printable"}  # a call is replaced by its first argument


def faults(tree: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield (expression, faulty expression) for every possible place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and type(node.op) in SWAPS and not _is_text(node):
            yield node, ast.BinOp(node.left, SWAPS[type(node.op)](), node.right)
        elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in SWAPS:
            yield node, ast.Compare(node.left, [SWAPS[type(node.ops[0])]()], node.comparators)
        elif isinstance(node, ast.BoolOp):
            yield node, ast.BoolOp(SWAPS[type(node.op)](), node.values)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
            yield node, node.operand
        elif isinstance(node, ast.Constant) and type(node.value) is int and node.value < 1000:
            yield node, ast.Constant(node.value + 1)
        elif isinstance(node, ast.Call) and _name(node.func) in DROPPED and node.args:
            yield node, node.args[0]


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _is_text(node: ast.BinOp) -> bool:
    sides = (node.left, node.right)
    return any(isinstance(each, ast.JoinedStr) or isinstance(getattr(each, "value", None), str) for each in sides)


def plant(source: str, node: ast.expr, fault: ast.expr) -> str:
    """Return the source with one expression replaced."""
    lines = source.encode().splitlines(keepends=True)
    start = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    end = sum(map(len, lines[: (node.end_lineno or 0) - 1])) + (node.end_col_offset or 0)
    whole = source.encode()
    return (whole[:start] + f"({ast.unparse(fault)})".encode() + whole[end:]).decode()


def chosen(under: Path, count: int, seed: int) -> list[tuple[Path, ast.expr, ast.expr]]:
    """Draw faults without replacement, uniformly from a folder."""
    places = [
        (path, node, fault)
        for path in sorted(under.rglob("*.py"))
        for node, fault in faults(ast.parse(path.read_text(encoding="utf-8")))
    ]
    return random.Random(seed).sample(places, min(count, len(places)))


def is_found(copy: Path, arguments: list[str]) -> bool:
    """Return whether the tests fail in this copy of the project."""
    words = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "2", "-p", "no:cacheprovider", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    quiet = subprocess.DEVNULL
    status = subprocess.run(words, cwd=copy, env=environment, stdout=quiet, stderr=quiet).returncode
    if status not in (0, 1, 2):  # 2: pytest-xdist stopped at the first failure
        raise RuntimeError(f"pytest could not run: exit code {status}")
    return status > 0


def main(argv: list[str] | None = None) -> int:
    """Plant the faults one after the other and return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    at = arguments.index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--count", type=int, default=20, help="faults (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (%(default)s)")
    parser.add_argument("--under", default="charrnn", help="folder or package (%(default)s)")
    options = parser.parse_args(arguments[:at])
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__"))
        for path, node, fault in chosen(ROOT / options.under, options.count, options.seed):
            target = copy / path.relative_to(ROOT)
            source = path.read_text(encoding="utf-8")
            target.write_text(plant(source, node, fault), encoding="utf-8")
            found = is_found(copy, arguments[at + 1 :] or QUICK)
            target.write_text(source, encoding="utf-8")
            missed += not found
            change = f"{ast.unparse(node)[:50]} -> {ast.unparse(fault)[:50]}"
            print(
                f"{'found ' if found else 'MISSED'} {path.relative_to(ROOT).as_posix()}:{node.lineno}: {change}",
                flush=True,
            )
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(script_runner.run(main))
