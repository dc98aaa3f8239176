import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_TEXT_CHARS, Session } from "../../charrnn/ui/session/session.js";
import { expected, FakeProvider, View } from "./fake_provider.mjs";

const CHECKPOINT = { name: "rnn", step: 2000 };
const REQUEST = { seed: 7, temperature: 0.8, checkpoint: CHECKPOINT };
const FRESH = { prompt: "abc\n", seed: 7, characters: 120 };

function begin({ instantly = true, speed = 0 } = {}) {
  const provider = new FakeProvider();
  const session = new Session(provider, { wait: () => Promise.resolve() });
  Object.assign(session, { checkpoint: CHECKPOINT, speed });
  return { provider, session, view: new View(session, instantly) };
}

const text = (session) => session.text.characters.join("");
const later = () => new Promise((resolve) => setTimeout(resolve, 0));
const settle = async () => {
  for (let i = 0; i < 20; i++) await later();
};

test("write generates the text of its prompt, seed and settings", async () => {
  for (const speed of [0, 1, 30, 1000]) {
    const { provider, session, view } = begin({ speed });
    await session.write(FRESH);
    assert.equal(view.text, expected("abc\n", 120, REQUEST));
    assert.equal(text(session), view.text);
    assert.equal(session.state, "finished");
    const calls = provider.calls.length;
    await settle();
    assert.equal(provider.calls.length, calls, "a finished text makes no call");
  }
});

test("the first piece is short, then a second of text is ready", async () => {
  const { provider, session, view } = begin({ instantly: false, speed: 40 });
  session.write(FRESH);
  await settle();
  assert.equal(provider.calls[0].count, 10);
  const ahead = view.characters.length - session.shownLength;
  assert.ok(ahead >= 40 && ahead <= 80, `${ahead} characters ahead`);
  const calls = provider.calls.length;
  await settle();
  assert.equal(provider.calls.length, calls, "no call while nothing is drawn");
  while (session.state === "writing") {
    view.draw(7);
    await settle();
  }
  assert.equal(view.text, expected("abc\n", 120, REQUEST));
});

test("pause drops hidden characters, resume repeats their draws", async () => {
  const { session, view } = begin({ instantly: false, speed: 40 });
  session.write(FRESH);
  await settle();
  view.draw(9);
  session.pause();
  assert.equal(session.state, "paused");
  assert.equal(view.text, expected("abc\n", 9, REQUEST));
  await settle();
  assert.equal(text(session), view.text, "a paused text does not grow");
  session.resume();
  while (session.state !== "finished") {
    await settle();
    view.draw(40);
  }
  assert.equal(view.text, expected("abc\n", 120, REQUEST));
});

test("step generates one character, or the first of a new text", async () => {
  const { session, view } = begin();
  await session.step(FRESH);
  assert.equal(view.text, expected("abc\n", 1, REQUEST));
  for (let i = 0; i < 9; i++) await session.step();
  assert.equal(view.text, expected("abc\n", 10, REQUEST));
  assert.equal(session.state, "paused");
});

test("settings change from the next shown character on", async () => {
  const { provider, session, view } = begin({ instantly: false, speed: 40 });
  session.write(FRESH);
  await settle();
  view.draw(12);
  session.configure({ ...session.settings, temperature: 1.5 });
  while (session.state !== "finished") {
    await settle();
    view.draw(40);
  }
  const at = (i) => ({ temperature: i < 12 ? 0.8 : 1.5 });
  assert.equal(view.text, expected("abc\n", 120, REQUEST, at));
  assert.equal(session.recipe, null, "no single settings reproduce this text");
  assert.deepEqual(session.text.writers.map(([at, { settings }]) => [at, settings.temperature]), [[4, 0.8], [16, 1.5]]);
  assert.ok(provider.calls.some((call) => call.start === 16 && call.temperature === 1.5 && call.count === 10));
});

test("the text grows while a slider is dragged", async () => {
  const { provider, session, view } = begin({ instantly: false, speed: 40 });
  provider.delay = () => new Promise((resolve) => setTimeout(resolve, 3));
  session.write({ ...FRESH, characters: 3000 });
  for (let i = 0; i < 60; i++) {
    session.configure({ ...session.settings, temperature: 0.5 + i / 100 });
    await new Promise((resolve) => setTimeout(resolve, 2));
    view.draw(1);
  }
  assert.ok(session.shownLength > 10, `${session.shownLength} shown`);
  session.stop();
});

test("stop ends the text, clear removes it, write begins another", async () => {
  const { session, view } = begin({ instantly: false, speed: 40 });
  session.write(FRESH);
  await settle();
  view.draw(3);
  session.stop();
  assert.equal(session.state, "finished");
  assert.equal(view.text, expected("abc\n", 3, REQUEST));
  await session.clear();
  assert.deepEqual([view.text, session.state], ["", "empty"]);
  session.write({ ...FRESH, seed: 8 });
  await settle();
  session.stop();
  assert.ok(expected("abc\n", 120, { ...REQUEST, seed: 8 }).startsWith(view.text));
});

test("a branch keeps the other draws; undo and redo restore texts", async () => {
  const { session, view } = begin();
  await session.write(FRESH);
  const first = view.text;
  await session.branch(20, "😀");
  const edits = [[16, "😀"]];
  const branched = expected("abc\n", 120, { ...REQUEST, edits });
  assert.equal(view.text, branched);
  assert.deepEqual(session.saved().edits, edits);
  await session.branch(10, "e");
  assert.equal(view.text, expected("abc\n", 120, { ...REQUEST, edits: [[6, "e"]] }), "a branch drops the edits after it");
  await session.undo();
  assert.equal(view.text, branched);
  await session.undo();
  assert.equal(view.text, first);
  assert.deepEqual([view.undo, view.redo], [0, 2]);
  await session.undo();
  assert.equal(view.text, first, "nothing to undo changes nothing");
  await session.redo();
  assert.equal(view.text, branched);
  await session.resume();
  assert.equal(view.text, expected("abc\n", 240, { ...REQUEST, edits }), "it continues at its end");
});

test("pause after a branch still appends the chosen character", async () => {
  const { session, view } = begin();
  await session.write(FRESH);
  session.branch(20, "😀");
  await session.pause();
  assert.equal(session.state, "paused");
  assert.equal(view.text, expected("abc\n", 17, { ...REQUEST, edits: [[16, "😀"]] }));
});

test("branch refuses positions in the prompt and after the text", async () => {
  const { session, view } = begin();
  await session.write(FRESH);
  const before = view.text;
  await session.branch(2, "e");
  await session.branch(500, "e");
  assert.equal(view.text, before);
  assert.match(view.notices[0].text, /belongs to the given text/);
  assert.match(view.notices[1].text, /has 124/);
});

test("rewrite repeats the draws with other settings or weights", async () => {
  const { session, view } = begin();
  await session.write(FRESH);
  const first = view.text;
  const early = { name: "rnn", step: 10 };
  await session.rewrite({ checkpoint: early });
  assert.equal(view.text, expected("abc\n", 120, { ...REQUEST, checkpoint: early }));
  await session.rewrite({ checkpoint: CHECKPOINT });
  await session.undo();
  assert.equal(view.text, first, "several rewrites are one step of the history");
  const interventions = { clamps: [{ name: "h", unit: 3, value: 0.5 }], recurrent_scale: 1.2 };
  await session.rewrite({ settings: { ...session.settings, temperature: 1.1 }, interventions });
  assert.equal(view.text, expected("abc\n", 120, { ...REQUEST, temperature: 1.1, ...interventions }));
});

test("unknown characters in a prompt keep edits and recipe", async () => {
  const { session, view } = begin({ speed: 30 });
  await session.write({ ...FRESH, prompt: "aXbc\n", edits: [[90, "😀"]] });
  assert.equal(view.text, expected("abc\n", 120, { ...REQUEST, edits: [[90, "😀"]] }));
  assert.deepEqual(session.saved().edits, [[90, "😀"]]);
  assert.equal(session.recipe.prompt, "aXbc\n");
});

test("read and choose drop unknown characters and name them", async () => {
  const { session, view } = begin();
  await session.read({ text: "abcXdef", seed: 7, characters: 50 });
  assert.deepEqual([view.text, session.state, session.text.prompt], ["abcdef", "paused", 6]);
  assert.match(view.notices[0].text, /X at position 3/);
  await session.resume();
  assert.equal(view.text, expected("abcdef", 50, REQUEST));
  await session.choose({ name: "lstm", step: 5 });
  assert.equal(session.model.name, "lstm");
  assert.equal(view.text, expected("abcdef", 50, REQUEST));
});

test("a long text is scored in several calls", async () => {
  const { provider, session, view } = begin();
  const long = "abc defg".repeat(625);
  await session.read({ text: long, seed: 1, characters: 100 });
  assert.equal(view.text, long);
  assert.equal(provider.calls.length, 5);
  session.choose({ name: "lstm", step: 1 }); // superseded while it is scored
  await session.step();
  assert.equal(view.characters.length, 5001);
  assert.ok(view.text.startsWith(long));
});

test("a text ends at MAX_TEXT_CHARS with a notice", async () => {
  const { session, view } = begin();
  await session.read({ text: "a".repeat(20_000), seed: 1, characters: 3000 });
  await session.resume();
  await session.resume();
  assert.equal(view.characters.length, MAX_TEXT_CHARS);
  assert.match(view.notices.at(-1).text, /as long as it can get/);
});

test("calls are repeated while the provider is away or busy", async () => {
  const { provider, session, view } = begin();
  provider.faults = [null, "away", "away", "busy", null, "away"];
  await session.write({ ...FRESH, characters: 900 });
  assert.equal(view.text, expected("abc\n", 900, REQUEST));
  assert.equal(view.notices.filter(({ text: message }) => /Reconnecting/.test(message)).length, 2, "one notice per interruption");
  assert.equal(session.state, "finished");
});

test("an error is shown and the text stays", async () => {
  const { provider, session, view } = begin();
  await session.write(FRESH);
  const before = view.text;
  provider.faults = ["the logits are not finite"];
  await session.resume();
  assert.deepEqual([view.text, session.state], [before, "paused"]);
  assert.match(view.notices.at(-1).text, /not finite/);
});

test("invalid numbers and texts are refused and the text stays", async () => {
  const { session, view } = begin();
  await session.write(FRESH);
  const before = view.text;
  for (const invalid of [{ seed: "" }, { seed: -1 }, { seed: 2 ** 32 }, { characters: 0 }, { characters: 1.5 }, { characters: 3001 }]) {
    await session.write({ ...FRESH, ...invalid });
    assert.equal(view.text, before);
    assert.match(view.notices.at(-1).text, /must be a whole number from/);
  }
  for (const [text, error] of [["", /Paste a text/], ["XYZ", /knows none/], ["a".repeat(20_001), /has 20,001 characters; the limit is 20,000/]]) {
    await session.read({ text, seed: 7, characters: 100 });
    assert.equal(view.text, before);
    assert.match(view.notices.at(-1).text, error);
  }
});

test("a text that cannot begin leaves the previous one", async () => {
  const { provider, session, view } = begin();
  await session.write(FRESH);
  await session.branch(20, "e");
  const [before, saved] = [view.text, session.saved()];
  provider.faults = ["there is no such checkpoint"];
  await session.write({ ...FRESH, seed: 9 });
  assert.equal(view.text, before);
  assert.deepEqual(session.saved(), saved);
  await session.resume();
  assert.ok(view.text.startsWith(before) && view.text.length > before.length);
  await session.undo();
  assert.equal(view.text, expected("abc\n", 120, REQUEST));
});

test("the newer of two actions wins", async () => {
  const { provider, session, view } = begin();
  const pending = [];
  provider.delay = () => new Promise((resolve) => pending.push(resolve));
  session.write(FRESH);
  session.write({ ...FRESH, seed: 9 });
  await settle();
  provider.delay = () => Promise.resolve();
  pending.reverse().forEach((resolve) => resolve());
  await settle();
  assert.equal(view.text, expected("abc\n", 120, { ...REQUEST, seed: 9 }));
});

test("a restored text continues with its draws", async () => {
  const { session, view } = begin({ instantly: false, speed: 40 });
  session.write(FRESH);
  await settle();
  view.draw(11);
  const saved = JSON.parse(JSON.stringify(session.saved()));
  const after = begin();
  await after.session.restore(saved);
  assert.deepEqual([after.view.text, after.session.state], [expected("abc\n", 11, REQUEST), "paused"]);
  after.session.speed = 0;
  await after.session.resume();
  assert.equal(after.view.text, expected("abc\n", 120, REQUEST));
  assert.deepEqual(after.session.recipe.prompt, "abc\n");
});

test("interventions end with another model", async () => {
  const { session, view } = begin();
  await session.write(FRESH);
  const interventions = { clamps: [{ name: "h", unit: 3, value: 0.5 }], recurrent_scale: 1 };
  await session.rewrite({ interventions });
  assert.equal(view.text, expected("abc\n", 120, { ...REQUEST, ...interventions }));
  await session.choose({ name: "rnn", step: 10 });
  assert.deepEqual(session.interventions, interventions);
  await session.choose({ name: "lstm", step: 10 });
  assert.deepEqual(session.interventions.clamps, []);
  await session.resume();
  assert.equal(session.state, "finished");
});

test("changing the view does not cut an instant text", async () => {
  const { provider, session, view } = begin();
  provider.delay = () => new Promise((resolve) => setTimeout(resolve, 2));
  const done = session.write({ ...FRESH, characters: 2500, instant: true });
  while (!session.length || provider.calls.length < 2) await later();
  session.show("z");
  await done;
  assert.equal(view.text, expected("abc\n", 2500, REQUEST));
  assert.equal(session.state, "finished");
});

test("models and views can change while a long text grows", async () => {
  const { provider, session, view } = begin({ instantly: false, speed: 40 });
  provider.delay = () => new Promise((resolve) => setTimeout(resolve, 2));
  const passage = "abc defg".repeat(500);
  await session.read({ text: passage, seed: 7, characters: 300 });
  session.resume();
  for (const [action, value] of [["choose", { name: "lstm", step: 5 }], ["show", "z"], ["show", "o"], ["choose", CHECKPOINT]]) {
    session[action](value);
    await new Promise((resolve) => setTimeout(resolve, 9));
  }
  while (session.state === "writing") {
    await new Promise((resolve) => setTimeout(resolve, 3));
    view.draw(40);
  }
  assert.equal(view.text, expected(passage, 300, REQUEST));
  assert.deepEqual([session.model.name, session.state], ["rnn", "finished"]);
});

test("changes apply after the provider was unreachable", async () => {
  const { provider, session, view } = begin();
  let retry = () => {};
  session.wait = () => new Promise((resolve) => (retry = resolve));
  await session.step(FRESH);
  provider.faults = ["away"];
  const done = session.resume();
  await settle();
  session.show("z");
  session.configure({ ...session.settings, temperature: 1.5 });
  retry();
  await done;
  const at = (i) => ({ temperature: i < 1 ? 0.8 : 1.5 });
  assert.equal(view.text, expected("abc\n", 120, REQUEST, at));
  assert.equal(session.notice, null);
});

test("pause removes the notice of an unreachable provider", async () => {
  const { provider, session, view } = begin();
  session.wait = () => new Promise(() => {});
  await session.step(FRESH);
  provider.faults = ["away"];
  session.resume();
  await settle();
  assert.match(session.notice.text, /Reconnecting/);
  await session.pause();
  assert.equal(session.notice, null);
  await session.resume();
  assert.equal(view.text, expected("abc\n", 120, REQUEST));
});
