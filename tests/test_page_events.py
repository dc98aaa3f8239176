"""The table of page events at the top of components/page_state.js."""

import re

from tests.cli import ROOT

UI = ROOT / "charrnn/ui"
DIRECT = re.compile(r"""\bpage\.(on|emit)\(\s*["']([\w-]+)["']""")
LOOP = re.compile(r"for \(const (\w+) of \[([^\]]*)\]\) page\.(on|emit)\(\1\b")
ANY = re.compile(r"\bpage\.(?:on|emit)\(")


def test_event_table_lists_all_page_events():
    head = (UI / "components/page_state.js").read_text(encoding="utf-8").partition("\nconst ")[0]
    rows = re.findall(r"^// ([a-z-]+) +\| (.+?) +\| (.+?) +\| ", head, re.MULTILINE)[1:]
    senders = {name: {sender.strip() for sender in sent_by.split(",")} for name, _, sent_by in rows}
    assert len(senders) == len(rows) > 15
    used: dict[str, dict[str, set[str]]] = {"on": {}, "emit": {}}
    for path in UI.rglob("*.js"):
        script = re.sub(r"^\s*//.*", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        direct, loops = DIRECT.findall(script), LOOP.findall(script)
        assert len(direct) + len(loops) == len(ANY.findall(script)), f"{path.name}: an event without a literal name"
        found = direct + [(kind, name) for _, names, kind in loops for name in re.findall(r"[\w-]+", names)]
        for kind, name in found:
            used[kind].setdefault(name, set()).add(path.stem)
    assert used["emit"] == senders
    assert used["on"].keys() == senders.keys(), "every event has a listener"
