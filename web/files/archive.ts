// A .keras file taken apart: its files, its config, and the optimizer in it. Which weights it holds is weights.ts.
import { LossScaleOptimizer } from '../optimizers/loss-scale.js';
import { MultiOptimizer } from '../optimizers/multi.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { get } from '../optimizers/registry.js';
import type { SerializedOptimizer } from '../optimizers/serialized.js';
import { type JsonNode, parseJson } from './json-text.js';
import type { LayerConfig } from './layers.js';
import { unzip } from './zip.js';

export interface Archive {
  readonly files: Record<string, Uint8Array>;
  /** config.json, and the optimizer's place in it. */
  readonly text: string;
  readonly node: JsonNode;
  readonly model: LayerConfig;
  readonly weights: Uint8Array;
  /** A new optimizer from the file's config. */
  makeOptimizer(): Optimizer;
}

/** @throws TypeError, RangeError for what is no .keras file of a compiled model */
export async function openArchive(
  what: string,
  bytes: unknown,
  customObjects: Record<string, unknown> | undefined,
): Promise<Archive> {
  const files = await unzip(what, bytes);
  const file = (name: string) => {
    if (files[name]) return files[name];
    const names = Object.keys(files);
    throw new RangeError(
      `${what}: no .keras file: the archive has no ${name}, only ${names.slice(0, 5).join(', ') || 'nothing'}.`,
    );
  };
  const text = new TextDecoder().decode(file('config.json'));
  const weights = file('model.weights.h5');
  let root: JsonNode;
  try {
    root = parseJson(text);
  } catch (cause) {
    throw new RangeError(`${what}: config.json is no JSON: ${(cause as Error).message}.`, { cause });
  }
  const node = root.members?.get('compile_config')?.members?.get('optimizer');
  if (!node || node.value === null)
    throw new RangeError(
      `${what}: the file has no optimizer (compile_config in config.json); compile the model before saving it.`,
    );
  const makeOptimizer = () => one(what, get(node.value as SerializedOptimizer, customObjects) as Optimizer);
  return { files, text, node, model: root.value as LayerConfig, weights, makeOptimizer };
}

/** What the order of the state is found out of (layout.ts): placeholders, which a map would not know. */
function one(what: string, optimizer: Optimizer): Optimizer {
  const inner = optimizer instanceof LossScaleOptimizer ? optimizer.innerOptimizer : optimizer;
  if (inner instanceof MultiOptimizer)
    throw new RangeError(`${what}: the state of a MultiOptimizer in a .keras file is not supported yet.`);
  return optimizer;
}
