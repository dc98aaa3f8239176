// The next-character distribution: mirrors charrnn/sampling.py, so that the page needs no request for it.
// tests/ui/test_sampler_js.py compares both.

import { exp } from "./math.js";

/** The stages of the pipeline in order. */
export const STAGES = ["temperature", "top_k", "top_p", "min_p"];

/**
 * Compute the distribution at each stage.
 *
 * Returns {order, raw, probs, kept, sums, cumulative, stages}: ids by descending logit, ties by id; by their rank, the
 * probabilities of the model and after all stages; the number of characters after all stages; cumulative weights after the
 * temperature, of all and of the remaining characters; and the number of characters after each stage.
 */
export function distribution(logits, { temperature, top_k, top_p, min_p }) {
  const order = Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a] || a - b);
  const size = order.length;
  const best = logits[order[0]];
  const raw = normalized(order.map((id) => exp(logits[id] - best)));
  if (temperature === 0) {
    const probs = raw.map((_, rank) => (rank === 0 ? 1 : 0));
    return { order, raw, probs, kept: 1, sums: [1], cumulative: [1], stages: { temperature: 1, top_k: 1, top_p: 1, min_p: 1 } };
  }
  const weights = order.map((id) => exp((logits[id] - best) / temperature));
  const sums = runningSum(weights);
  const inTopK = top_k ? Math.min(top_k, size) : size;
  const inTopP = top_p < 1 ? sums.findIndex((sum) => sum >= top_p * sums[inTopK - 1]) + 1 : inTopK;
  const inMinP = min_p ? weights.filter((weight) => weight >= min_p * weights[0]).length : size;
  const kept = Math.min(inTopP, inMinP);
  const stages = { temperature: size, top_k: inTopK, top_p: inTopP, min_p: kept };
  return { order, raw, probs: renormalized(sums, kept), kept, sums, cumulative: sums.slice(0, kept), stages };
}

/** Return the probabilities after a stage by rank; 0 for removed characters. */
export function stageProbs({ raw, sums, stages }, stage) {
  return stages.temperature === 1 ? raw.map((_, rank) => (rank === 0 ? 1 : 0)) : renormalized(sums, stages[stage]);
}

/** Return the stage that removed the character of this rank, or null. */
export function removingStage({ stages }, rank) {
  return STAGES.find((stage) => rank >= stages[stage]) ?? null;
}

/** Draw a rank: the first whose cumulative probability exceeds u, 0 <= u < 1. */
export function draw({ cumulative, kept }, u) {
  const target = u * cumulative[kept - 1];
  const rank = cumulative.findIndex((sum) => sum > target);
  return rank < 0 ? kept - 1 : rank;
}

/** Return the surprisal in bits of a probability. */
export const surprisalBits = (p) => 0 - Math.log2(p);

/** Return the surprisal in bits of a character under logits. */
export function logitSurprisal(logits, id) {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
  return (Math.log(sum) - (logits[id] - largest)) / Math.LN2;
}

/** Return the entropy in bits. */
export function entropyBits(probs) {
  return probs.reduce((bits, p) => (p > 0 ? bits - p * Math.log2(p) : bits), 0);
}

function runningSum(values) {
  let sum = 0;
  return values.map((value) => (sum += value));
}

/** Return the probabilities of the first `kept` characters from their cumulative weights; 0 for the others. */
function renormalized(sums, kept) {
  const total = sums[kept - 1];
  return sums.map((sum, rank) => (rank < kept ? (sum - (rank ? sums[rank - 1] : 0)) / total : 0));
}

function normalized(values) {
  const sum = values.reduce((a, b) => a + b, 0);
  return values.map((value) => value / sum);
}
