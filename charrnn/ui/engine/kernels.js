// The operations of a graph (charrnn/export/kernels.py) on flat arrays.
//
// A tensor is { data, shape }. KERNELS[op](inputs, out, params) prepares an operation and returns the function that runs it:
// it reads the inputs' data and fills out.data.

import { cos, erf, exp, exp2, expm1, log, log1p, log2, pow, sigmoid, sin, tanh } from "../components/math.js";
import { broadcast, broadcastShape, countOf, lanesOf, MAPS, padded, positions, stridesOf } from "./shapes.js";

/** Return a function that fills an array with f(0), f(1), … */
const filling = (to, f) => () => { for (let k = 0; k < to.length; k++) to[k] = f(k); };

const gathering = (map) => ([x], out, params) => {
  const [data, from] = [x.data, map(x.shape, params, out.shape)];
  return filling(out.data, (k) => data[from[k]]);
};

// ------------------------------------------------------------------ elementwise

const each = (f) => ([x], out) => filling(out.data, ((data) => (k) => f(data[k]))(x.data));

const round = (x) => {
  const low = Math.floor(x);
  const over = x - low;
  return over < 0.5 || (over === 0.5 && low % 2 === 0) ? low : over >= 0.5 ? low + 1 : x;
};
const SLOPE = Math.sqrt(2 / Math.PI);
const HALF_ROOT = Math.sqrt(0.5);

const UNARY = {
  neg: (x) => -x,
  abs: Math.abs,
  exp,
  exp2,
  expm1,
  log,
  log1p,
  log2,
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  reciprocal: (x) => 1 / x,
  sign: Math.sign,
  sin,
  cos,
  relu: (x) => Math.max(x, 0),
  silu: (x) => x * sigmoid(x),
  erf,
  floor: Math.floor,
  ceil: Math.ceil,
  round,
  trunc: Math.trunc,
  square: (x) => x * x,
  logical_not: (x) => +(x === 0),
};

// One loop each, so that the browser compiles it for this operation alone; s and t are 0 or 1.
const BINARY = {
  add: (x, y, to, s, t) => () => { for (let k = 0, i = 0, j = 0; k < to.length; k++, i += s, j += t) to[k] = x[i] + y[j]; },
  sub: (x, y, to, s, t) => () => { for (let k = 0, i = 0, j = 0; k < to.length; k++, i += s, j += t) to[k] = x[i] - y[j]; },
  mul: (x, y, to, s, t) => () => { for (let k = 0, i = 0, j = 0; k < to.length; k++, i += s, j += t) to[k] = x[i] * y[j]; },
  div: (x, y, to, s, t) => () => { for (let k = 0, i = 0, j = 0; k < to.length; k++, i += s, j += t) to[k] = x[i] / y[j]; },
};
const pairwise = (f) => (x, y, to, s, t) => () => { for (let k = 0, i = 0, j = 0; k < to.length; k++, i += s, j += t) to[k] = f(x[i], y[j]); };
const PAIRWISE = {
  pow,
  maximum: Math.max,
  minimum: Math.min,
  gt: (x, y) => +(x > y),
  ge: (x, y) => +(x >= y),
  lt: (x, y) => +(x < y),
  le: (x, y) => +(x <= y),
  eq: (x, y) => +(x === y),
  ne: (x, y) => +(x !== y),
  logical_and: (x, y) => +(x !== 0 && y !== 0),
  logical_or: (x, y) => +(x !== 0 || y !== 0),
};

/** Broadcast an input to the shape of the result: [its data, its stride, the function that fills the data first, or null]. */
function spread(x, shape) {
  const count = countOf(shape);
  if (x.data.length === 1) return [x.data, 0, null];
  if (x.data.length === count) return [x.data, 1, null];
  const wide = { data: new Float64Array(count), shape };
  return [wide.data, 1, gathering(MAPS.expand)([x], wide, {})];
}

const binary = (loop) => ([x, y], out) => {
  const shape = broadcastShape(x.shape, y.shape);
  const [[a, s, first], [b, t, second]] = [spread(x, shape), spread(y, shape)];
  return after(first, second, loop(a, b, out.data, s, t));
};

/** Return a function that runs these in order, without the null ones. */
function after(...functions) {
  const given = functions.filter(Boolean);
  return given.length === 1 ? given[0] : () => given.forEach((run) => run());
}

// ------------------------------------------------------------------ reductions

/** Reduce over `dims`. prepare(params) returns a function of (data, from, to) that reduces these elements to a number. */
const reduction = (prepare) => ([x], out, { dims, ...params }) => {
  const rank = x.shape.length;
  const reduced = x.shape.map((_, at) => dims.includes(at - rank));
  const order = [...reduced.keys()].filter((at) => !reduced[at]).concat([...reduced.keys()].filter((at) => reduced[at]));
  const strides = stridesOf(x.shape);
  const map = positions(order.map((at) => x.shape[at]), order.map((at) => strides[at]));
  const sorted = order.every((at, place) => at === place);
  const data = sorted ? x.data : new Float64Array(map.length);
  const [source, to, n, reduce] = [x.data, out.data, map.length / out.data.length, prepare(params)];
  return () => {
    if (!sorted) for (let k = 0; k < map.length; k++) data[k] = source[map[k]];
    for (let k = 0; k < to.length; k++) to[k] = reduce(data, k * n, (k + 1) * n);
  };
};

const folded = (f, start, finish = (total) => total) => () => (data, from, to) => {
  let total = start;
  for (let k = from; k < to; k++) total = f(total, data[k]);
  return finish(total, to - from);
};
const largest = folded((most, x) => (x > most || x !== x ? x : most), -Infinity)();
const bestIndex = (better) => () => (data, from, to) => {
  let best = from;
  for (let k = from + 1; k < to; k++) if (better(data[k], data[best]) || (data[k] !== data[k] && data[best] === data[best])) best = k;
  return best - from;
};
const total = folded((sum, x) => sum + x, 0)();
const variance = ({ correction = 1 }) => (data, from, to) => {
  const mean = total(data, from, to) / (to - from);
  let sum = 0;
  for (let k = from; k < to; k++) sum += (data[k] - mean) * (data[k] - mean);
  return sum / Math.max(0, to - from - correction);
};
function logSumExp(data, from, to) {
  const top = largest(data, from, to);
  let sum = 0;
  for (let k = from; k < to; k++) sum += exp(data[k] - top);
  return log(sum) + top;
}
const norm = ({ order }) => {
  if (order === 2) return folded((sum, x) => sum + x * x, 0, Math.sqrt)();
  return folded((sum, x) => sum + pow(Math.abs(x), order), 0, (sum) => pow(sum, 1 / order))();
};

const REDUCTIONS = {
  sum: () => total,
  mean: folded((sum, x) => sum + x, 0, (sum, n) => sum / n),
  prod: folded((product, x) => product * x, 1),
  amax: () => largest,
  amin: folded((least, x) => (x < least || x !== x ? x : least), Infinity),
  argmax: bestIndex((x, y) => x > y),
  argmin: bestIndex((x, y) => x < y),
  logsumexp: () => logSumExp,
  var: variance,
  std: (params) => {
    const spreadOf = variance(params);
    return (data, from, to) => Math.sqrt(spreadOf(data, from, to));
  },
  norm,
};

/** Run f(lane, result) along one dimension, on a copy of each lane. length(n, params): the length of a lane of the result. */
const along = (prepare, length = (n) => n) => ([x], out, { dim, ...params }) => {
  const { outer, n, inner } = lanesOf(x.shape, dim);
  const m = length(n, params);
  const [lane, result, source, to] = [new Float64Array(n), new Float64Array(m), x.data, out.data];
  const f = prepare(n);
  return () => {
    for (let block = 0; block < outer; block++) {
      for (let at = 0; at < inner; at++) {
        for (let k = 0; k < n; k++) lane[k] = source[(block * n + k) * inner + at];
        f(lane, result);
        for (let k = 0; k < m; k++) to[(block * m + k) * inner + at] = result[k];
      }
    }
  };
};

/** Rank the numbers of a lane in descending order, ties by index, NaN last. result(index, lane): the number for each rank. */
const ranking = (result) => (n) => {
  const order = Array.from({ length: n }, (_, k) => k);
  return (lane, to) => {
    order.sort((i, j) => (lane[i] !== lane[i]) - (lane[j] !== lane[j]) || lane[j] - lane[i] || i - j);
    for (let k = 0; k < to.length; k++) to[k] = result(order[k], lane);
  };
};

function softmax(lane, to) {
  const top = largest(lane, 0, lane.length);
  let sum = 0;
  for (let k = 0; k < to.length; k++) sum += to[k] = exp(lane[k] - top);
  for (let k = 0; k < to.length; k++) to[k] /= sum;
}

function logSoftmax(lane, to) {
  const shift = logSumExp(lane, 0, lane.length);
  for (let k = 0; k < to.length; k++) to[k] = lane[k] - shift;
}

function cumulativeSum(lane, to) {
  for (let k = 0, sum = 0; k < to.length; k++) to[k] = sum += lane[k];
}

// ------------------------------------------------------------------ normalization

/** Divide each row, minus its mean if `centered`, by its root mean square. */
const normalized = (centered) => ([x, weight, bias], out, { eps }) => {
  const [from, to, n] = [x.data, out.data, x.shape.at(-1) ?? 1];
  const scale = weight?.data ?? new Float64Array(n).fill(1);
  const shift = bias?.data ?? new Float64Array(n);
  return () => {
    for (let row = 0; row < to.length; row += n) {
      const mean = centered ? total(from, row, row + n) / n : 0;
      let sum = 0;
      for (let k = 0; k < n; k++) sum += (from[row + k] - mean) * (from[row + k] - mean);
      const factor = 1 / Math.sqrt(sum / n + eps);
      for (let k = 0; k < n; k++) to[row + k] = (from[row + k] - mean) * factor * scale[k] + shift[k];
    }
  };
};

// ------------------------------------------------------------------ products

/** Return (x, b, y) -> a function that writes W x + b to y. Each row is summed from b on, as in matvec.wat. */
const plainProduct = (W, rows, columns) => (x, b, y) => () => {
  for (let row = 0, at = 0; row < rows; row++) {
    let sum = b[row];
    for (let k = 0; k < columns; k++, at++) sum += W[at] * x[k];
    y[row] = sum;
  }
};

/** Compute W x + b for each row of x. A packed matrix has `W.product`, and `W.zeros` for a missing b. */
function linear([x, W, b], out) {
  const columns = x.shape.at(-1) ?? 1;
  const rows = W.data.length / columns;
  const product = W.product ?? plainProduct(W.data, rows, columns);
  const bias = b?.data ?? W.zeros ?? new Float64Array(rows);
  const runs = [];
  for (let row = 0; row < x.data.length / columns; row++) {
    runs.push(product(x.data.subarray(row * columns, (row + 1) * columns), bias, out.data.subarray(row * rows, (row + 1) * rows)));
  }
  return after(...runs);
}

function matmul([x, y], out) {
  const k = x.shape.at(-1) ?? 1;
  const left = padded(x.shape, 2);
  const right = y.shape.length > 1 ? y.shape : y.data.length === k ? [k, 1] : [1, y.data.length];
  const [rows, columns] = [left.at(-2), right.at(-1)];
  const batch = broadcastShape(left.slice(0, -2), right.slice(0, -2));
  const [atX, atY] = [broadcast(left.slice(0, -2), batch), broadcast(right.slice(0, -2), batch)];
  const [a, b, to] = [x.data, y.data, out.data];
  return () => {
    to.fill(0);
    for (let each = 0; each < atX.length; each++) {
      for (let row = 0; row < rows; row++) {
        const start = (each * rows + row) * columns;
        for (let i = 0; i < k; i++) {
          const value = a[(atX[each] * rows + row) * k + i];
          const from = (atY[each] * k + i) * columns;
          for (let column = 0; column < columns; column++) to[start + column] += value * b[from + column];
        }
      }
    }
  };
}

/** Compute softmax(q kᵀ · scale) v for one query per head. A growing k or v has `span()`: [first number, numbers per head, rows]. */
function attention([q, k, v], out, { scale }) {
  const [d, wide] = [k.shape.at(-1) ?? 1, v.shape.at(-1) ?? 1];
  const heads = q.data.length / d;
  const spanOf = (x, width) => x.span ?? (() => [0, x.data.length / heads, x.data.length / heads / width]);
  const [keySpan, valueSpan] = [spanOf(k, d), spanOf(v, wide)];
  let weights = new Float64Array(64);
  const [query, to] = [q.data, out.data];
  return () => {
    const [keys, values, [keyStart, keyStride, n], [valueStart, valueStride]] = [k.data, v.data, keySpan(), valueSpan()];
    if (weights.length < n) weights = new Float64Array(2 * n);
    to.fill(0);
    for (let head = 0; head < heads; head++) {
      let top = -Infinity;
      for (let row = 0, at = keyStart + head * keyStride; row < n; row++) {
        let score = 0;
        for (let i = head * d; i < (head + 1) * d; i++, at++) score += query[i] * keys[at];
        weights[row] = score * scale;
        if (!(weights[row] <= top)) top = weights[row];
      }
      let sum = 0;
      for (let row = 0; row < n; row++) sum += weights[row] = exp(weights[row] - top);
      for (let row = 0, at = valueStart + head * valueStride; row < n; row++) {
        for (let i = head * wide; i < (head + 1) * wide; i++, at++) to[i] += weights[row] * values[at];
      }
      for (let i = head * wide; i < (head + 1) * wide; i++) to[i] /= sum;
    }
  };
}

/** Multiply complex numbers, which are pairs of the last dimension. */
function complexProduct([x, y], out) {
  const [one, other] = [x.shape.slice(0, -1), y.shape.slice(0, -1)];
  const shape = broadcastShape(one, other);
  const [atX, atY] = [broadcast(one, shape), broadcast(other, shape)];
  const [a, b, to] = [x.data, y.data, out.data];
  return () => {
    for (let k = 0; k < atX.length; k++) {
      const [i, j] = [2 * atX[k], 2 * atY[k]];
      const real = a[i] * b[j] - a[i + 1] * b[j + 1];
      to[2 * k + 1] = a[i] * b[j + 1] + a[i + 1] * b[j];
      to[2 * k] = real;
    }
  };
}

function polar([length, angle], out) {
  const shape = broadcastShape(length.shape, angle.shape);
  const [atLength, atAngle] = [broadcast(length.shape, shape), broadcast(angle.shape, shape)];
  return () => {
    for (let k = 0; k < atLength.length; k++) {
      const [size, turn] = [length.data[atLength[k]], angle.data[atAngle[k]]];
      out.data[2 * k] = size * cos(turn);
      out.data[2 * k + 1] = size * sin(turn);
    }
  };
}

// ------------------------------------------------------------------ selecting and joining

function lookup([table, indices], out) {
  const width = countOf(table.shape.slice(1));
  const rows = table.data.length / width;
  const [from, at, to] = [table.data, indices.data, out.data];
  return () => {
    for (let k = 0; k < at.length; k++) {
      const start = width * (at[k] < 0 ? at[k] + rows : at[k]);
      for (let i = 0; i < width; i++) to[k * width + i] = from[start + i];
    }
  };
}

function gather([x, index], out, { dim }) {
  const rank = Math.max(-dim, x.shape.length, index.shape.length);
  const [full, sizes] = [padded(x.shape, rank), padded(index.shape, rank)];
  const strides = stridesOf(full).map((stride, at) => (full[at] === 1 || at === rank + dim ? 0 : stride));
  const [base, stride, n] = [positions(sizes, strides), stridesOf(full)[rank + dim], full[rank + dim]];
  return filling(out.data, (k) => x.data[base[k] + stride * (index.data[k] < 0 ? index.data[k] + n : index.data[k])]);
}

/** Copy the elements of each part to their places in the result. */
function placed(parts, out, places) {
  const [data, to] = [parts.map((part) => part.data), out.data];
  return () => {
    for (let part = 0; part < data.length; part++) for (let k = 0; k < places[part].length; k++) to[places[part][k]] = data[part][k];
  };
}

function cat(parts, out, { dim }) {
  const rank = Math.max(-dim, ...parts.map((part) => part.shape.length));
  const shapes = parts.map((part) => padded(part.shape, rank));
  const sizes = shapes.map((shape) => shape.at(dim));
  const strides = stridesOf(shapes[0].map((size, at) => (at === rank + dim ? sizes.reduce((sum, each) => sum + each) : size)));
  let start = 0;
  return placed(parts, out, shapes.map((shape, part) => {
    start += part ? sizes[part - 1] : 0;
    return positions(shape, strides, start * strides.at(dim));
  }));
}

/** Join parts along a new dimension: `cat` of the parts with one more dimension of size 1. */
function stack(parts, out, { dim }) {
  const rank = Math.max(-dim - 1, parts[0].shape.length);
  const shape = padded(parts[0].shape, rank);
  shape.splice(rank + dim + 1, 0, 1);
  return cat(parts.map(({ data }) => ({ data, shape })), out, { dim });
}

function put([x, values], out, { at }) {
  return () => {
    out.data.set(x.data);
    for (let k = 0; k < at.length; k++) out.data[at[k]] = values.data[k];
  };
}

function where([condition, x, y], out) {
  const shape = broadcastShape(condition.shape, x.shape, y.shape);
  const [at, one, other] = [condition, x, y].map((input) => broadcast(input.shape, shape));
  return filling(out.data, (k) => (condition.data[at[k]] !== 0 ? x.data[one[k]] : y.data[other[k]]));
}

const tables = (table, make) => Object.fromEntries(Object.entries(table).map(([op, of]) => [op, make(of)]));

export const KERNELS = {
  ...tables(UNARY, each),
  ...tables(BINARY, binary),
  ...tables(PAIRWISE, (f) => binary(pairwise(f))),
  ...tables(REDUCTIONS, reduction),
  ...tables(MAPS, gathering),
  tanh: ([{ data }], { data: to }) => () => { for (let k = 0; k < to.length; k++) to[k] = tanh(data[k]); },
  sigmoid: ([{ data }], { data: to }) => () => { for (let k = 0; k < to.length; k++) to[k] = 0.5 + 0.5 * tanh(0.5 * data[k]); },
  gelu: ([x], out, { approximate = "none" }) =>
    each(approximate === "tanh" ? (v) => v * (0.5 + 0.5 * tanh(SLOPE * (v + 0.044715 * v * v * v))) : (v) => v * (0.5 + 0.5 * erf(v * HALF_ROOT)))([x], out),
  softplus: ([x], out, { beta = 1, threshold = 20 }) => each((v) => (v * beta > threshold ? v : log1p(exp(v * beta)) / beta))([x], out),
  leaky_relu: ([x], out, { slope }) => each((v) => (v > 0 ? v : slope * v))([x], out),
  elu: ([x], out, { alpha = 1, scale = 1 }) => each((v) => scale * (v > 0 ? v : alpha * expm1(v)))([x], out),
  softmax: along(() => softmax),
  log_softmax: along(() => logSoftmax),
  cumsum: along(() => cumulativeSum),
  topk: along(ranking((index, lane) => lane[index]), (n, { k }) => k),
  topk_indices: along(ranking((index) => index), (n, { k }) => k),
  layer_norm: normalized(true),
  rms_norm: normalized(false),
  linear,
  matmul,
  attention,
  complex_mul: complexProduct,
  polar,
  lookup,
  gather,
  cat,
  stack,
  put,
  where,
};
