// Keys of kept answers, and which answer a query finds.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Answers, NEEDS_PYTHON, SIMILAR } from "../../charrnn/ui/site/kept_answers.js";

const FILES = { '[["rnn",9],"h",1]': "a", '[["rnn",9],"h",null]': "b", '[["rnn",9],null,null]': "c" };
const UNIT = { fields: ["checkpoint", "view", "unit"], optional: ["unit", "view"], nearest: "", blank: ["text"], models: false, files: FILES };
const SCALE = { ...UNIT, fields: ["knob"], optional: [], nearest: "knob", files: { "[0.7]": "low", "[1]": "one", "[1.4]": "high" } };
const readJson = async (file) => [{ words: file }];

async function words(form, view = "unit", live = {}) {
  const found = [];
  const answers = new Answers({ unit: UNIT, scale: SCALE }, readJson, live);
  for await (const message of answers.ask(view, { checkpoint: { name: "rnn", step: 9 }, form })) found.push(message.words);
  return found;
}

test("a kept answer is found by the fields it depends on", async () => {
  assert.deepEqual(await words({ view: "h", unit: 1, text: "", other: 3 }), ["a"]);
  assert.deepEqual(await words({ view: "", unit: null }), ["c"]);
  assert.deepEqual(await words({ knob: 1.4 }, "scale"), ["high"]);
});

test("a similar answer says that it is not the one asked for", async () => {
  for (const [form, view, file] of [[{ view: "h", unit: 7 }, "unit", "b"], [{ view: "z", unit: 7 }, "unit", "c"], [{ knob: 0.8 }, "scale", "low"]]) {
    const [said] = await words(form, view);
    assert.ok(said === `${file} ${SIMILAR}`, said);
  }
});

test("what is not kept names the command", async () => {
  assert.deepEqual(await words({ view: "h", unit: 1, text: "mine" }), [NEEDS_PYTHON]);
  assert.deepEqual(await words({}, "timing"), [NEEDS_PYTHON]);
});

test("a live answer gets the kept messages; its error is shown", async () => {
  const live = {
    async *unit(query, kept) {
      yield { words: kept[0].words + query.form.unit };
      throw new Error("no more");
    },
  };
  assert.deepEqual(await words({ view: "h", unit: 1 }, "unit", live), ["a1", "No more."]);
});
