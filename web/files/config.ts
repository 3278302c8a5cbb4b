// The optimizer's config within config.json: which pieces of the text to replace when it has changed. What has not
// changed since the file was read keeps its text, also where we would write it otherwise (modules, 64 for 64.0).
import type { SerializedOptimizer } from '../optimizers/serialized.js';
import { type Edit, type JsonNode, pythonJson } from './json-text.js';

type Config = Readonly<Record<string, unknown>>;

/**
 * @param node the optimizer in the text: `{ class_name, config }` or, from `compile(optimizer='adam')`, a name
 * @param base what was read from there, serialized again
 * @throws RangeError for another class, or an option that Keras does not know
 */
export function optimizerEdits(
  what: string,
  node: JsonNode,
  base: SerializedOptimizer,
  now: SerializedOptimizer,
): Edit[] {
  if (base.class_name !== now.class_name)
    throw new RangeError(
      `${what}: the file's optimizer is ${base.class_name}, got ${now.class_name}; save with an optimizer of the file's class.`,
    );
  const config = node.members?.get('config');
  const edits = memberEdits(what, now.class_name, config, base.config ?? {}, now.config ?? {});
  edits.push(...besideEdits(node, base.simdescent, now.simdescent));
  if (config?.members || edits.length === 0) return edits;
  return [{ start: node.start, end: node.end, text: pythonJson(now) }];
}

/** What is excluded from weight decay: beside the config, where Keras does not look. In it Keras refuses unknown keys. */
function besideEdits(
  node: JsonNode,
  base: SerializedOptimizer['simdescent'],
  now: SerializedOptimizer['simdescent'],
): Edit[] {
  if (JSON.stringify(base) === JSON.stringify(now)) return [];
  const old = node.members?.get('simdescent');
  const text = pythonJson(now ?? null);
  if (old) return [{ start: old.start, end: old.end, text }];
  return [{ start: node.end - 1, end: node.end - 1, text: `, "simdescent": ${text}` }];
}

function memberEdits(
  what: string,
  className: string,
  node: JsonNode | undefined,
  base: Config,
  now: Config,
): Edit[] {
  const edits: Edit[] = [];
  for (const key of new Set([...Object.keys(base), ...Object.keys(now)])) {
    const value = now[key] ?? (key in now ? null : false); // flags that only we know are left out while false
    if (JSON.stringify(base[key]) === JSON.stringify(value)) continue;
    if (!(key in base))
      throw new RangeError(
        `${what}: Keras' ${className} has no option '${key}', so the file would not open.`,
      );
    // Keras before TensorFlow's called it so.
    const old = node?.members?.get(key) ?? (key === 'learning_rate' ? node?.members?.get('lr') : undefined);
    const [before, after] = [base[key], value];
    if (old?.members?.has('config') && isSerialized(before) && isSerialized(after)) {
      if (before.class_name === after.class_name) {
        edits.push(...optimizerEdits(what, old, before, after));
        continue;
      }
      if (key === 'inner_optimizer') optimizerEdits(what, old, before, after); // says that the classes differ
    }
    const text = pythonJson(value, key);
    if (old) edits.push({ start: old.start, end: old.end, text });
    else if (node?.members)
      edits.push({
        start: node.end - 1,
        end: node.end - 1,
        text: `${node.members.size + edits.length > 0 ? ', ' : ''}"${key}": ${text}`,
      });
    else edits.push({ start: 0, end: 0, text });
  }
  return edits;
}

function isSerialized(value: unknown): value is SerializedOptimizer {
  return typeof value === 'object' && value !== null && 'class_name' in value && 'config' in value;
}
