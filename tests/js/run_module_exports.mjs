// { modules, bundle } on stdin: the exports of each module, as imported and from the bundle, as JSON on stdout.

import { text } from "node:stream/consumers";

const { modules, bundle } = JSON.parse(await text(process.stdin));
(0, eval)(bundle);
const found = {};
for (const name of modules) {
  const imported = await import("../../charrnn/ui/" + name);
  found[name] = [Object.keys(imported).sort(), Object.keys(globalThis.charrnnModule(name)).sort()];
}
console.log(JSON.stringify(found));
