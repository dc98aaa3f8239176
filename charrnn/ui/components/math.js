// Elementary functions that give the same bits in every browser, so that the same draws write the same text everywhere.
//
// They use + − × ÷ and exact functions (sqrt, abs, floor) only, since Math.exp, Math.tanh and others differ in the last digits
// from one browser to another. The error is below 1e-15, relative to the value (sin and cos: absolute, for |x| up to 1e6).

const { abs, floor, sqrt } = Math;
const LN2 = 0.6931471805599453;
const LN2_HIGH = 0.6931471803691238; // 32 bits, so that small whole numbers times it are exact
const LN2_LOW = 1.9082149292705877e-10;
const STEP_HIGH = 0.04332169877307024; // ln 2 / 16
const STEP_LOW = 1.1926343307941173e-11;
const STEPS = 23.083120654223414; // 16 / ln 2

/** 2^(j/16) for j = 0 … 15. */
const ROOTS = Float64Array.of(
  1.0, 1.0442737824274138, 1.0905077326652577, 1.1387886347566916, 1.189207115002721, 1.241857812073484, 1.2968395546510096, 1.3542555469368927,
  1.4142135623730951, 1.4768261459394993, 1.5422108254079407, 1.6104903319492543, 1.681792830507429, 1.7562521603732995, 1.8340080864093424, 1.9152065613971474,
);

/** 2^k for k = −1022 … 1023 at index k + 1022. */
const POWERS = new Float64Array(2046);
POWERS[1022] = 1;
for (let k = 1; k <= 1023; k++) POWERS[1022 + k] = POWERS[1021 + k] * 2;
for (let k = 1; k <= 1022; k++) POWERS[1022 - k] = POWERS[1023 - k] / 2;

/** Return x · 2^k, rounded once. */
function scaled(x, k) {
  if (k >= -1022 && k <= 1023) return x * POWERS[1022 + k];
  return k > 0 ? x * POWERS[2044] * POWERS[k] : x * POWERS[2022 + k] * POWERS[22];
}

/** Return e^x. */
export function exp(x) {
  if (!(x < 709.79 && x > -745.2)) return x > 0 ? Infinity : x < 0 ? 0 : NaN;
  const n = floor(x * STEPS + 0.5);
  const r = x - n * STEP_HIGH - n * STEP_LOW;
  const p = r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720 + r / 5040))))));
  const root = ROOTS[n & 15];
  return scaled(root + root * p, n >> 4);
}

/** Evaluate a polynomial; coefficients from the lowest power up. */
function polynomial(coefficients, x) {
  let value = 0;
  for (let i = coefficients.length - 1; i >= 0; i--) value = value * x + coefficients[i];
  return value;
}

/** Return the first `count` coefficients of a power series; `next` computes one from its index and the one before. */
function series(count, first, next) {
  const terms = new Float64Array(count).fill(first);
  for (let i = 1; i < count; i++) terms[i] = next(i, terms[i - 1]);
  return terms;
}

const EXPM1 = series(14, 1, (i, before) => before / (i + 1)); // (e^x − 1) / x

/** Return e^x − 1. */
export function expm1(x) {
  return abs(x) <= 0.35 ? x * polynomial(EXPM1, x) : exp(x) - 1;
}

export function tanh(x) {
  const size = abs(x);
  if (size < 0.175) {
    const e = expm1(2 * x);
    return e / (e + 2);
  }
  const value = 1 - 2 / (exp(2 * size) + 1);
  return x < 0 ? -value : value;
}

export const sigmoid = (x) => 0.5 + 0.5 * tanh(0.5 * x);

// ------------------------------------------------------------------ logarithms

const PARTS = new Float64Array(1);
const WORDS = new Uint32Array(PARTS.buffer); // little-endian, as in every browser
const LOG = series(11, 0, (i) => 2 / (2 * i + 1)); // of 2 atanh(s) / s − 2, in s²

let exponent = 0; // of the latest `mantissa`

/** Return the mantissa of x > 0, between √½ and √2, and set `exponent`: x = mantissa · 2^exponent. */
function mantissa(x) {
  const small = x < 2 ** -1022;
  PARTS[0] = small ? x * 2 ** 54 : x;
  const high = WORDS[1] + (0x3ff00000 - 0x3fe6a09e);
  exponent = (high >>> 20) - 1023 - (small ? 54 : 0);
  WORDS[1] = (high & 0xfffff) + 0x3fe6a09e;
  return PARTS[0];
}

/** Return the logarithm of a mantissa. */
function logOfMantissa(m) {
  const f = m - 1;
  const s = f / (2 + f);
  return f - s * (f - polynomial(LOG, s * s));
}

export function log(x) {
  if (!(x > 0 && x < Infinity)) return x === 0 ? -Infinity : x > 0 ? x : NaN;
  const m = logOfMantissa(mantissa(x));
  return exponent * LN2_HIGH + (m + exponent * LN2_LOW);
}

/** Return log(1 + x). */
export function log1p(x) {
  const sum = 1 + x;
  if (sum === 1) return x;
  return sum > 0 && sum < Infinity ? log(sum) + (x - (sum - 1)) / sum : log(sum);
}

export function log2(x) {
  if (!(x > 0 && x < Infinity)) return log(x);
  const m = logOfMantissa(mantissa(x));
  return exponent + m / LN2;
}

/** Return 2^x. */
export function exp2(x) {
  if (!(abs(x) < 1100)) return x > 0 ? Infinity : x < 0 ? 0 : NaN;
  const k = floor(x + 0.5);
  return scaled(exp((x - k) * LN2), k);
}

// ------------------------------------------------------------------ powers

const ATANH_TAIL = series(9, 1 / 5, (i) => 1 / (2 * i + 5)); // (atanh(s) / s − 1 − s² / 3) / s⁴, in s²

let rest = 0; // rounding error of the latest product or sum: exact − rounded

/** Return a · b and set `rest`. */
function product(a, b) {
  const [x, y] = [a * 134217729, b * 134217729];
  const [high, top] = [x - (x - a), y - (y - b)];
  const [low, bottom] = [a - high, b - top];
  const result = a * b;
  rest = low * bottom - (result - high * top - low * top - high * bottom);
  return result;
}

/** Return a + b and set `rest`. */
function sum(a, b) {
  const result = a + b;
  const part = result - a;
  rest = a - (result - part) + (b - part);
  return result;
}

/** Return x^y for a positive finite x, from y log x in twice the precision. */
function positivePower(x, y) {
  const m = mantissa(x);
  const f = m - 1;
  const divisor = sum(2, f);
  const divisorRest = rest;
  const s = f / divisor; // atanh(s) = log(m) / 2
  const back = product(s, divisor);
  const sRest = (f - back - rest - s * divisorRest) / divisor;
  const square = product(s, s);
  const squareRest = rest + 2 * s * sRest;
  const cube = product(square, s);
  const cubeRest = rest + squareRest * s + square * sRest;
  const third = cube / 3;
  const thirdRest = (cube - product(third, 3) - rest + cubeRest) / 3;
  const tail = s * square * square * polynomial(ATANH_TAIL, square);
  let total = sum(exponent * LN2_HIGH, 2 * s);
  let low = rest + 2 * (sRest + thirdRest + tail);
  total = sum(total, exponent * LN2_LOW);
  low += rest;
  total = sum(total, 2 * third);
  low += rest;
  const logX = sum(total, low);
  low = rest;
  if (abs(y) > 1e280 || abs(y * logX) > 800) return logX === 0 ? 1 : logX > 0 === y > 0 ? Infinity : 0;
  const power = product(logX, y);
  return withRest(exp(power), rest + low * y);
}

const withRest = (value, part) => (value > 0 && value < Infinity ? value + value * part : value);

/** Return x^y, with the special cases of C. */
export function pow(x, y) {
  if (y === 0 || x === 1) return 1;
  if (x !== x || y !== y) return NaN;
  if (y === 1) return x;
  if (y === 2) return x * x;
  if (y === 0.5 && x >= 0) return sqrt(abs(x));
  if (y === -0.5 && x > 0) return 1 / sqrt(x);
  const isInteger = floor(y) === y;
  const isOdd = isInteger && abs(y) < 2 ** 53 && abs(y) % 2 === 1;
  const negative = isOdd && (x < 0 || Object.is(x, -0));
  const size = abs(x);
  if (x < 0 && !isInteger && size < Infinity) return NaN;
  if (size === 1) return negative ? -1 : 1;
  const limit = (isLarge) => (isLarge === y > 0 ? Infinity : 0);
  const value = abs(y) === Infinity ? limit(size > 1) : size === 0 || size === Infinity ? limit(size > 0) : positivePower(size, y);
  return negative ? -value : value;
}

// ------------------------------------------------------------------ the error function

const TWO_BY_ROOT_PI = 1.1283791670955126;
const ERF = series(19, 1, (i, before) => (-before * (2 * i - 1)) / (i * (2 * i + 1))); // erf(x) √π / (2 x), in x²
// e^(x²) (1 − erf(x)) for 1 ≤ x ≤ 6, in 20 / (4 + x) − 3: interpolated at the nodes of a Chebyshev polynomial, with 40 digits.
const ERFC = Float64Array.of(
  0.19907263099386566, 0.14812992991458332, 0.055891085566079926, 0.018078437227012082, 0.004990286041095359, 0.0011615374405673708,
  0.00022259643172453767, 3.346127706454e-05, 3.498817724639476e-06, 1.4320649275925599e-07, -2.5772220860626256e-08, -4.956466489229388e-09,
  -1.0609088834225667e-10, 6.917780982018686e-11, 5.9943243455437045e-12, -7.970561922845925e-13,
);

export function erf(x) {
  const size = abs(x);
  if (size < 1) return TWO_BY_ROOT_PI * x * polynomial(ERF, x * x);
  const value = size < 6 ? 1 - exp(-x * x) * polynomial(ERFC, 20 / (4 + size) - 3) : size >= 6 ? 1 : NaN;
  return x < 0 ? -value : value;
}

// ------------------------------------------------------------------ sine and cosine

const [QUARTER_HIGH, QUARTER_LOW, QUARTER_REST] = [1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21]; // π / 2
const SIN = series(9, 1, (i, before) => -before / (2 * i * (2 * i + 1)));
const COS = series(10, 1, (i, before) => -before / (2 * i * (2 * i - 1)));

/** Return the sine of x + quarters · π / 2. */
function wave(x, quarters) {
  if (!(abs(x) < Infinity)) return NaN;
  const k = floor(x / QUARTER_HIGH + 0.5);
  const r = x - k * QUARTER_HIGH - k * QUARTER_LOW - k * QUARTER_REST;
  const turn = (((k + quarters) % 4) + 4) % 4;
  const value = turn % 2 ? polynomial(COS, r * r) : r * polynomial(SIN, r * r);
  return turn < 2 ? value : -value;
}

export const sin = (x) => wave(x, 0);
export const cos = (x) => wave(x, 1);
