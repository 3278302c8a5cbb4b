// Bytes: of files that a user hands over, and of the wasm files. These are inlined as base64 text and decoded when they are needed, by whatever is native here: a loop
// in JavaScript over a hundred thousand characters would take longer than compiling the module.

import { describe } from './errors.js';

interface Native {
  Uint8Array: { fromBase64?(text: string): Uint8Array };
  Buffer?: { from(text: string, encoding: 'base64'): Uint8Array };
}

export function decode(base64: string): Uint8Array {
  const { Uint8Array: bytes, Buffer: node } = globalThis as unknown as Native;
  return (
    bytes.fromBase64?.(base64) ??
    node?.from(base64, 'base64') ??
    Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
  );
}

/** @throws TypeError that begins with `what` for anything but bytes */
export function bytesOf(what: string, value: unknown): Uint8Array {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  throw new TypeError(`${what} takes a Uint8Array or ArrayBuffer, got ${describe(value)}.`);
}
