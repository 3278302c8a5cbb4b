// What the page and the speed worker say to each other, and who can be measured.

export type ContestantId = 'js' | 'resident' | 'arrays' | 'threads' | 'webgpu' | 'tfjs-wasm' | 'tfjs-cpu';
export type Rule = 'adam' | 'adamax';

export interface SpeedJob {
  readonly rule: Rule;
  /** Parameters in the one tensor. */
  readonly size: number;
  readonly contestants: readonly ContestantId[];
  /** Start the library with its threads: that is decided once per worker. */
  readonly threads: boolean;
}

export type FromSpeedWorker =
  /** Gigabytes per second that a plain copy reads and writes on this machine, at this size. */
  | { readonly what: 'bandwidth'; readonly gigabytes: number }
  | { readonly what: 'begin'; readonly id: ContestantId }
  | { readonly what: 'note'; readonly id: ContestantId; readonly text: string }
  | { readonly what: 'result'; readonly id: ContestantId; readonly milliseconds: number }
  | { readonly what: 'failed'; readonly id: ContestantId; readonly why: string }
  | { readonly what: 'done' };

/** A step reads parameter, gradient and two slots, and writes all but the gradient: seven floats a parameter. */
export const BYTES_PER_PARAMETER = 28;
