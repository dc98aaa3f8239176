"""Fixed captions hold for every network, in the plain wording."""

import re

from tests.cli import ROOT
from tests.replaced_phrases import replaced_phrases

UI = ROOT / "charrnn/ui"
# Words of findings: a fixed sentence with one of them is about networks that nobody measured.
FINDINGS = re.compile(r"\b(often|mostly|usually|typically|rarely|seldom|tends? to|nearly everything|the more it)\b")
MEASURED = {"How often gates", "how often its gate", "how often it is"}  # of the figure beside the words


def test_fixed_sentences_state_no_findings():
    texts = {path.name: path.read_text(encoding="utf-8") for path in UI.rglob("*.html")}
    texts["heatmap_captions.js"] = (UI / "write/heatmap_captions.js").read_text(encoding="utf-8")
    found = []
    for name, text in texts.items():
        for part in MEASURED:
            text = text.replace(part, "")
        found += [(name, word[0]) for word in FINDINGS.finditer(text)]
    assert len(texts) > 20 and found == []


def test_replaced_phrases_do_not_come_back():
    sources = [path for path in (ROOT / "charrnn").rglob("*") if path.suffix in (".html", ".js", ".py")]
    found = {path.name: replaced_phrases(path.read_text(encoding="utf-8")) for path in sources}
    assert len(sources) > 300 and {name: phrases for name, phrases in found.items() if phrases} == {}
