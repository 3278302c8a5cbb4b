// Bytes: of files that a user hands over, and of the wasm files. These are inlined as hexadecimal text: what a server
// compresses stays as small as the wasm file itself, which base64 would not, as it shifts equal bytes apart. They are
// decoded when they are needed.

import { describe, detached } from './errors.js';

interface Native {
  Uint8Array: { fromHex?(text: string): Uint8Array };
  Buffer?: { from(text: string, encoding: 'hex'): Uint8Array };
}

export function decode(hex: string): Uint8Array {
  const { Uint8Array: native, Buffer: node } = globalThis as unknown as Native;
  const decoded = native.fromHex?.(hex) ?? node?.from(hex, 'hex');
  if (decoded) return decoded;
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (digit(hex, 2 * i) << 4) | digit(hex, 2 * i + 1);
  return bytes;
}

/** Of 0-9 or a-f. */
function digit(hex: string, at: number): number {
  const code = hex.charCodeAt(at);
  return code > 57 ? code - 87 : code - 48;
}

/** @throws TypeError that begins with `what` for anything but bytes, Error for those that were given away */
export function bytesOf(what: string, value: unknown): Uint8Array {
  try {
    if (value instanceof ArrayBuffer) return new Uint8Array(value);
    if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  } catch {
    throw detached(`${what}: the array of bytes`);
  }
  throw new TypeError(`${what} takes a Uint8Array or ArrayBuffer, got ${describe(value)}.`);
}
