// The page: gives its weights to the worker, shows the progress, takes them back trained.
const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
const weights = new Float32Array(10_000).fill(1);
worker.postMessage({ weights, steps: 200 }, [weights.buffer]); // handed over, not copied
worker.onmessage = ({ data: { step, trained } }) => {
  document.querySelector('progress').value = step;
  if (!trained) return;
  console.log(step, trained.length, Math.max(...trained) < 0.01); // 200 10000 true
  worker.terminate();
};
