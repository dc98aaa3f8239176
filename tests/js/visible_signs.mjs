// Shows characters as the page does: [character, …] on stdin -> [[sign, form in a sentence], …] on stdout.

import { text as all } from "node:stream/consumers";
import "./browser_globals.mjs";

const { quoted, visible } = await import("../../charrnn/ui/components/page_state.js");
const characters = JSON.parse(await all(process.stdin));
console.log(JSON.stringify(characters.map((character) => [visible(character), quoted(character)])));
