// Element types of files as float32 and back: what a file holds keeps its type when it is written again. Which types
// the HDF5 library or safetensors say is theirs; here they have NumPy's names.

type Typed = Float32Array | Float64Array;

/** Rounds to nearest, ties to even; infinities and NaN stay. */
function toHalf(x: number): number {
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const size = Math.abs(x);
  if (Number.isNaN(x)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  const exponent = Math.max(Math.floor(Math.log2(size || 1)), -14);
  const unit = 2 ** (exponent - 10);
  let mantissa = size / unit; // exact: a power of two
  const low = Math.floor(mantissa);
  const rest = mantissa - low;
  mantissa = rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low;
  return size < 2 ** -14 ? sign | mantissa : sign | (((exponent + 15) << 10) + (mantissa - 1024));
}

function fromHalf(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  const size =
    exponent === 0
      ? mantissa * 2 ** -24
      : exponent === 31
        ? mantissa === 0
          ? Number.POSITIVE_INFINITY
          : Number.NaN
        : (1 + mantissa / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -size : size;
}

/** The upper half of a float32, rounded to nearest, ties to even. */
function toBfloat(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40; // NaN
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** Numbers of `type` from their bytes, which are a copy; null for a type that is not read. */
export function decode(type: string, bytes: Uint8Array): Typed | null {
  const { buffer, byteOffset, byteLength } = bytes;
  const of = <T>(make: new (buffer: ArrayBufferLike, at: number, length: number) => T, width: number): T =>
    new make(buffer, byteOffset, byteLength / width);
  switch (type) {
    case 'float32':
      return of(Float32Array, 4);
    case 'float64':
      return of(Float64Array, 8);
    case 'float16':
      return Float32Array.from(of(Uint16Array, 2), fromHalf);
    case 'bfloat16': {
      const halves = of(Uint16Array, 2);
      const words = new Uint32Array(halves.length);
      for (let k = 0; k < halves.length; k++) words[k] = halves[k] << 16;
      return new Float32Array(words.buffer);
    }
    case 'int32':
      return Float64Array.from(of(Int32Array, 4));
    case 'uint32':
      return Float64Array.from(of(Uint32Array, 4));
    case 'int64':
      return Float64Array.from(of(BigInt64Array, 8) as unknown as ArrayLike<number>, Number);
    case 'uint64':
      return Float64Array.from(of(BigUint64Array, 8) as unknown as ArrayLike<number>, Number);
    default:
      return null;
  }
}

/** The bytes of numbers in `type`; null for a type that is not written. */
export function encode(type: string, values: ArrayLike<number>): Uint8Array | null {
  const list = encoded(type, values);
  return list && new Uint8Array(list.buffer, list.byteOffset, list.byteLength);
}

function encoded(type: string, values: ArrayLike<number>): ArrayBufferView | null {
  switch (type) {
    case 'float32':
      return values instanceof Float32Array ? values : Float32Array.from(values);
    case 'float64':
      return Float64Array.from(values);
    case 'float16':
      return Uint16Array.from(values, toHalf);
    case 'bfloat16': {
      const floats = Float32Array.from(values);
      return Uint16Array.from(new Uint32Array(floats.buffer), toBfloat);
    }
    case 'int32':
      return Int32Array.from(values);
    case 'uint32':
      return Uint32Array.from(values);
    case 'int64':
      return BigInt64Array.from(Array.from(values, BigInt));
    case 'uint64':
      return BigUint64Array.from(Array.from(values, BigInt));
    default:
      return null;
  }
}

/** The types whose numbers are trained here: as float32, and saved in their own. */
export const isTrainable = (type: string): boolean => /^(b?float16|float32|float64)$/.test(type);
