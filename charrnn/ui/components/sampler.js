// The next-character distribution in the page: mirrors charrnn/sampling.py, so that a slider needs no request.
// tests/ui checks that both agree.

import { exp } from "./math.js";

/** The stages of the pipeline in order. `stageProbs` gives the probabilities after each. */
export const STAGES = ["temperature", "top_k", "top_p", "min_p"];

/** Sort all characters by descending logit, ties by id, and count those left after each stage. */
export function distribution(logits, { temperature, top_k, top_p, min_p }) {
  const order = Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a] || a - b);
  const size = order.length;
  const best = logits[order[0]];
  const raw = normalised(order.map((id) => exp(logits[id] - best)));
  if (temperature === 0) {
    const probs = raw.map((_, rank) => (rank === 0 ? 1 : 0));
    return { order, raw, probs, kept: 1, sums: [1], cumulative: [1], stages: { temperature: 1, top_k: 1, top_p: 1, min_p: 1 } };
  }
  const weights = order.map((id) => exp((logits[id] - best) / temperature));
  const sums = runningSum(weights);
  const inTopK = top_k ? Math.min(top_k, size) : size;
  const inTopP = top_p < 1 ? firstReaching(sums, top_p * sums[inTopK - 1]) + 1 : inTopK;
  const inMinP = min_p ? weights.filter((weight) => weight >= min_p * weights[0]).length : size;
  const kept = Math.min(inTopP, inMinP);
  const stages = { temperature: size, top_k: inTopK, top_p: inTopP, min_p: kept };
  return { order, raw, probs: firstOf(sums, kept), kept, sums, cumulative: sums.slice(0, kept), stages };
}

/** Probabilities after a stage, in the same order; 0 for removed characters. */
export function stageProbs({ raw, sums, stages }, stage) {
  return stages.temperature === 1 ? raw.map((_, rank) => (rank === 0 ? 1 : 0)) : firstOf(sums, stages[stage]);
}

/** The stage that removed the character of this rank, or null. */
export function cutter({ stages }, rank) {
  return STAGES.find((stage) => rank >= stages[stage]) ?? null;
}

/** The rank at which the cumulative probability first exceeds u, 0 <= u < 1. */
export function draw({ cumulative, kept }, u) {
  const target = u * cumulative[kept - 1];
  const rank = cumulative.findIndex((sum) => sum > target);
  return rank < 0 ? kept - 1 : rank;
}

/** Surprisal in bits at this probability. */
export const surprisalBits = (p) => 0 - Math.log2(p);

/** Entropy in bits. */
export function entropyBits(probs) {
  return probs.reduce((bits, p) => (p > 0 ? bits - p * Math.log2(p) : bits), 0);
}

function runningSum(values) {
  let sum = 0;
  return values.map((value) => (sum += value));
}

/** Probabilities from the first `kept` cumulative sums, renormalized; 0 after them. */
function firstOf(sums, kept) {
  const total = sums[kept - 1];
  return sums.map((sum, rank) => (rank < kept ? (sum - (rank ? sums[rank - 1] : 0)) / total : 0));
}

function normalised(values) {
  const sum = values.reduce((a, b) => a + b, 0);
  return values.map((value) => value / sum);
}

function firstReaching(cumulative, target) {
  const rank = cumulative.findIndex((sum) => sum >= target);
  return rank < 0 ? cumulative.length : rank;
}
