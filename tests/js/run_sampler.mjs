// Runs the page's sampler: [{ logits, settings, draws }] on stdin -> the distribution and the draws of each, as JSON on stdout.

import { text as all } from "node:stream/consumers";
import { distribution, draw, removingStage, stageProbs, STAGES } from "../../charrnn/ui/components/sampler.js";

const found = JSON.parse(await all(process.stdin)).map(({ logits, settings, draws }) => {
  const d = distribution(Float32Array.from(logits), settings);
  return {
    order: d.order,
    kept: d.kept,
    raw: d.raw,
    probs: d.probs,
    lengths: STAGES.map((stage) => d.stages[stage]),
    stages: STAGES.map((stage) => stageProbs(d, stage)),
    cut: d.order.map((_, rank) => removingStage(d, rank)),
    drawn: draws.map((u) => d.order[draw(d, u)]),
  };
});
console.log(JSON.stringify(found));
