"""The page's engine under node computes what Python computes."""

import base64
import re

import pytest
import wasmtime

from tests import engine_cases
from tests.cli import ROOT
from tests.node import run_node

ENGINE = ROOT / "charrnn" / "ui" / "engine"


def test_every_kernel_has_a_case():
    assert {case["op"] for case in engine_cases.kernel_cases()} == engine_cases.kernel_names()


@pytest.mark.process
def test_engine_modules(tmp_path, monkeypatch):
    engine_cases.write(tmp_path)
    monkeypatch.setenv("ENGINE_CASES", str(tmp_path))
    done = run_node("--test", "--test-reporter=spec", "engine.test.mjs")
    assert done.returncode == 0, done.stdout[-8000:]


def test_matrix_product_binary_matches_source():
    found = re.search(r"const BINARY =\s*`([^`]*)`", (ENGINE / "matvec_wasm.js").read_text(encoding="utf-8"))
    assert found is not None
    source = (ENGINE / "matvec.wat").read_text(encoding="utf-8")
    assert base64.b64decode("".join(found[1].split())) == bytes(wasmtime.wat2wasm(source))
