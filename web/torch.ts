// simdescent/torch: the state of an optimizer of torch.optim in and out.
import './index.js'; // as every entry point does: scripts/build.mjs

export { openTorch, type TorchOptions } from './files/torch-open.js';
export { saveTorch } from './files/torch-save.js';
