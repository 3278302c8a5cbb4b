// The rows of one optimizer that live on the GPU: their state, and their part in a step. What is valid was checked
// before; what a step does is planned in plan.ts and sent by encode.ts.
import { projectionOf } from '../constraints/constraints.js';
import type { Elsewhere, Guest, Residence } from '../step/elsewhere.js';
import type { DeviceRange, Remote } from '../step/remote.js';
import { clippedRows, clipsRows, SparseGradient } from '../step/sparse.js';
import type { Gradient, StepOptions, Target } from '../step/target.js';
import type { Block, Member, Part } from './blocks.js';
import type { Context, Range } from './context.js';
import { Control } from './control.js';
import { Encoder, Shared } from './encode.js';
import { allFinite } from './finite.js';
import { Plan, rangeOf } from './plan.js';
import type { Programs } from './programs.js';
import { Rows } from './rows.js';

export class Host implements Elsewhere {
  readonly #context: Context;
  readonly #programs: Programs;
  readonly #executor: Guest;
  readonly #rows: Rows;
  readonly #control: Control;
  readonly #shared: Shared;
  readonly #bounds = new Map<number, GPUBuffer>();
  /** Sums of squares that the next step was told. */
  readonly #sums = new Map<number, number>();
  #plan: Plan | null = null;
  /** The last plan that was monitored, once it was sent. */
  #told: Pick<Plan, 'rows' | 'width'> | null = null;

  constructor(context: Context, programs: Programs, executor: Guest) {
    this.#context = context;
    this.#programs = programs;
    this.#executor = executor;
    this.#rows = new Rows(context, executor);
    this.#control = new Control(this.#rows.core);
    this.#shared = new Shared(context);
  }

  has(row: number): boolean {
    return this.#rows.members.has(row);
  }

  isOn(context: Context): boolean {
    return context === this.#context;
  }

  check(what: string): void {
    this.#context.alive(what);
  }

  retire(row: number): void {
    this.#rows.retire(row);
    this.#bounds.get(row)?.destroy();
    this.#bounds.delete(row);
    this.#programs.forget();
    this.#release();
  }

  /** Makes the state of variables that are on the GPU already. @throws Error, RangeError: nothing was made */
  adopt(parts: readonly Part[]): void {
    for (const { target } of parts) this.#rows.check(target);
    this.#context.watched(() => this.#rows.add(this.#rows.make(parts)));
  }

  /** Moves variables of the engine here; `take` finds a place for their weights. @throws: nothing has moved */
  offload(
    targets: readonly Target[],
    take: (target: Target) => Residence & Pick<Part, 'weights'>,
  ): Promise<void> {
    return this.#offload(targets, take).finally(() => this.#release());
  }

  async #offload(
    targets: readonly Target[],
    take: (target: Target) => Residence & Pick<Part, 'weights'>,
  ): Promise<void> {
    for (const target of targets) this.#rows.check(target);
    const homes = new Map<Target, Residence & Pick<Part, 'weights'>>();
    let blocks: Block[] = [];
    try {
      const fits = await this.#context.fits(() => {
        for (const target of targets) homes.set(target, take(target));
        blocks = this.#rows.make([...homes].map(([target, { weights }]) => ({ target, weights })));
      });
      this.#context.alive('offload');
      if (!fits)
        throw new RangeError(
          'offload: the GPU has no memory for the variables and their state; nothing has moved.',
        );
    } catch (error) {
      for (const block of blocks) block.destroy();
      for (const home of homes.values()) home.free();
      throw error;
    }
    this.#rows.enter(blocks, homes);
  }

  // One step

  prepare(
    rows: readonly number[],
    gradients: readonly Gradient[],
    count: number,
    options: StepOptions,
    encoder?: object,
  ): Promise<void> | null {
    const listed = rows.slice(0, count);
    const ours = listed.filter((row) => this.has(row));
    const globally = (options.globalClipnorm ?? 0) > 0 && !((options.clipnorm ?? 0) > 0);
    if (!globally || ours.length === 0 || ours.length === count || !this.#executor.native.updating())
      return null;
    if (encoder)
      throw new Error(
        'record: globalClipnorm over variables in the engine and on the GPU must be waited for, and cannot be recorded; await apply() instead.',
      );
    this.#executor.planAhead(ours);
    const plan = this.#newPlan(ours.length);
    plan.mode = 'own';
    listed.forEach((row, j) => {
      if (this.has(row)) this.#add(plan, row, gradients[j], options, false);
    });
    plan.write(this.#control, 1);
    this.#send(plan, undefined, true);
    const { width, sumBytes } = plan;
    const sums = {
      buffer: this.#shared.get('sums', sumBytes),
      offset: 4 * width,
      size: ours.length * 4 * width,
    };
    return this.#context.read('apply', sums).then((found) => {
      ours.forEach((row, k) => {
        this.#sums.set(row, found[k * width]);
      });
    });
  }

  sumOf(row: number): number {
    return this.#sums.get(row) ?? Number.NaN;
  }

  step(rows: readonly number[], gradients: readonly Gradient[], count: number, options: StepOptions): void {
    const { native, averages, accumulates, targets } = this.#executor;
    const updating = native.updating();
    const plan = this.#newPlan(count);
    const own = (options.clipnorm ?? 0) > 0;
    const known = this.#sums.size > 0;
    if (updating && !known && (own || (options.globalClipnorm ?? 0) > 0)) plan.mode = own ? 'own' : 'global';
    const stepped = new Set<number>();
    for (let j = 0; j < count; j++) {
      const row = rows[j];
      if (!this.has(row)) continue;
      stepped.add(row);
      const g = gradients[j];
      this.#add(plan, row, g, options, !clipsRows(g, options));
    }
    for (const member of this.#rows.members.values()) {
      const { row } = member.target;
      const { constraint, shape } = targets[row];
      if (averages && native.overwriting()) plan.overwrites.push(member);
      if (stepped.has(row)) {
        const projection = constraint && projectionOf(constraint, shape);
        if (projection) plan.constraints.push({ member, projection });
        continue;
      }
      // Every row's average moves with the same scalars, and one row at least was planned.
      if (averages) plan.add('average', member, native.rowOf(rows[0]), null, false);
      if (accumulates && updating) plan.resets.push(member);
    }
    if (plan.entries.length === 0) plan.mode = null;
    plan.write(this.#control, (own ? options.clipnorm : options.globalClipnorm) ?? 0);
    this.#sums.clear();
    this.#plan = plan;
  }

  commit(encoder?: object): void {
    const plan = this.#plan;
    this.#plan = null;
    if (!plan) return;
    this.#send(plan, encoder);
    if (plan.monitored) this.#told = { rows: plan.rows, width: plan.width };
  }

  told(): Promise<ReadonlyMap<number, Float32Array>> | null {
    if (!this.#told) return null;
    const { rows, width } = this.#told;
    const size = 4 * width * rows.length;
    return this.#context
      .read('readReport', { buffer: this.#shared.get('report', size), offset: 0, size })
      .then((sums) => new Map(rows.map((row, k) => [row, sums.subarray(k * width, (k + 1) * width)])));
  }

  discard(): void {
    this.#plan = null;
    this.#sums.clear();
  }

  /** Of a step of the rows; of at most so many of them. */
  #newPlan(entries: number, updating?: boolean): Plan {
    const { native } = this.#executor;
    const monitored = updating === undefined && !this.#rows.rule.whole && native.monitoring();
    const terms = (updating ?? native.updating()) ? this.#rows.rule.sums : 0;
    return new Plan(this.#context, this.#rows.core, entries, terms, monitored);
  }

  /** Adds a row with its gradient, and whether its norm clips it. */
  #add(plan: Plan, row: number, g: Gradient, options: StepOptions, clips: boolean): void {
    const member = this.#rows.members.get(row) as Member;
    const words = this.#executor.native.rowOf(row);
    if (g instanceof SparseGradient) {
      const rows = clippedRows(g, member.target, options);
      const { width } = rows;
      plan.scatters.push({ member, rows, clears: !options.legacySparse });
      if (!options.legacySparse) plan.add('step', member, words, null, clips);
      else
        for (const first of rows.rows)
          plan.add('step', member, words, null, clips, { from: first * width, count: width });
      return;
    }
    let direct: Range | null = null;
    if (g instanceof Float32Array) plan.upload(member, g);
    else direct = plan.place(member, rangeOf(g as DeviceRange, member.target.size));
    plan.add('step', member, words, direct, clips);
  }

  #send(plan: Plan, given?: object, onlyNorms = false): void {
    const context = this.#context;
    const to = {
      context,
      programs: this.#programs,
      rule: this.#rows.rule,
      form: this.#rows.form,
      room: this.#rows.room,
      shared: this.#shared,
      control: this.#control,
      bounds: this.#bounds,
    };
    context.watched(() => {
      const encoder = (given as GPUCommandEncoder | undefined) ?? context.device.createCommandEncoder();
      const commands = new Encoder(to, encoder, given !== undefined);
      commands.step(plan, onlyNorms);
      if (given) return;
      context.device.queue.submit([encoder.finish()]);
      commands.destroy();
    });
  }

  finite(rows: readonly number[], gradients: readonly Gradient[], count: number): Promise<boolean> | null {
    const ranges: Range[] = [];
    for (let j = 0; j < count; j++) {
      const g = gradients[j];
      if (g instanceof Float32Array || g instanceof SparseGradient) continue;
      ranges.push(rangeOf(g as DeviceRange, this.#executor.targets[rows[j]].size));
    }
    if (ranges.length === 0) return null;
    return allFinite(this.#context, this.#programs, ranges);
  }

  updateOnly({ row }: Target, g: Gradient, rate: number): void {
    this.#executor.native.planOnly(row, rate);
    const plan = this.#newPlan(1, true);
    const none = { clipnorm: null, clipvalue: null, globalClipnorm: null };
    this.#add(plan, row, g, none, false);
    plan.write(this.#control, 0);
    this.#send(plan);
  }

  overwrite(row: number): void {
    const plan = this.#newPlan(0, false);
    plan.overwrites.push(this.#rows.members.get(row) as Member);
    plan.write(this.#control, 0);
    this.#send(plan);
  }

  // State

  average(row: number): Remote | null {
    return this.#rows.remote(row, ({ average }) => average);
  }
  accumulator(row: number): Remote | null {
    return this.#rows.remote(row, ({ accumulator }) => accumulator);
  }
  slot(row: number, k: number): Remote {
    return this.#rows.slot(row, k);
  }

  copyToSlot(row: number, k: number): void {
    this.#rows.copyToSlot(row, k);
  }

  onload(): Promise<void> {
    return this.#rows.leave().finally(() => this.#release());
  }

  delete(): void {
    this.#rows.destroy();
    this.#release();
  }

  /** What only serves rows, if there are none any more. */
  #release(): void {
    if (this.#rows.members.size > 0) return;
    this.#executor.elsewhere = null;
    this.#shared.destroy();
    for (const buffer of this.#bounds.values()) buffer.destroy();
    this.#bounds.clear();
    this.#programs.forget();
  }
}
