// Whether gradients on the GPU are all finite: one flag, read back. It is what dynamic loss scaling waits for.
import { type Context, type Range, usage } from './context.js';
import type { Programs } from './programs.js';

const elementsOfAGroup = 4096; // kernels.ts

export async function allFinite(
  context: Context,
  programs: Programs,
  ranges: readonly Range[],
): Promise<boolean> {
  const { device } = context;
  const flag = context.buffer('the finite check', 16, usage.storage | usage.copySrc);
  const copies: GPUBuffer[] = [];
  context.watched(() => {
    const encoder = device.createCommandEncoder();
    const program = programs.kernel('finite');
    const parts = ranges.flatMap((range) => bindable(context, encoder, range, copies));
    const pass = encoder.beginComputePass();
    for (const part of parts) {
      const bindings = [
        [0, part],
        [1, { buffer: flag, offset: 0, size: 4 }],
      ] as const;
      const groups = Math.ceil(part.size / 4 / elementsOfAGroup);
      programs.dispatch(pass, program, programs.group(program, bindings, false), groups);
    }
    pass.end();
    device.queue.submit([encoder.finish()]);
  });
  try {
    const bits = await context.read('apply', { buffer: flag, offset: 0, size: 4 });
    return new Uint32Array(bits.buffer)[0] === 0;
  } finally {
    for (const buffer of [flag, ...copies]) buffer.destroy();
  }
}

/** A range in parts that a shader can bind; copied first if it cannot be bound where it is. */
function bindable(context: Context, encoder: GPUCommandEncoder, range: Range, copies: GPUBuffer[]): Range[] {
  const { alignment, maxBindingSize } = context;
  let { buffer, offset } = range;
  if (offset % alignment !== 0 || !(buffer.usage & usage.storage)) {
    const copy = context.buffer('a gradient', range.size, usage.storage | usage.copyDst);
    copies.push(copy);
    encoder.copyBufferToBuffer(buffer, offset, copy, 0, range.size);
    [buffer, offset] = [copy, 0];
  }
  const parts: Range[] = [];
  for (let at = 0; at < range.size; at += maxBindingSize)
    parts.push({ buffer, offset: offset + at, size: Math.min(maxBindingSize, range.size - at) });
  return parts;
}
