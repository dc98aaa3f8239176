"""The tab Compare: scoreboard, samples, training curves; and the step profile."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from charrnn import figures
from charrnn.analysis_record import AnalysisRecord
from charrnn.checkpoint import describe, load, write_analyses
from charrnn.metrics import bits_per_char, perplexity
from charrnn.paths import STUDY
from charrnn.published_results import PUBLISHED
from charrnn.ui.compare import samples, scoreboard, training_curves
from charrnn.ui.components.table.table import Cell, Table, number
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.view_query import ViewQuery
from charrnn.ui.under_the_hood import recorded_profile
from tests.small_models import save_all
from tests.test_figures import PROFILE
from tests.trained_checkpoints import RECIPES
from tests.ui.compare_helpers import always, decoded
from tests.ui.conftest import CHECKPOINTS, open_page
from tests.ui.page_actions import generated


@pytest.fixture
def store(trained: Path) -> Store:
    return Store(trained)


# ------------------------------------------------------------------ training curves


def test_training_curves_follow_the_query(store: Store):
    form = {"parts": ["train"], "unit": "bits", "span": "whole"}
    (answer,) = decoded(training_curves.training_curves(store, ViewQuery(names=("gru",), form=form)))
    (line,) = answer["figure"]["data"]
    history = store.load("gru").info.history
    assert line["y"] == [bits_per_char(point.train_loss_nats) for point in history]
    assert answer["selected"] == ["gru"] and "bits per character" in answer["words"]


def test_empty_selection_says_what_to_tick(store: Store):
    (answer,) = decoded(training_curves.training_curves(store, ViewQuery(names=())))
    assert answer["words"] == "Choose at least one network." and answer["figure"] is None
    (answer,) = decoded(training_curves.training_curves(store, ViewQuery(names=("gru",), form={"parts": []})))
    assert answer["words"] == "Choose at least one curve."


@pytest.mark.parametrize("form", [{"unit": "apples"}, {"span": 3}, {"unit": {}}])
def test_invalid_curve_options_are_refused(store: Store, form: dict[str, Any]):
    with pytest.raises(ValueError, match="give one of"):
        decoded(training_curves.training_curves(store, ViewQuery(form=form)))


# ------------------------------------------------------------------ the table


def test_scoreboard_has_models_published_and_ngram(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    names = ("order", "ngrams", "train_loss_nats", "val_stream_nats", "val_cold_nats", "seconds")
    orders = [(5, 10, 1.2, 1.56, 1.57, 3), (7, 90, 0.9, 1.51, 1.52, 6)]
    rows = [dict(zip(names, numbers, strict=True)) for numbers in orders]
    study_file = tmp_path / "study.json"
    study_file.write_text(json.dumps({"ngram": {"rows": rows}}))
    gru = store.load("gru").info
    monkeypatch.setattr(scoreboard, "TINY_SHAKESPEARE_SHA256", gru.data_sha256)  # the text of the recorded runs
    loss = gru.metrics["val_stream_nats"]
    others = [(1, loss + 0.03, gru.recipe), (2, loss + 0.06, {"cell": "gru"}), (3, 9.0, gru.recipe | {"batch": 1})]
    runs = [
        {"name": f"gru-seed{seed}", "seed": seed, "recipe": recipe, "metrics": {"val_stream_nats": nats}}
        for seed, nats, recipe in others
    ]
    (tmp_path / "runs.json").write_text(json.dumps(runs))
    (answer,) = decoded(scoreboard.scoreboard(store, ViewQuery(), study_file))
    table = answer["table"]
    assert [column["title"] for column in table["columns"]] == list(scoreboard.TITLES)
    found = {row["cells"][0]["text"]: row for row in table["rows"]}
    for name in RECIPES:
        info = store.load(name).info
        (row,) = [row for row in table["rows"] if row["cells"][0].get("model") == name]
        values = [cell.get("value") for cell in row["cells"][1:8]]
        metrics = [info.metrics[key] for key in ("train_loss_nats", "val_stream_nats", "val_cold_nats")]
        stream = info.metrics["val_stream_nats"]
        expected = [info.parameters, info.metrics["minutes"], *metrics, bits_per_char(stream), perplexity(stream)]
        assert values == expected and not row["quiet"]
    for other in PUBLISHED:
        cells = found[other.name]["cells"]
        assert cells[5]["value"] == other.val_nats and cells[1].get("value") == other.parameters
        assert cells[-1]["text"] == other.source and cells[-1].get("link", "") == other.url
        assert found[other.name]["quiet"]
    assert found["Kneser-Ney 7-gram"]["cells"][4]["value"] == 1.51 and "Kneser-Ney 5-gram" not in found
    mean, margin = bits_per_char(loss + 0.03), bits_per_char(4.3027 * 0.03 / 3**0.5)  # Student's t, of three runs
    (point,) = [point for point in answer["figure"]["data"] if point["x"] == [gru.parameters]]
    assert (point["y"][0], point["error_y"]["array"][0]) == pytest.approx((mean, margin), rel=0.01)
    assert found["GRU"]["cells"][8]["text"] == f"{mean:.3f} ± {point['error_y']['array'][0]:.3f} (3 runs)"
    assert found["LSTM"]["cells"][8]["text"] == "1 run" and "GRU (3 runs); the others have one run" in answer["words"]
    infos = [store.load(name).info for name in RECIPES if name != "gru"]
    points = {(point["x"][0], point["y"][0]) for point in answer["figure"]["data"]}
    assert {(info.parameters, bits_per_char(info.metrics["val_stream_nats"])) for info in infos} <= points
    (line,) = answer["figure"]["layout"]["shapes"]
    assert line["y0"] == bits_per_char(1.51)


def test_means_are_of_one_recipe_on_one_text(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    gru = store.load("gru").info
    monkeypatch.setattr(scoreboard, "TINY_SHAKESPEARE_SHA256", gru.data_sha256)
    infos = [
        replace(gru, name="gru-seed4", seed=4, metrics={"val_stream_nats": 1.5}),
        replace(gru, name="rnn", seed=5, data_sha256="0" * 64),
        replace(gru, name="lstm", metrics={}),
        replace(gru, metrics={"val_stream_nats": 1.4}),
    ]
    others = [{"name": f"{name}-seed1", "seed": 1, "recipe": gru.recipe} for name in ("gru", "rnn", "lstm")]
    runs = tmp_path / "runs.json"
    runs.write_text(json.dumps([run | {"metrics": {"val_stream_nats": 1.6}} for run in others]))
    means = scoreboard.mean_losses(infos, runs)
    assert {name: (mean.value, mean.runs) for name, mean in means.items()} == {"gru": (pytest.approx(1.5), 3)}


def test_bundled_networks_are_means_of_three_runs():
    infos = Store(CHECKPOINTS).checkpoints()
    means = scoreboard.mean_losses(infos, STUDY.with_name("runs.json"))
    assert {info.name for info in infos} - {"minigpt"} == {name for name, mean in means.items() if mean.runs == 3}


def test_scoreboard_says_who_beats_the_ngram():
    scores = [figures.Score("A", 100, 2.3, "red"), figures.Score("B", 200, 2.1, "red"), figures.Score("theirs", 9, 1.0)]
    floor = ("7-gram counts", 2.2)
    text = "B predicts best: 2.100 bits per character."
    assert figures.describe_scores(scores, None) == text
    assert (
        figures.describe_scores(scores, floor)
        == f"{text} 1 of 2 networks beat 7-gram counts (2.200); A (2.300) does not."
    )
    assert figures.describe_scores(scores[1:], floor) == f"{text} It beats 7-gram counts (2.200)."
    assert figures.describe_scores([], floor) == ""


@pytest.mark.parametrize("content", [None, "{", "{}", '{"ngram": {"rows": []}}', '{"ngram": {"rows": [{"order": 5}]}}'])
def test_invalid_study_file_adds_no_rows(tmp_path: Path, content: str | None):
    study_file = tmp_path / "study.json"
    if content is not None:
        study_file.write_text(content)
    assert scoreboard.ngram_rows(study_file) == []


def test_checkpoint_without_metrics_has_a_row(store: Store):
    info = store.load("rnn").info
    row = scoreboard.checkpoint_row(replace(info, metrics={"val_stream_nats": "good"}))
    assert [cell.text for cell in row[2:8]] == ["–"] * 6 and row[8].text == "1 run"


def test_stored_half_life_and_context_are_shown(tmp_path: Path):
    save_all(tmp_path)
    info = describe(tmp_path / "gru")
    found = {"gradient": AnalysisRecord({"half_life_chars": 3.14159}), "memory": AnalysisRecord({"ecl_chars": 39})}
    write_analyses(info.folder, info.sha256, found)
    at = scoreboard.TITLES.index("half-life")
    row = scoreboard.checkpoint_row(describe(tmp_path / "gru"))
    assert [(cell.text, cell.value) for cell in row[at : at + 2]] == [("3.1", 3.14159), ("39", 39)]
    ends = {"half_life_low": 3.04, "half_life_high": None}, {"ecl_low": 36, "ecl_high": 41}
    intervals = {
        name: AnalysisRecord({**record.facts, **more}) for (name, record), more in zip(found.items(), ends, strict=True)
    }
    write_analyses(info.folder, info.sha256, intervals)
    row = scoreboard.checkpoint_row(describe(tmp_path / "gru"))
    assert [cell.text for cell in row[at : at + 2]] == ["3.1 (3.0 to ∞)", "39 (36 to 41)"]
    write_analyses(
        info.folder, info.sha256, {"memory": AnalysisRecord({"ecl_chars": -1}), "gradient": AnalysisRecord()}
    )
    row = scoreboard.checkpoint_row(describe(tmp_path / "gru"))
    assert [cell.text for cell in row[at : at + 2]] == ["–", "–"]


def test_column_with_values_is_numeric():
    sent = Table("", ["a", "b"], [[Cell("x"), number(None)], [Cell("y"), number(2.0, "{:.1f}")]]).to_json()
    assert [column["numeric"] for column in sent["columns"]] == [False, True]
    assert sent["rows"][0]["cells"][1] == {"text": "–"} and sent["rows"][1]["cells"][1] == {"text": "2.0", "value": 2.0}


# ------------------------------------------------------------------ samples


def written(trained: Path, name: str, step: int) -> str:
    return generated(load(trained / name, step), "ROMEO:\n", 300, 7)


@pytest.mark.parametrize("name", ["lstm", "minigpt"])
def test_samples_stream_by_step_with_the_same_draws(store: Store, trained: Path, name: str):
    answers = decoded(samples.samples(store, ViewQuery(form={"model": name}), always))
    assert [len(answer["samples"]) for answer in answers] == [1, 2, 3]
    assert "writes" in answers[0]["words"] and answers[-1]["words"] == ""
    shown = {each["step"]: each["text"] for each in answers[-1]["samples"]}
    assert shown == {step: written(trained, name, step) for step in (0, 10, 12)}
    losses = {point.step: point.val_loss_nats for point in store.load(name).info.history}
    assert [each["loss"] for each in answers[-1]["samples"]] == [f"val {losses[s]:.3f} nats" for s in (0, 10, 12)]


def test_sample_is_cached(store: Store):
    assert samples.sample(store, "gru", 10) is samples.sample(store, "gru", 10)


def test_model_without_saved_steps_says_so(store: Store):
    (answer,) = decoded(samples.samples(store, ViewQuery(form={"model": "rnn-layernorm"}), always))
    assert answer["words"] == "Only the final network was saved." and len(answer["samples"]) == 1


# ------------------------------------------------------------------ the step profile


def test_missing_profile_says_how_to_measure(tmp_path: Path):
    for content in (None, "{", "[]", "{}"):
        path = tmp_path / "bench_profile.json"
        if content is not None:
            path.write_text(content)
        for panel in (recorded_profile.profile, recorded_profile.against_length):
            with pytest.raises(ValueError, match="python scripts/bench.py profile --json"):
                decoded(panel(ViewQuery(), path))


def test_profile_views_show_record_and_machine(tmp_path: Path):
    path = tmp_path / "bench_profile.json"
    path.write_text(json.dumps(PROFILE))
    (answer,) = decoded(recorded_profile.profile(ViewQuery(), path))
    assert "Measured on a processor, 1 thread, torch 2" in answer["words"] and answer["figure"]["data"]
    assert [cell.get("value") for cell in answer["table"]["rows"][0]["cells"][1:5]] == [100.0, 0.9, 5.0, 40.0]
    (answer,) = decoded(recorded_profile.against_length(ViewQuery(), path))
    assert [cell.get("value") for cell in answer["table"]["rows"][1]["cells"][1:]] == [900.0, 950.0, 1000.0]


# ------------------------------------------------------------------ in a browser


@pytest.fixture(scope="module")
def file_page(file_context: BrowserContext, trained_app: str) -> Page:
    return open_page(file_context, trained_app)


@pytest.fixture
def page(file_page: Page) -> Page:
    """One page for all tests, with the tab Compare open."""
    page = file_page
    page.get_by_role("tab", name="Compare").click()
    for part in ("#cr-results .main-svg", "#cr-learning .cr-learn"):
        page.locator(part).first.wait_for()
    page.evaluate(
        "document.querySelectorAll('#cr-results details, #cr-training details').forEach((each) => (each.open = true))"
    )
    page.locator("#cr-training .main-svg").first.wait_for()
    return page


def traces(page: Page) -> dict[str, tuple[list[float], list[float | None]]]:
    """The x and y values of every line of the training curves."""
    found = page.evaluate(
        """() => document.querySelector('#cr-training .cr-plot').data
            .map((trace) => [trace.name, [...trace.x], [...trace.y]])"""
    )
    return {name: (x, y) for name, x, y in found}


def wait_for_traces(page: Page, condition: str) -> None:
    page.wait_for_function(
        "(condition) => new Function('traces', 'return ' + condition)"
        "(document.querySelector('#cr-training .cr-plot').data.map((trace) => trace.name))",
        arg=condition,
    )


def test_page_training_curves_match_histories(page: Page, store: Store):
    page.locator("#cr-training").get_by_role("checkbox", name="RNN + layer norm").click()
    wait_for_traces(page, "traces.includes('RNN + layer norm, train')")
    drawn = traces(page)
    for name, title in {"rnn": "Vanilla RNN", "rnn-layernorm": "RNN + layer norm", "minigpt": "MiniGPT"}.items():
        history = store.load(name).info.history
        steps = [point.step for point in history]
        assert drawn[f"{title}, validation"] == (steps, [point.val_loss_nats for point in history])
        assert drawn[f"{title}, train"] == (steps, [point.train_loss_nats for point in history])
        assert drawn[f"{title}, gradient norm"] == (steps, [point.grad_norm or None for point in history])
    page.locator("#cr-training").get_by_role("checkbox", name="training (thin)").click()
    wait_for_traces(page, "!traces.includes('MiniGPT, train')")
    page.locator("#cr-training").get_by_role("radio", name="bits").click()
    page.wait_for_function("document.querySelector('#cr-training .cr-plot-words').textContent.includes('bits per')")
    shown = traces(page)["MiniGPT, validation"][1]
    assert shown == [bits_per_char(point.val_loss_nats) for point in store.load("minigpt").info.history]
    page.locator("#cr-training").get_by_role("checkbox", name="GRU", exact=True).click()
    wait_for_traces(page, "!traces.includes('GRU, validation')")
    page.get_by_role("tab", name="Gradients").click()  # it shares the selection
    page.wait_for_function("document.querySelector('#cr-flow .cr-plot')?.data?.some((trace) => trace.name === 'LSTM')")
    expect(page.locator("#cr-flow .cr-chips").get_by_role("checkbox", name="GRU", exact=True)).not_to_be_checked()


def column(page: Page, title: str) -> list[str]:
    return page.locator(f'#cr-results tbody [data-title="{title}"]').all_inner_texts()


@pytest.mark.smoke
def test_table_sorts_by_click_and_key(page: Page, store: Store):
    bits = [float(text) for text in column(page, "bits")]
    assert bits == sorted(bits) and len(bits) >= len(RECIPES) + len(PUBLISHED)
    names, streams = column(page, "model"), column(page, "val stream")
    by_name = dict(zip([name.strip() for name in names], streams, strict=True))
    for name, title in {"gru": "GRU", "minigpt": "MiniGPT", "my <b>net & co": "my <b>net & co"}.items():
        assert by_name[title] == f"{store.load(name).info.metrics['val_stream_nats']:.3f}"
    page.locator("#cr-results thead").get_by_role("button", name="parameters").click()
    sizes = [int(text.replace(",", "")) for text in column(page, "parameters") if text != "–"]
    assert sizes == sorted(sizes) and column(page, "parameters")[-1] == "–"
    expect(page.locator('#cr-results th[aria-sort="ascending"]')).to_have_text("parameters")
    page.keyboard.press("Enter")  # the title has the focus
    sizes = [int(text.replace(",", "")) for text in column(page, "parameters") if text != "–"]
    assert sizes == sorted(sizes, reverse=True) and column(page, "parameters")[-1] == "–"
    expect(page.locator('#cr-results th[aria-sort="descending"]')).to_have_text("parameters")


SHOWS = "([element, text]) => element.textContent === text"


def test_page_samples_match_generate(page: Page, trained: Path):
    page.locator('#cr-pair [data-side="A"]').get_by_label("network").select_option("gru")
    part = page.locator("#cr-learning")
    expect(part.locator("h2")).to_have_text("Watch A learn: GRU")
    slider, text = part.get_by_role("slider", name="training step"), part.locator(".cr-learn-text")
    expect(slider).to_have_attribute("max", "2")
    for index, step in enumerate((0, 10, 12)):
        slider.fill(str(index))
        expect(part.locator("output")).to_contain_text(f"{step} · val ")
        page.wait_for_function(SHOWS, arg=[text.element_handle(), written(trained, "gru", step)])
    part.get_by_role("button", name="Play").click()  # from the first step, to the end
    expect(slider).to_have_value("2")
    expect(part.get_by_role("button", name="Play")).to_be_visible()
    assert text.text_content() == written(trained, "gru", 12)
