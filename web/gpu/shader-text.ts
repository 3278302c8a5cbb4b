// The WGSL texts, from the shader module (cpp/bindings/shaders_exports.cc): the C++ kernels, run on a lane whose
// values are text. Loaded once, when WebGPU is asked for.
import shaderModule from '../../build/wasm/shaders.wasm';
import { decode } from '../basics/bytes.js';
import { checkFingerprint } from '../engine/facts.js';

interface Shaders {
  readonly memory: WebAssembly.Memory;
  _initialize?(): void;
  fingerprint(): number;
  wgsl(kind: number, rule: number, stages: number, lanes: number): number;
  maps(): number;
}

let shaders: Shaders | undefined;
let loading: Promise<void> | undefined;

export function loadShaders(): Promise<void> {
  loading ??= WebAssembly.instantiate(decode(shaderModule) as BufferSource, {}).then(({ instance }) => {
    shaders = instance.exports as unknown as Shaders;
    shaders._initialize?.();
    checkFingerprint('The shader module', shaders.fingerprint() >>> 0);
  });
  return loading;
}

/** The maps of int8, for shaders that read such slots: cpp/engine/narrow_shader.h; only after `loadShaders`. */
export function mapWords(): Uint32Array {
  const { memory, maps } = shaders as Shaders;
  return new Uint32Array(memory.buffer, maps(), 1024);
}

/** The shader of cpp/engine/shader.h; only after `loadShaders`. */
export function shaderText(kind: number, rule: number, stages: number, lanes: number): string {
  const { memory, wgsl } = shaders as Shaders;
  const text = new Uint8Array(memory.buffer, wgsl(kind, rule, stages, lanes));
  return new TextDecoder().decode(text.slice(0, text.indexOf(0)));
}
