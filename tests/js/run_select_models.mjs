// Reduces answers as the page does: [{ answer, names }] on stdin -> the answers about these models, as JSON on stdout.

import { text } from "node:stream/consumers";
import { selectModels } from "../../charrnn/ui/site/select_models.js";

const cases = JSON.parse(await text(process.stdin));
console.log(JSON.stringify(cases.map(({ answer, names }) => selectModels(answer, names))));
