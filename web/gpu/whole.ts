// Rules that read whole variables (Adafactor, Muon), as a GPU takes them: which shaders run over a variable, in which
// order and with how many workgroups, and the room that they work in. What the shaders compute is
// cpp/engine/whole_shader.cc; it sends nothing itself.
import type { Target } from '../step/target.js';
import type { ShaderKind } from './programs.js';

export interface Pass {
  readonly kind: ShaderKind;
  /** Workgroups; null for a shader over the elements, which has those of its dispatch. */
  readonly groups: number | null;
  /** Whether it has the second array of the room as the first one. */
  readonly swapped?: boolean;
}

export interface Form {
  /** Floats of the arrays of the room, for one variable. */
  room(target: Target): number[];
  /** An update of it. @param coef a coefficient of the step by its name */
  passes(target: Target, coef: (name: string) => number): readonly Pass[];
}

/** Sums that a workgroup makes side by side, and the side of the tile of a product: cpp/engine/whole_shader.cc. */
const across = 32;
const tile = 64;

const over = (kind: ShaderKind, swapped = false): Pass => ({ kind, groups: null, swapped });
const sums: Pass = { kind: 'sums', groups: 1 };

/** Rows and columns, of what is a matrix and has elements. */
const sidesOf = ({ matrix, size }: Target) => (matrix && size > 0 ? matrix : null);

const adafactor: Form = {
  room(target) {
    const sides = sidesOf(target);
    return [target.size, sides ? target.size / (sides[0] * sides[1]) : 1];
  },
  passes(target) {
    const sides = sidesOf(target);
    if (!sides) return [over('first'), sums, over('step')];
    const { size } = target;
    const [rows, columns] = sides;
    return [
      over('matrixFirst'),
      { kind: 'rows', groups: size / columns },
      { kind: 'columns', groups: Math.ceil(size / rows / across) },
      { kind: 'means', groups: size / (rows * columns) },
      over('factor'),
      sums,
      over('step'),
    ];
  },
};

const muon: Form = {
  room(target) {
    const sides = sidesOf(target);
    if (!sides) return [1, 1, 1, 1];
    const square = Math.min(...sides) ** 2;
    return [target.size, target.size, square, square];
  },
  passes(target, coef) {
    const sides = sidesOf(target);
    if (!sides) return [over('step')];
    const [short, long] = [Math.min(...sides), Math.max(...sides)].map((side) => Math.ceil(side / tile));
    const passes = [over('matrixFirst'), sums, over('normalize')];
    const steps = coef('steps');
    for (let t = 0; t < steps; t++) {
      const swapped = t % 2 === 1; // an iteration reads one array and writes the other
      passes.push({ kind: 'gram', groups: short * short, swapped });
      passes.push({ kind: 'polynomial', groups: short * short });
      passes.push({ kind: 'multiply', groups: short * long, swapped });
    }
    return [...passes, over('matrixStep', steps % 2 === 1)];
  },
};

const forms: Readonly<Record<string, Form>> = { adafactor, muon };

/** Undefined for a rule that steps every element by itself. */
export const formOf = (rule: string): Form | undefined => forms[rule];
