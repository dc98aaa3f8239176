// Plays sessions against servers: { urls, sessions: [{ checkpoint, settings, actions: [[name, …arguments]] }] } on stdin; the
// text after each action on stdout, as JSON. Calls go to the urls by turns, or to the next one if one does not answer.

import { text as all } from "node:stream/consumers";
import { CallsProvider } from "../../charrnn/ui/session/calls_provider.js";
import { Session } from "../../charrnn/ui/session/session.js";

const { urls, sessions } = JSON.parse(await all(process.stdin));
let turn = 0;
const byTurns = (_, options) => fetch(urls[turn++ % urls.length], options);

async function play({ checkpoint, settings, actions }) {
  const session = new Session(new CallsProvider("", byTurns));
  Object.assign(session, { checkpoint, settings, speed: 0 });
  const texts = [];
  let problem = null;
  session.onMessage(({ notice }) => notice?.kind === "problem" && (problem = notice.text));
  for (const [name, ...values] of actions) {
    await session[name](...values);
    texts.push(session.text.characters.join(""));
  }
  return { texts, problem };
}

const played = [];
for (const each of sessions) played.push(await play(each));
console.log(JSON.stringify(played));
