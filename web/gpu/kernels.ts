// The shaders that no update rule is part of: joining the partial sums of rows, making clip factors of norms, testing
// gradients for what is not finite, spreading sparse rows, and weight constraints. The step itself comes
// from C++ (cpp/engine/shader.cc).

import { pipe, record } from '../engine/facts.js';

const frame = (threads: number) => `
const threads = ${threads}u;
fn group_of(id: vec3u, all: vec3u) -> u32 { return id.x + id.y * all.x; }
fn is_finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }
`;

const main = `@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) all: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let group = group_of(id, all);`;

/** By halves: an order that depends on the count of threads alone. */
const tree = `
  for (var half = threads / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) { shared_sums[thread] += shared_sums[thread + half]; }
  }`;

/** The words at the start of the control buffer; see control.ts. */
const params = `
struct Params { records: u32, entries: u32, table: u32, mode: u32, limit: f32, inverse: f32, nan: f32, width: u32 }
`;

/** Partial sums of each entry into one: of all entries the first sum, then, if there are as many groups, the next. */
const join = `${frame(256)}${params}
@group(0) @binding(0) var<storage, read> words: array<u32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
var<workgroup> shared_sums: array<f32, threads>;
${main}
  let entry = group % words[1];
  let k = group / words[1];
  let width = words[7];
  if (k >= width) { return; }
  let place = words[2] + 2u * entry;
  let start = words[place];
  let end = start + words[place + 1u];
  var sum = 0.0;
  for (var i = start + thread; i < end; i += threads) { sum += sums[i * width + k]; }
  shared_sums[thread] = sum;
  ${tree}
  if (thread == 0u) { sums[(1u + entry) * width + k] = shared_sums[0]; }
}`;

/** The first sums of all entries into one. */
const total = `${frame(256)}
@group(0) @binding(0) var<storage, read> words: array<u32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
var<workgroup> shared_sums: array<f32, threads>;
${main}
  var sum = 0.0;
  for (var i = thread; i < words[1]; i += threads) { sum += sums[(1u + i) * words[7]]; }
  shared_sums[thread] = sum;
  ${tree}
  if (thread == 0u && group == 0u) { sums[0] = shared_sums[0]; }
}`;

/**
 * The clip factors into the rows: the divisor max(norm, c) of a row's own norm, or the factor
 * c * min(1 / norm, 1 / c) of the global one. A norm that is not finite is visible, as in Keras.
 */
const finish = `${frame(256)}
@group(0) @binding(0) var<storage, read_write> words: array<u32>;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
${main}
  let record = group * threads + thread;
  if (record >= words[0]) { return; }
  let row = record * ${record.words}u;
  if (words[row + ${record.clips}u] != 1u) { return; }
  let entry = words[row + ${record.entry}u];
  let limit = bitcast<f32>(words[4]);
  let inverse = bitcast<f32>(words[5]);
  let nan = words[6];
  let own = words[3] == 1u;
  let sum = sums[select(0u, 1u + entry, own) * words[7]];
  let norm = select(sum, sqrt(sum), sum > 0.0);
  if (own) {
    let divisor = bitcast<u32>(select(limit, norm, norm > limit));
    words[row + ${record.pipe + pipe.divide}u] = select(bitcast<u32>(norm), divisor, is_finite(norm));
  } else {
    let factor = limit * select(1.0 / norm, inverse, norm * inverse <= 1.0);
    words[row + ${record.pipe + pipe.clip}u] = select(nan, bitcast<u32>(factor), is_finite(norm));
  }
}`;

/** Sets the flag if an element of g is not finite. */
const finite = `${frame(256)}
@group(0) @binding(0) var<storage, read> g: array<f32>;
@group(0) @binding(1) var<storage, read_write> bad: atomic<u32>;
${main}
  let size = arrayLength(&g);
  var found = false;
  let start = group * 16u * threads + thread;
  for (var i = start; i < min(size, start + 16u * threads); i += threads) { found |= !is_finite(g[i]); }
  if (found) { atomicOr(&bad, 1u); }
}`;

/** Rows of values to their places in g: one workgroup a row. */
const scatter = `${frame(64)}
struct Where { rows: u32, width: u32, at: u32 }
@group(0) @binding(0) var<storage, read> rows: array<u32>;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> g: array<f32>;
@group(0) @binding(3) var<uniform> place: Where;
${main}
  if (group >= place.rows) { return; }
  let first = group * place.width;
  let to = place.at + rows[group] * place.width;
  for (var i = thread; i < place.width; i += threads) { g[to + i] = values[first + i]; }
}`;

/** cpp/kernels/constrain.h: one workgroup for each norm over the axis of [outer, axis, inner]. */
const constrain = `${frame(64)}
struct Bounds { outer: u32, axis: u32, inner: u32, kind: u32, least: f32, most: f32, rate: f32, rest: f32 }
@group(0) @binding(0) var<storage, read_write> w: array<f32>;
@group(0) @binding(1) var<uniform> bounds: Bounds;
var<workgroup> shared_sums: array<f32, threads>;
${main}
  if (group >= bounds.outer * bounds.inner) { return; }
  let first = (group / bounds.inner) * bounds.axis * bounds.inner + group % bounds.inner;
  var sum = 0.0;
  for (var a = thread; a < bounds.axis; a += threads) {
    let x = w[first + a * bounds.inner];
    sum += x * x;
  }
  shared_sums[thread] = sum;
  ${tree}
  workgroupBarrier();
  let norm = sqrt(shared_sums[0]);
  let bounded = min(max(norm, bounds.least), bounds.most);
  let desired = select(bounded, bounds.rate * bounded + bounds.rest * norm, bounds.kind == 2u);
  let divisor = 1e-7 + norm;
  for (var a = thread; a < bounds.axis; a += threads) {
    let i = first + a * bounds.inner;
    w[i] = select(w[i] * (desired / divisor), w[i] / divisor, bounds.kind == 1u);
  }
}`;

const positive = `${frame(256)}
@group(0) @binding(0) var<storage, read_write> w: array<f32>;
${main}
  let i = group * threads + thread;
  if (i < arrayLength(&w)) { w[i] = select(w[i], 0.0, w[i] < 0.0); }
}`;

export const kernels = { join, total, finish, finite, scatter, constrain, positive } as const;
