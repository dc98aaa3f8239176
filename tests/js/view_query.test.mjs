import assert from "node:assert/strict";
import { mock, test } from "node:test";
import "./browser_globals.mjs";

globalThis.ResizeObserver = class {
  observe() {}
};
const { createViewQuery } = await import("../../charrnn/ui/components/view_query.js");

function viewQuery() {
  const message = { textContent: "" };
  const element = { clientWidth: 600, querySelector: (selector) => (selector === ".cr-plot-words" ? message : null), classList: { toggle() {} } };
  const sent = [];
  const view = createViewQuery({ element, send: (_, query) => sent.push(query.number), show() {}, busyText: "Reading …" });
  const answer = (number, busy) => view.receive(JSON.stringify({ number, busy, words: "answered" }));
  return { message, sent, answer, ask: view.ask };
}

test("a query without an answer is sent again, each time after twice as long", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { message, sent, answer, ask } = viewQuery();
  ask();
  assert.deepEqual([sent, message.textContent], [[1], "Reading …"]);
  mock.timers.tick(20_000);
  assert.deepEqual([sent, message.textContent], [[1, 2], "The server has not answered yet. The question was sent again."]);
  mock.timers.tick(39_999);
  answer(1, false); // late, and superseded
  assert.deepEqual(sent, [1, 2]);
  mock.timers.tick(1);
  assert.deepEqual(sent, [1, 2, 3]);
  answer(3, true);
  mock.timers.tick(19_999);
  answer(3, true); // a long analysis tells its progress
  mock.timers.tick(19_999);
  assert.deepEqual(sent, [1, 2, 3]);
  mock.timers.tick(1);
  assert.deepEqual(sent, [1, 2, 3, 4]); // it has stopped in the middle
  answer(4, false);
  assert.equal(message.textContent, "answered");
  mock.timers.tick(1e9);
  assert.deepEqual(sent, [1, 2, 3, 4]);
  mock.timers.reset();
});
