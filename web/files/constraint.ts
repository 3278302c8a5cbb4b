// The constraint in a layer's config as one that a Variable takes: Keras' own, by class or by the short name that is
// written for a string, or one of the caller's, by name.
import { describe, suggestion } from '../basics/errors.js';
import { type Constraint, constraintFrom } from '../constraints/constraints.js';

const known = ['NonNeg', 'MaxNorm', 'UnitNorm', 'MinMaxNorm'];

/** @throws RangeError for one that is not known: training without it would go elsewhere */
export function constraintFromConfig(
  label: string,
  given: unknown,
  shape: readonly number[],
  customObjects: Readonly<Record<string, unknown>> = {},
): Constraint | null {
  if (given === undefined || given === null) return null;
  const { class_name: className = given, config = {} } = given as { class_name?: unknown; config?: object };
  const name = typeof className === 'string' ? (className.split('>').pop() as string) : '';
  const plain = name.replaceAll('_', '').toLowerCase();
  const own = customObjects[name] as
    | (((values: Float32Array) => ArrayLike<number>) & { fromConfig?: (config: object) => unknown })
    | undefined;
  if (own) return constraintFrom(own.fromConfig?.(config) ?? own, shape);
  const found = known.find((one) => one.toLowerCase() === plain);
  if (!found)
    throw new RangeError(
      `${label} has the constraint ${describe(className)}, which is not known.${suggestion(name, known)} Known: ` +
        `${known.join(', ')}; pass your own as customObjects.`,
    );
  return constraintFrom({ class_name: found, config }, shape);
}
