"""Default prompts fit vocabularies without capitals."""

import json

import pytest

from charrnn.checkpoint import load
from charrnn.commands import sample
from charrnn.sampling import SamplingSettings, UniformStream, generate
from charrnn.ui import api
from charrnn.ui.compare.samples import sample as sample_of
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.share_link import parse_link
from charrnn.ui.sidebar.sidebar import describe_models
from charrnn.vocab import Vocab
from tests.cli import run_main
from tests.small_models import SMALL, save_small

TEXTS = {"lower case": ("\n abcdefg,.", "\n"), "no line end": ("πω", "π"), "subset": ("ROab\n", "ROO\n")}


@pytest.fixture(params=TEXTS)
def own(request, tmp_path):
    """A folder with one network, `mine`, and its default prompt."""
    characters, prompt = TEXTS[request.param]
    save_small(tmp_path / "mine", SMALL["rnn"], Vocab(characters))
    return tmp_path, prompt


def test_sample_default_prompt_fits_vocabulary(own, capsys):
    root, prompt = own
    prompt = prompt.rstrip("\n") or prompt
    code, out, err = run_main(capsys, sample.main, "--checkpoint", root / "mine", "--chars", 9)
    trained = load(root / "mine")
    decoder = trained.model.decoder()
    steps = generate(decoder, decoder.prefill(trained.vocab.encode(prompt)), 9, SamplingSettings(0.8), UniformStream(7))
    assert (code, err) == (0, "") and out == prompt + trained.vocab.decode(step.id for step in steps) + "\n"
    code, _, err = run_main(capsys, sample.main, "--checkpoint", root / "mine", "--prompt", "ROMEO?")
    assert code == 2 and "'M'" in err and "'?' at position 5" in err


def test_api_defaults_fit_vocabulary(own):
    root, prompt = own
    endpoints = {}
    with pytest.MonkeyPatch.context() as patch:
        register = lambda function, api_name, **_: endpoints.update({api_name: function.__wrapped__})  # noqa: E731
        patch.setattr(api, "endpoint", register)
        api.build(Store(root))
    assert endpoints["write"](characters=5).startswith(prompt)
    assert sum(row["probability"] for row in endpoints["next_characters"]()) == pytest.approx(1)
    with pytest.raises(ValueError, match="does not know"):
        endpoints["write"](prompt="QUEEN:")


def test_page_defaults_fit_vocabulary(own):
    root, prompt = own
    store = Store(root)
    assert json.loads(describe_models(store, store.load()))["models"][0]["prompt"] == prompt
    assert parse_link(store, {}).to_json()["prompt"] == prompt
    assert sample_of(store, "mine", 40).startswith(prompt)


def test_prompt_file_keeps_line_ends(tmp_path, capsys):
    (tmp_path / "beginning.txt").write_bytes("\ufeffROMEO:\r\nSoft!\n".encode())
    given = run_main(capsys, sample.main, "--prompt-file", tmp_path / "beginning.txt", "--chars", 5)
    assert given.code == 0 and given.out.startswith("ROMEO:\nSoft!\n")
    assert given == run_main(capsys, sample.main, "--prompt", "ROMEO:\nSoft!\n", "--chars", 5)
    code, _, err = run_main(capsys, sample.main, "--prompt-file", tmp_path / "none.txt")
    assert code == 2 and "cannot read" in err
