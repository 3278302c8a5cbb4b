// Compares float32 arrays, bit for bit or within a tolerance, and says where the first difference is.
// NaN equals NaN whatever its payload; -0 and 0 differ bit for bit, but not within a tolerance.

const scratch = new DataView(new ArrayBuffer(8));

/** The bits of a float32, ordered so that neighbouring floats have neighbouring numbers. */
function ordered(value) {
  scratch.setFloat32(0, value);
  const bits = scratch.getInt32(0);
  return bits < 0 ? -(bits & 0x7fffffff) : bits;
}

/** How many float32 steps lie between two numbers; Infinity when one of them is NaN. */
export function ulps(a, b) {
  if (Number.isNaN(a) && Number.isNaN(b)) return 0;
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.POSITIVE_INFINITY;
  return Math.abs(ordered(a) - ordered(b));
}

/** The distance from a float32 to the next larger one. */
export function ulpOf(value) {
  scratch.setFloat32(0, Math.abs(value));
  const bits = scratch.getInt32(0);
  scratch.setInt32(0, bits + 1);
  const next = scratch.getFloat32(0);
  scratch.setInt32(0, bits);
  return next - scratch.getFloat32(0);
}

/** Object.is does it: NaN equals NaN, and -0 differs from 0. */
export function sameBits(got, expected) {
  return firstDifference(got, expected, Object.is);
}

/** Non-finite numbers must be the same; finite ones may differ by `tolerance`. */
export function within(got, expected, tolerance) {
  return firstDifference(got, expected, (a, b) => {
    if (!Number.isFinite(a) || !Number.isFinite(b)) return Object.is(a, b);
    return Math.abs(a - b) <= tolerance;
  });
}

/** null, or { index, got, expected, ulp } of the first element for which `same` says no. */
function firstDifference(got, expected, same) {
  if (got.length !== expected.length) {
    return { index: 'length', got: got.length, expected: expected.length };
  }
  for (let index = 0; index < got.length; index++) {
    if (!same(got[index], expected[index])) {
      const [a, b] = [got[index], expected[index]];
      return { index, got: a, expected: b, ulp: ulps(a, b) };
    }
  }
  return null;
}

/** The largest finite magnitude, the scale to which slots are compared. */
export function largest(values) {
  let max = 0;
  for (const value of values) if (Number.isFinite(value)) max = Math.max(max, Math.abs(value));
  return max;
}
