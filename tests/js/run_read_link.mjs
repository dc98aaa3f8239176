// Reads links as the page does: { schema, models, searches } on stdin -> what each link opens, as JSON on stdout.

import { text } from "node:stream/consumers";
import { readLink } from "../../charrnn/ui/site/read_link.js";

const { schema, models, searches } = JSON.parse(await text(process.stdin));
console.log(JSON.stringify(searches.map((search) => readLink(search, schema, models))));
