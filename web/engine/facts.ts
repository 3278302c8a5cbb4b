// What TypeScript knows of the C++ side: rules, roles and layouts, as the build has read them off its structs
// (cpp/engine/facts.h). Their types are said here so that they do not point into the build folder.
import * as facts from '../../build/wasm/facts.mjs';

/** A per-element state array of a rule. */
export interface SlotFacts {
  readonly name: string;
  /** Keras lists the slots of a group interleaved per variable, group after group. */
  readonly group: number;
  /** What it holds at first: '' for zeros, 'weights' for a copy of the variable, else a hyperparameter's name. */
  readonly initial: string;
  /** Its size: see `slotShape` in step/slots.ts. */
  readonly extent: number;
  /** It sums or compares squares or magnitudes. */
  readonly neverNegative: boolean;
}

export interface RuleFacts {
  readonly index: number;
  readonly slots: readonly SlotFacts[];
  /** Over the elements: 2 where sums over the variable stand between them. */
  readonly passes: number;
  /** How many these are; 0 where there are none. */
  readonly sums: number;
  /** Whether it reads whole variables, and knows matrices. */
  readonly whole: boolean;
  /** Whether an update depends on what the variable was, beyond adding to it. */
  readonly usesWeights: boolean;
  /** The hyperparameters that `setHyper` takes, by number; in Keras' spelling. */
  readonly hypers: readonly string[];
  /** The coefficients of a step, where a rule reads whole variables. */
  readonly coefs?: readonly string[];
  /** Scalars that are state of the optimizer. */
  readonly scalars: readonly string[];
}

/** Every module of a build carries it; modules of different builds do not understand each other. */
export const fingerprint: number = facts.fingerprint;

const rules: Readonly<Record<string, RuleFacts>> = facts.rules;

export function ruleFacts(rule: string): RuleFacts {
  if (!Object.hasOwn(rules, rule)) throw new Error(`There is no update rule '${rule}' in the engine.`);
  return rules[rule];
}

/** The names of slots of which no element is ever below zero. */
export const neverNegative: ReadonlySet<string> = new Set(
  Object.values(rules).flatMap(({ slots }) => slots.flatMap((slot) => (slot.neverNegative ? slot.name : []))),
);

/** Whose scalar arithmetic a rule's coefficients follow. */
export const dialects: Readonly<Record<'keras' | 'optimizerV2' | 'torch' | 'tfjs', number>> = facts.dialects;

/** What an array is for: decides where in a page it starts. Slot k is `slots + k`. */
export const roles: Readonly<Record<'weights' | 'gradient' | 'accumulator' | 'average' | 'slots', number>> =
  facts.roles;
export const page: { readonly bytes: number; readonly offsets: readonly number[] } = facts.page;

/** How slots are stored; elements and words of a block that shares a scale. */
export const storages: Readonly<Record<'float32' | 'bfloat16' | 'int8', number>> = facts.storages;
export const block: { readonly size: number; readonly words: number } = facts.block;

/** Floats of a tile; bytes that a kernel needs to prepare gradients in. */
export const tileSize: number = facts.tileSize;
export const scratchBytes: number = facts.scratchBytes;

type Words<K extends string> = Readonly<Record<K, number>>;

/** Places in a Row, an Entry of the step list and a record of the GPU's control buffer, in words of 4 bytes. */
export const row: Words<'words' | 'pipe' | 'coef' | 'n' | 'stages'> = facts.row;
export const entry: Words<'words' | 'row' | 'gradient' | 'sumOfSquares' | 'clipped' | 'partial'> =
  facts.entry;
export const record: Words<'words' | 'entry' | 'clips' | 'pipe' | 'coef'> = facts.record;

/** Places in the head of a report (cpp/engine/optimizer.h), and in what it has of a row. */
export const report: Words<'words' | 'count' | 'update' | 'rate' | 'scale' | 'rows'> = facts.report;
export const told: Words<
  'words' | 'row' | 'away' | 'gradient' | 'clipped' | 'update' | 'weights' | 'zeros' | 'nonfinite'
> = facts.told;

/** The scalars of the stages, by number, and the most that a rule has of its own. */
export const pipe: Words<'clip' | 'divide'> = facts.pipe;
export const pipeWords: number = Object.keys(facts.pipe).length;
export const coefWords: number = facts.coefs;

/** @throws Error for a module of another build */
export function checkFingerprint(what: string, found: unknown): void {
  if (found !== fingerprint)
    throw new Error(
      `${what} is of another build than this package (fingerprint ${found}, not ${fingerprint}): take both from one version.`,
    );
}
