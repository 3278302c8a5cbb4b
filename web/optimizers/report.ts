// What an update was like, from the engine's sums (cpp/kernels/monitor.h). It sums over variables; over elements the
// step has done so.
import type { Core } from '../engine/core.js';
import { report as reportAt, told as toldAt } from '../engine/facts.js';
import type { Executor } from '../step/executor.js';

/** L2 norms in float32, and counts of elements: of all variables that had a gradient, or of one. */
export interface Figures {
  /** Elements. */
  readonly size: number;
  /** Of the gradient before clipping: divided by the loss scale, and the mean of what was accumulated. */
  readonly gradientNorm: number;
  /** Of the gradient that the update rule got: clipped, and with the L2 decay of `compat: 'torch'`. */
  readonly clippedNorm: number;
  /** Of what the update has added to the weights, weight decay included. */
  readonly updateNorm: number;
  /** Of the weights after it; before a constraint, and before they are overwritten by their average. */
  readonly weightNorm: number;
  /** `updateNorm / weightNorm`. Often about 1e-3 where the learning rate is right. */
  readonly ratio: number;
  /** Elements of the gradient before clipping that are NaN or infinite. */
  readonly nonFinite: number;
  /** Those that are exactly zero; where a norm clips, also what is too small to be scaled and becomes zero. */
  readonly zeros: number;
}

/** The figures of one variable. */
export interface VariableReport extends Figures {
  /** The variable's. */
  readonly path: string;
}

/** What an update was like, with `monitor`: figures over all variables that it stepped. */
export interface Report extends Figures {
  /** Which update it was: `iterations` right after it. */
  readonly iteration: number;
  /** The learning rate that it was made with, as float32. */
  readonly learningRate: number;
  /** What its gradients were divided by. */
  readonly lossScale: number;
  /** With `perVariable`: those that had a gradient, in the order of the call. */
  readonly variables?: readonly VariableReport[];
}

/** The engine's Tally of a variable: sums of squares, and counts. */
export interface Told {
  readonly path: string;
  readonly size: number;
  readonly row: number;
  /** It lives on a GPU, and what follows is 0 here. */
  readonly away: boolean;
  readonly gradient: number;
  readonly clipped: number;
  readonly update: number;
  readonly weights: number;
  readonly zeros: number;
  readonly nonfinite: number;
}

/** A step, told of: its variables may be those of several optimizers. */
export interface Account {
  readonly iteration: number;
  readonly learningRate: number;
  readonly lossScale: number;
  readonly told: readonly Told[];
}

/** The number of the last update that was monitored; 0 if there was none. */
export const lastTold = (core: Core, { native }: Executor): number =>
  new Uint32Array(core.memory.buffer)[(native.report() >>> 2) + reportAt.update];

/** Of the last update that was monitored, `earlier` if this executor has made none; null if nothing is told of it. */
export function accountOf(
  core: Core,
  { native, targets }: Executor,
  earlier: Account | null,
): Account | null {
  const words = new Uint32Array(core.memory.buffer);
  const floats = new Float32Array(core.memory.buffer);
  const head = native.report() >>> 2;
  const iteration = words[head + reportAt.update];
  const count = words[head + reportAt.count];
  if (iteration === 0) return earlier;
  if (count === 0) return null;
  const first = words[head + reportAt.rows] >>> 2;
  const told = Array.from({ length: count }, (_, k): Told => {
    const at = first + k * toldAt.words;
    const row = words[at + toldAt.row];
    const { path, size } = targets[row];
    return {
      path,
      size,
      row,
      away: words[at + toldAt.away] !== 0,
      gradient: floats[at + toldAt.gradient],
      clipped: floats[at + toldAt.clipped],
      update: floats[at + toldAt.update],
      weights: floats[at + toldAt.weights],
      zeros: words[at + toldAt.zeros],
      nonfinite: words[at + toldAt.nonfinite],
    };
  });
  const learningRate = floats[head + reportAt.rate];
  return { iteration, learningRate, lossScale: floats[head + reportAt.scale], told };
}

/** The same, once a GPU has told its part; null if that was left behind there. */
export async function fullAccountOf(
  core: Core,
  executor: Executor,
  earlier: Account | null,
): Promise<Account | null> {
  const account = accountOf(core, executor, earlier);
  if (!account?.told.some(({ away }) => away)) return account;
  const found = await executor.elsewhere?.told();
  if (!found) return null;
  const told = account.told.map((one): Told => {
    const sums = found.get(one.row);
    if (!one.away || !sums) return one;
    const [gradient, clipped, update, weights, zeros, nonfinite] = sums;
    return { ...one, away: false, gradient, clipped, update, weights, zeros, nonfinite };
  });
  return told.some(({ away }) => away) ? null : { ...account, told };
}

/** @throws Error where a GPU has a part of it */
export function reportOf(core: Core, account: Account, perVariable: boolean): Report {
  const { iteration, learningRate, lossScale, told } = account;
  const away = told.find((one) => one.away);
  if (away)
    throw new Error(`report: the variable '${away.path}' lives on the GPU; await readReport() instead.`);
  const report = { iteration, learningRate, lossScale, ...figuresOf(core, told) };
  if (!perVariable) return report;
  return { ...report, variables: told.map((one) => ({ path: one.path, ...figuresOf(core, [one]) })) };
}

function figuresOf(core: Core, told: readonly Told[]): Figures {
  const count = (of: (one: Told) => number) => told.reduce((sum, one) => sum + of(one), 0);
  const norm = (of: (one: Told) => number) => Math.fround(Math.sqrt(total(core, told.map(of))));
  const updateNorm = norm(({ update }) => update);
  const weightNorm = norm(({ weights }) => weights);
  return {
    size: count(({ size }) => size),
    gradientNorm: norm(({ gradient }) => gradient),
    clippedNorm: norm(({ clipped }) => clipped),
    updateNorm,
    weightNorm,
    ratio: updateNorm / weightNorm,
    nonFinite: count(({ nonfinite }) => nonfinite),
    zeros: count(({ zeros }) => zeros),
  };
}

/** In the order in which a global norm is summed: cpp/kernels/reduce.h. */
function total(core: Core, values: readonly number[]): number {
  const { gradientTile, module } = core;
  const { length } = values;
  if (length <= gradientTile.length) {
    gradientTile.set(values);
    return module.sum(gradientTile.byteOffset, length);
  }
  const half = (length >> 1) - ((length >> 1) % 8);
  return Math.fround(total(core, values.slice(0, half)) + total(core, values.slice(half)));
}
