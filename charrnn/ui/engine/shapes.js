// Shapes, strides and offsets of arrays. Shapes have no leading ones; dimensions are negative, counted from the end.

export const countOf = (shape) => shape.reduce((product, size) => product * size, 1);
export const padded = (shape, rank) => [...Array(Math.max(0, rank - shape.length)).fill(1), ...shape];

export function stridesOf(shape) {
  const strides = Array(shape.length).fill(1);
  for (let at = shape.length - 2; at >= 0; at--) strides[at] = strides[at + 1] * shape[at + 1];
  return strides;
}

/** Return the offsets of the elements of an array with these sizes and strides, in order. */
export function positions(sizes, strides, start = 0) {
  let places = Int32Array.of(start);
  for (let dim = 0; dim < sizes.length; dim++) {
    const wider = new Int32Array(places.length * sizes[dim]);
    for (let i = 0, k = 0; i < places.length; i++) for (let j = 0; j < sizes[dim]; j++) wider[k++] = places[i] + j * strides[dim];
    places = wider;
  }
  return places;
}

/** Return the offset in an array of this shape of each element of the array that it broadcasts to. */
export function broadcast(shape, sizes) {
  const full = padded(shape, sizes.length);
  const strides = stridesOf(full).map((stride, at) => (full[at] === 1 ? 0 : stride));
  return positions(sizes, strides);
}

export const broadcastShape = (...shapes) => {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  const full = shapes.map((shape) => padded(shape, rank));
  return full[0].map((_, at) => full.reduce((size, shape) => (shape[at] === 1 ? size : shape[at]), 1));
};

/** Describe the lanes along a dimension: `outer` × `inner` lanes of n numbers, `inner` apart. */
export function lanesOf(shape, dim) {
  const full = padded(shape, -dim);
  const at = full.length + dim;
  return { outer: countOf(full.slice(0, at)), n: full[at], inner: countOf(full.slice(at + 1)) };
}

/** Operations that only select and reorder elements: (shape, params, shape of the result) -> the source of each element. */
export const MAPS = {
  reshape: (shape, _, out) => positions([countOf(out)], [1]),
  expand: (shape, _, out) => broadcast(shape, out),
  slice(shape, { dim, start, end = null, step }) {
    const sizes = padded(shape, -dim);
    const strides = stridesOf(sizes);
    const at = sizes.length + dim;
    const last = end === null ? sizes[at] : Math.min(end, sizes[at]);
    sizes[at] = Math.max(0, Math.ceil((last - start) / step));
    const first = start * strides[at];
    strides[at] *= step;
    return positions(sizes, strides, first);
  },
  select(shape, { dim, index }) {
    const { outer, n, inner } = lanesOf(shape, dim);
    return positions([outer, inner], [n * inner, 1], index * inner);
  },
  permute(shape, { dims }) {
    const sizes = padded(shape, dims.length);
    const strides = stridesOf(sizes);
    return positions(dims.map((dim) => sizes.at(dim)), dims.map((dim) => strides.at(dim)));
  },
  roll(shape, { shift, dim }) {
    const { n, inner } = lanesOf(shape, dim);
    return positions([countOf(shape)], [1]).map((place) => {
      const at = Math.floor(place / inner) % n;
      return place + (((((at - shift) % n) + n) % n) - at) * inner;
    });
  },
};
