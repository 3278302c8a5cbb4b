// simdescent/keras: files that Keras saved, in and out.
import './index.js'; // as every entry point does: scripts/build.mjs

export {
  type KerasFile,
  type KerasOptions,
  type KerasVariable,
  kerasJson,
  openKeras,
  saveKeras,
} from './files/keras.js';
export type { Files } from './files/source.js';
