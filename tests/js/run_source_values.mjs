// Traces the source in the page: { file, template, queries } on stdin -> a message for each query, as JSON on stdout.

import { readFile } from "node:fs/promises";
import { text as all } from "node:stream/consumers";
import { serve } from "../../charrnn/ui/engine/worker.js";
import { EngineProvider } from "../../charrnn/ui/session/engine_provider.js";
import { partsOf } from "../../charrnn/ui/session/page_provider.js";
import { sourceMessage } from "../../charrnn/ui/site/source_values.js";

const { file, template, queries } = JSON.parse(await all(process.stdin));
const bytes = await readFile(file);
const parts = partsOf(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
const { port1, port2 } = new MessageChannel();
serve(port1);
const engine = new EngineProvider(port2, async () => parts);
for (const port of [port1, port2]) port.start();
const messages = await Promise.all(queries.map((query) => sourceMessage(engine, template, query).catch((error) => error.message)));
for (const port of [port1, port2]) port.close();
console.log(JSON.stringify(messages));
