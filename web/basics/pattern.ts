// Regular expressions that come as strings.
import { describe } from './errors.js';

/** A regular expression from a string. @throws RangeError that begins with `label` */
export function pattern(label: string, source: string): RegExp {
  try {
    return new RegExp(source);
  } catch (error) {
    throw new RangeError(
      `${label}: ${describe(source)} is no regular expression (${(error as Error).message}).`,
    );
  }
}
