// Stands for @tensorflow/tfjs in the examples of the documentation: of what that package joins, the parts that they use.
// The wasm backend is none of them, there as here: who wants it imports it.
import '@tensorflow/tfjs-backend-cpu';
import '../node/tfjs/gradients.mjs';
import { enableProdMode } from '@tensorflow/tfjs-core';

enableProdMode(); // no banner

export * from '@tensorflow/tfjs-core';
export * from '@tensorflow/tfjs-layers';
