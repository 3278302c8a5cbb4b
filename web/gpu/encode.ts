// A planned step as commands: uploads, copies, one pass of dispatches, what comes after it. Into an encoder of our
// own, which is submitted at once, or into the caller's, which is submitted later: then everything that the
// commands read is in a buffer of its own, because the next step may be planned before.
import type { RuleFacts } from '../engine/facts.js';
import { type Context, type Range, unshared, usage } from './context.js';
import { type Control, recordBytes } from './control.js';
import { type Dispatch, type Plan, toldTerms, type Upload } from './plan.js';
import { type Bindings, mapsBinding, type Program, type Programs } from './programs.js';
import type { Form, Pass } from './whole.js';

/** Buffers that live as long as the rows do, and grow. */
export class Shared {
  readonly #context: Context;
  readonly #buffers = new Map<string, GPUBuffer>();

  constructor(context: Context) {
    this.#context = context;
  }

  get(name: string, bytes: number): GPUBuffer {
    const found = this.#buffers.get(name);
    if (found && found.size >= bytes) return found;
    found?.destroy();
    const flags = usage.storage | usage.copySrc | usage.copyDst;
    const buffer = this.#context.buffer(name, 2 * bytes, flags);
    this.#buffers.set(name, buffer);
    return buffer;
  }

  destroy(): void {
    for (const buffer of this.#buffers.values()) buffer.destroy();
    this.#buffers.clear();
  }
}

interface Target {
  readonly context: Context;
  readonly programs: Programs;
  readonly rule: RuleFacts;
  /** Of a rule that reads whole variables, and the room that it works in. */
  readonly form: Form | undefined;
  readonly room: readonly GPUBuffer[];
  readonly shared: Shared;
  readonly control: Control;
  /** Uniforms of constraints, by row. */
  readonly bounds: Map<number, GPUBuffer>;
}

const whole = (buffer: GPUBuffer): Range => ({ buffer, offset: 0, size: buffer.size });

/** A buffer that nobody writes to again; its owner destroys it. */
function frozen(context: Context, what: string, data: ArrayBufferView, flags: number): GPUBuffer {
  const size = Math.max(16, Math.ceil(data.byteLength / 16) * 16);
  const buffer = context.device.createBuffer({
    label: `simdescent: ${what}`,
    size,
    usage: flags,
    mappedAtCreation: true,
  });
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  new Uint8Array(buffer.getMappedRange()).set(bytes);
  buffer.unmap();
  return buffer;
}

export class Encoder {
  readonly #to: Target;
  readonly #encoder: GPUCommandEncoder;
  readonly #recorded: boolean;
  readonly #temporary: GPUBuffer[] = [];

  constructor(to: Target, encoder: GPUCommandEncoder, recorded: boolean) {
    this.#to = to;
    this.#encoder = encoder;
    this.#recorded = recorded;
  }

  /** Once the commands are submitted: lets go of what only they have read. */
  destroy(): void {
    for (const buffer of this.#temporary) buffer.destroy();
  }

  #frozen(what: string, data: ArrayBufferView, flags: number): GPUBuffer {
    const buffer = frozen(this.#to.context, what, data, flags);
    this.#temporary.push(buffer);
    return buffer;
  }

  /** The whole step. With `onlyNorms`, the sums of squares and nothing after them. */
  step(plan: Plan, onlyNorms = false): void {
    const { control, shared } = this.#to;
    for (const upload of plan.uploads) this.#upload(upload);
    for (const { from, to, offset } of plan.copies)
      this.#encoder.copyBufferToBuffer(from.buffer, from.offset, to, offset, from.size);
    for (const { member, clears } of plan.scatters)
      if (clears) this.#clear(member.block.gradient, member.at, member.target.size);
    const words = control.words;
    const records = this.#recorded
      ? this.#frozen('a recorded step', words, usage.storage)
      : shared.get('control', words.byteLength);
    if (!this.#recorded) this.#to.context.device.queue.writeBuffer(records, 0, words);
    const pass = this.#encoder.beginComputePass();
    for (const scatter of plan.scatters) this.#scatter(pass, scatter);
    const sums = plan.entries.length > 0 ? this.#sums(plan.sumBytes) : null;
    if (sums && plan.mode) this.#sumUp(pass, plan, 'squares', records, sums);
    if (!onlyNorms) {
      if (sums && plan.mode) this.#clip(pass, plan, records, sums);
      if (sums && plan.twoPasses && !this.#to.form) this.#sumUp(pass, plan, 'first', records, sums);
      const isAverage = ({ kind }: Dispatch) => kind === 'average';
      const dispatchAll = (list: readonly Dispatch[]) => {
        for (const d of list)
          for (const each of this.#passes(plan, d)) this.#dispatch(pass, d, each, records, sums);
      };
      dispatchAll(plan.dispatches.filter((d) => !isAverage(d)));
      if (sums && plan.monitored) this.#kernel(pass, 'join', records, sums, toldTerms * plan.entries.length);
      dispatchAll(plan.dispatches.filter(isAverage));
    }
    pass.end();
    if (onlyNorms) return;
    if (sums && plan.monitored) this.#tell(plan, sums);
    this.#after(plan);
  }

  /** What was summed of the step stays until it is read. */
  #tell({ width, entries }: Plan, sums: GPUBuffer): void {
    const bytes = 4 * width * entries.length;
    this.#encoder.copyBufferToBuffer(sums, 4 * width, this.#to.shared.get('report', bytes), 0, bytes);
  }

  #sums(bytes: number): GPUBuffer {
    const { context, shared } = this.#to;
    if (!this.#recorded) return shared.get('sums', bytes);
    return context.buffer('recorded sums', bytes, usage.storage | usage.copySrc);
  }

  /** A pass over the rows that are stepped; its sums, one of squares or those of the rule, come to lie where entries' do. */
  #sumUp(
    pass: GPUComputePassEncoder,
    plan: Plan,
    kind: 'squares' | 'first',
    records: GPUBuffer,
    sums: GPUBuffer,
  ): void {
    for (const d of plan.dispatches)
      if (d.kind === 'step') this.#dispatch(pass, d, { kind, groups: null }, records, sums);
    const each = kind === 'first' ? plan.width : 1;
    this.#kernel(pass, 'join', records, sums, each * plan.entries.length);
  }

  /** The shaders of a dispatch: one, or those of a rule that reads whole variables, one after another. */
  #passes({ twoPasses }: Plan, { kind, block, region }: Dispatch): readonly Pass[] {
    const { form, rule, control } = this.#to;
    if (!form || !twoPasses || kind !== 'step') return [{ kind, groups: null }];
    const coef = (name: string) => control.coef(region, rule.coefs?.indexOf(name) as number);
    return form.passes(block.members[0].target, coef);
  }

  /** Norms become clip factors in the rows. */
  #clip(pass: GPUComputePassEncoder, plan: Plan, records: GPUBuffer, sums: GPUBuffer): void {
    if (plan.mode === 'global') this.#kernel(pass, 'total', records, sums, 1);
    this.#kernel(pass, 'finish', records, sums, Math.ceil(this.#to.control.records / 256));
  }

  #kernel(
    pass: GPUComputePassEncoder,
    name: 'join' | 'total' | 'finish',
    records: GPUBuffer,
    sums: GPUBuffer,
    groups: number,
  ): void {
    const { programs } = this.#to;
    const program = programs.kernel(name);
    const bindings: Bindings = [
      [0, whole(records)],
      [1, whole(sums)],
    ];
    programs.dispatch(pass, program, programs.group(program, bindings, !this.#recorded), groups);
  }

  #dispatch(
    pass: GPUComputePassEncoder,
    d: Dispatch,
    { kind, groups, swapped }: Pass,
    records: GPUBuffer,
    sums: GPUBuffer | null,
  ): void {
    const { programs, rule, room } = this.#to;
    const { block, slice, unit, direct } = d;
    const program: Program = programs.shader(kind, rule.index, groups === null ? d.stages : 0, unit);
    const padded = (count: number) => (unit === 4 ? Math.ceil(count / 4) * 16 : count * 4);
    const range = (buffer: GPUBuffer, offset: number): Range =>
      slice
        ? { buffer, offset: offset + slice.from * 4, size: padded(slice.count) }
        : { buffer, offset, size: buffer.size - offset };
    const bindings: [number, Range][] = [
      [0, { buffer: records, offset: d.region.offset, size: (1 + d.spans.length) * recordBytes }],
    ];
    if (kind !== 'average')
      bindings.push([
        2,
        direct
          ? {
              ...direct,
              offset: direct.offset + (slice?.from ?? 0) * 4,
              size: slice ? padded(slice.count) : direct.size,
            }
          : range(block.gradient, 0),
      ]);
    if (block.accumulator) bindings.push([6, range(block.accumulator, 0)]);
    const { weights } = block;
    bindings.push([
      1,
      slice
        ? range(weights.buffer, weights.offset)
        : { ...weights, size: unit === 4 ? padded(weights.size / 4) : weights.size },
    ]);
    block.slots.forEach((slot, k) => {
      if (!slice) bindings.push([3 + k, range(slot, 0)]);
      else {
        const size = block.slotBytes(k, padded(slice.count) / 4);
        bindings.push([3 + k, { buffer: slot, offset: block.slotBytes(k, slice.from), size }]);
      }
    });
    if (program.bindings.has(mapsBinding)) bindings.push([mapsBinding, whole(programs.maps)]);
    if (block.average) bindings.push([7, range(block.average, 0)]);
    if (sums) bindings.push([8, whole(sums)]);
    room.forEach((buffer, k) => {
      bindings.push([9 + (swapped && k < 2 ? 1 - k : k), whole(buffer)]);
    });
    // A gradient's buffer may come once and never again: no bind group is kept that would keep it alive.
    const kept = !this.#recorded && !(direct && program.bindings.has(2));
    programs.dispatch(pass, program, programs.group(program, bindings, kept), groups ?? d.region.groups);
  }

  #upload({ buffer, offset, data }: Upload): void {
    if (data.length === 0) return;
    if (this.#recorded) {
      const copy = this.#frozen('recorded gradients', data, usage.copySrc);
      this.#encoder.copyBufferToBuffer(copy, 0, buffer, offset, data.byteLength);
    } else {
      this.#to.context.device.queue.writeBuffer(buffer, offset, unshared(data));
    }
  }

  #clear(buffer: GPUBuffer, at: number, count: number): void {
    if (count > 0) this.#encoder.clearBuffer(buffer, at * 4, Math.ceil(count / 4) * 16);
  }

  #scatter(pass: GPUComputePassEncoder, { member, rows }: Plan['scatters'][number]): void {
    const { programs } = this.#to;
    if (rows.rows.length === 0 || rows.width === 0) return;
    const program = programs.kernel('scatter');
    const place = new Uint32Array([rows.rows.length, rows.width, member.at]);
    const bindings: Bindings = [
      [0, whole(this.#frozen('sparse rows', rows.rows, usage.storage))],
      [1, whole(this.#frozen('sparse values', rows.values, usage.storage))],
      [2, whole(member.block.gradient)],
      [3, whole(this.#frozen('sparse', place, usage.uniform))],
    ];
    programs.dispatch(pass, program, programs.group(program, bindings, false), rows.rows.length);
  }

  #after({ resets, overwrites, constraints }: Plan): void {
    for (const { block, at, target } of resets) this.#clear(block.accumulator as GPUBuffer, at, target.size);
    for (const { block, at, weights } of overwrites)
      if (weights.size > 0)
        this.#encoder.copyBufferToBuffer(
          block.average as GPUBuffer,
          at * 4,
          weights.buffer,
          weights.offset,
          weights.size,
        );
    if (constraints.length === 0) return;
    const pass = this.#encoder.beginComputePass();
    for (const constraint of constraints) this.#constrain(pass, constraint);
    pass.end();
  }

  #constrain(pass: GPUComputePassEncoder, { member, projection }: Plan['constraints'][number]): void {
    const { context, programs, bounds } = this.#to;
    const { split, range } = projection;
    const { weights, target } = member;
    if (target.size === 0) return;
    const bindings: [number, Range][] = [[0, weights]];
    if (range === null) {
      const program = programs.kernel('positive');
      programs.dispatch(pass, program, programs.group(program, bindings, true), Math.ceil(target.size / 256));
      return;
    }
    let uniform = bounds.get(target.row);
    if (!uniform) {
      const [least, most, share, unit] = range;
      const kind = unit ? 1 : Number.isNaN(share) ? 0 : 2; // UnitNorm, MaxNorm, MinMaxNorm
      const words = new Uint32Array([...split, kind, 0, 0, 0, 0]);
      new Float32Array(words.buffer).set([least, most, share, 1 - share], 4);
      uniform = frozen(context, 'a constraint', words, usage.uniform);
      bounds.set(target.row, uniform);
    }
    bindings.push([1, whole(uniform)]);
    const program = programs.kernel('constrain');
    programs.dispatch(pass, program, programs.group(program, bindings, true), split[0] * split[2]);
  }
}
