// Pipelines and bind groups of one device, made once and kept, and dispatches of any number of workgroups.
import { type Context, type Range, usage } from './context.js';
import { kernels } from './kernels.js';
import { mapWords, shaderText } from './shader-text.js';

/** cpp/engine/shader.h */
const Shader = {
  step: 0,
  average: 1,
  squares: 2,
  first: 3,
  sums: 4,
  matrixFirst: 5,
  matrixStep: 6,
  rows: 7,
  columns: 8,
  means: 9,
  factor: 10,
  normalize: 11,
  gram: 12,
  polynomial: 13,
  multiply: 14,
} as const;
export type ShaderKind = keyof typeof Shader;

/** What a dispatch binds, by number. */
export type Bindings = readonly (readonly [binding: number, range: Range])[];

export interface Program {
  readonly pipeline: GPUComputePipeline;
  /** The numbers that the text declares. */
  readonly bindings: ReadonlySet<number>;
  readonly id: number;
}

/** cpp/engine/narrow_shader.h */
export const mapsBinding = 13;

const mostGroups = 4096; // of bind groups kept: a loop that never repeats its buffers must not fill the memory

export class Programs {
  readonly #context: Context;
  readonly #programs = new Map<string, Program>();
  readonly #groups = new Map<string, GPUBindGroup>();
  readonly #ids = new WeakMap<GPUBuffer, number>();
  #maps: GPUBuffer | null = null;
  #count = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  kernel(name: keyof typeof kernels): Program {
    return this.#program(name, () => kernels[name]);
  }

  shader(kind: ShaderKind, rule: number, stages: number, unit: number): Program {
    return this.#program(`${kind} ${rule} ${stages} ${unit}`, () =>
      shaderText(Shader[kind], rule, stages, unit),
    );
  }

  /** The maps of int8, as a uniform. */
  get maps(): GPUBuffer {
    if (!this.#maps) {
      const words = mapWords();
      this.#maps = this.#context.buffer('the maps of int8', words.byteLength, usage.uniform | usage.copyDst);
      this.#context.device.queue.writeBuffer(this.#maps, 0, words as Uint32Array<ArrayBuffer>);
    }
    return this.#maps;
  }

  /** `kept` for what comes again from step to step. */
  group(program: Program, bindings: Bindings, kept: boolean): GPUBindGroup {
    const used = bindings.filter(([binding]) => program.bindings.has(binding));
    if (!kept) return this.#make(program, used);
    let key = `${program.id}`;
    for (const [binding, { buffer, offset, size }] of used)
      key += ` ${binding}:${this.#idOf(buffer)}+${offset}+${size}`;
    const found = this.#groups.get(key);
    if (found) return found;
    if (this.#groups.size >= mostGroups) this.#groups.clear();
    const group = this.#make(program, used);
    this.#groups.set(key, group);
    return group;
  }

  /** Forgets bind groups, and with them what they keep alive. */
  forget(): void {
    this.#groups.clear();
  }

  dispatch(pass: GPUComputePassEncoder, program: Program, group: GPUBindGroup, workgroups: number): void {
    const { maxGroups } = this.#context;
    const y = Math.ceil(workgroups / maxGroups);
    pass.setPipeline(program.pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(y > 1 ? maxGroups : workgroups, y);
  }

  #program(key: string, text: () => string): Program {
    const known = this.#programs.get(key);
    if (known) return known;
    const code = text();
    const { device } = this.#context;
    const module = device.createShaderModule({ label: `simdescent: ${key}`, code });
    const program = {
      pipeline: device.createComputePipeline({ label: key, layout: 'auto', compute: { module } }),
      bindings: new Set([...code.matchAll(/@binding\((\d+)\)/g)].map((match) => Number(match[1]))),
      id: this.#count++,
    };
    this.#programs.set(key, program);
    return program;
  }

  #make(program: Program, used: Bindings): GPUBindGroup {
    return this.#context.device.createBindGroup({
      layout: program.pipeline.getBindGroupLayout(0),
      entries: used.map(([binding, { buffer, offset, size }]) => ({
        binding,
        resource: { buffer, offset, size },
      })),
    });
  }

  #idOf(buffer: GPUBuffer): number {
    const known = this.#ids.get(buffer);
    if (known !== undefined) return known;
    this.#ids.set(buffer, this.#count);
    return this.#count++;
  }
}
