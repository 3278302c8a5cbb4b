// The optimizers of a MultiOptimizer that have variables, seen as one: its variables in the order of build, and which
// of them is which in whose part. Building them is multi-build.ts, and stepping them multi-run.ts.

import { isFloats, plainFloats } from '../basics/floats.js';
import type { Core } from '../engine/core.js';
import { Aliases } from '../step/aliases.js';
import type { Built, Executor } from '../step/executor.js';
import type { Parameter } from '../step/parameters.js';
import type { GradientLike, Target } from '../step/target.js';
import type { Build } from './build.js';
import type { Optimizer } from './optimizer.js';
import { type Parts, partsOf } from './parts.js';
import type { Run } from './run.js';

/** One optimizer and its share. */
export class Part {
  readonly optimizer: Optimizer;
  readonly parts: Parts<Build, Run>;
  readonly variables: Parameter[] = [];
  readonly targets: Target[] = [];
  /** Its share of a call; the lists are kept, so that a call with the same arrays is known as such. */
  readonly grads: GradientLike[] = [];
  readonly given: Parameter[] = [];

  constructor(optimizer: Optimizer) {
    this.optimizer = optimizer;
    this.parts = partsOf(optimizer) as Parts<Build, Run>; // one that wraps others is refused before
  }

  get run(): Run {
    return this.parts.run;
  }
  /** Also while a call has not settled, and the optimizer was disposed. @throws Error if there is nothing any more */
  get executor(): Executor {
    return this.parts.build.require();
  }

  add(variable: Parameter, target: Target): void {
    this.targets.push({ ...target, row: this.variables.length });
    this.variables.push(variable);
  }
}

/** An update that was told of by all optimizers that took part in it: its number, and what it was to each of them. */
export interface Joint {
  readonly iteration: number;
  readonly updates: readonly { readonly part: Part; readonly update: number }[];
}

/** Where a variable is. */
export interface Share {
  readonly part: Part;
  /** Its row there. */
  readonly row: number;
}

export class Several implements Built {
  readonly targets: readonly Target[];
  readonly parts: readonly Part[];
  /** By row. */
  readonly shares: readonly Share[];
  readonly rowOf: ReadonlyMap<unknown, number>;
  /** The last one. */
  joint: Joint | null = null;
  readonly #core: Core;
  readonly #aliases: ReadonlyMap<Part, Aliases>;

  constructor(
    core: Core,
    variables: readonly Parameter[],
    targets: readonly Target[],
    shares: readonly Share[],
  ) {
    this.#core = core;
    this.targets = targets;
    this.shares = shares;
    this.parts = [...new Set(shares.map(({ part }) => part))];
    this.rowOf = new Map(variables.map((variable, row) => [variable, row]));
    this.#aliases = new Map(this.parts.map((part) => [part, new Aliases(core, part.executor)]));
  }

  get executors(): readonly Executor[] {
    return this.parts.map(({ executor }) => executor);
  }

  get elsewhere(): Built['elsewhere'] {
    const { shares, executors } = this;
    if (executors.every(({ elsewhere }) => !elsewhere)) return null;
    return {
      check(what) {
        for (const { elsewhere } of executors) elsewhere?.check(what);
      },
      has: (at) => shares[at].part.executor.elsewhere?.has(shares[at].row) ?? false,
    };
  }

  /** What one of them waits for, all wait for. */
  get pending(): Built['pending'] {
    const all = this.executors.map(({ pending }) => pending);
    return {
      check(what) {
        for (const each of all) each.check(what);
      },
      within: (what, work) => all.reduce((inner, each) => () => each.within(what, inner), work)(),
      during: (what, work) => all.reduce((waiting, each) => each.during(what, waiting), work),
      afterwards: (f) => all.reduce((next, each) => () => each.afterwards(next), f)(),
    };
  }

  /** A gradient for a row; a copy, if it is a view of what another of the optimizers steps, maybe before this one. */
  apart(gradient: GradientLike, row: number): GradientLike {
    if (this.parts.length < 2 || !isFloats(gradient)) return gradient;
    const values = plainFloats(gradient);
    const address = this.#core.owns(values) ? values.byteOffset : 0;
    const { part } = this.shares[row];
    for (const [other, aliases] of this.#aliases)
      if (other !== part && aliases.has(values, address, this.targets[row])) return new Float32Array(values);
    return gradient;
  }

  values({ row }: Target): Float32Array {
    const { part, row: own } = this.shares[row];
    return part.executor.values(part.targets[own]);
  }
}
