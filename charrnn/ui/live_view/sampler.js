// The next-character distribution, in the page: what charrnn/sampling.py does, line for line, so that a slider moves without
// asking the server. tests/ui holds the two together.

/** All characters by descending logit, ties by id, with how many of them stay after each filter. */
export function distribution(logits, { temperature, top_k, top_p, min_p }) {
  const order = Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a] || a - b);
  const size = order.length;
  const best = logits[order[0]];
  const raw = normalised(order.map((id) => Math.exp(logits[id] - best)));
  if (temperature === 0) {
    const probs = raw.map((_, rank) => (rank === 0 ? 1 : 0));
    return { order, raw, heated: probs, probs, kept: 1, cumulative: [1], stages: { top_k: 1, top_p: 1, min_p: 1 } };
  }
  const weights = order.map((id) => Math.exp((logits[id] - best) / temperature));
  const inTopK = top_k ? Math.min(top_k, size) : size;
  const cumulative = runningSum(weights.slice(0, inTopK));
  const inTopP = top_p < 1 ? firstReaching(cumulative, top_p * cumulative[inTopK - 1]) + 1 : inTopK;
  const inMinP = min_p ? weights.filter((weight) => weight >= min_p * weights[0]).length : size;
  const kept = Math.min(inTopP, inMinP);
  const total = cumulative[kept - 1];
  const probs = weights.map((_, rank) => (rank < kept ? (cumulative[rank] - (rank ? cumulative[rank - 1] : 0)) / total : 0));
  return {
    order,
    raw,
    heated: normalised(weights),
    probs,
    kept,
    cumulative: cumulative.slice(0, kept),
    stages: { top_k: inTopK, top_p: inTopP, min_p: kept },
  };
}

/** The rank at which the cumulative probability first exceeds u, 0 <= u < 1. */
export function draw({ cumulative, kept }, u) {
  const wanted = u * cumulative[kept - 1];
  const rank = cumulative.findIndex((sum) => sum > wanted);
  return rank < 0 ? kept - 1 : rank;
}

/** Bits of surprise to expect. */
export function entropyBits(probs) {
  return probs.reduce((bits, p) => (p > 0 ? bits - p * Math.log2(p) : bits), 0);
}

function runningSum(values) {
  let sum = 0;
  return values.map((value) => (sum += value));
}

function normalised(values) {
  const sum = values.reduce((a, b) => a + b, 0);
  return values.map((value) => value / sum);
}

function firstReaching(cumulative, wanted) {
  const rank = cumulative.findIndex((sum) => sum >= wanted);
  return rank < 0 ? cumulative.length : rank;
}
