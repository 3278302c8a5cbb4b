// A large embedding, in TypeScript, stepped by two threads: the headers of vite.config.js isolate the page.
import { Adam, init, type RuntimeInfo, SparseGradient, Variable } from 'simdescent';

const info: RuntimeInfo = await init({ threads: 2 });
const [rows, width] = [20_000, 64];
const embedding = new Variable(rows * width, { path: 'embedding', shape: [rows, width] });
const optimizer = new Adam({ learningRate: 0.01 });
optimizer.build([embedding]);

const started = performance.now();
embedding.gradient.fill(1);
for (let step = 0; step < 20; step++) optimizer.step(); // all rows
const each = (performance.now() - started) / 20;

const indices = [3, 17]; // two rows alone
const values = new Float32Array(2 * width).fill(1);
optimizer.apply([new SparseGradient({ indices, values })]);

const text = `${embedding.size} parameters, ${info.threads} threads: ${each.toFixed(2)} ms a step`;
(document.querySelector('output') as HTMLOutputElement).textContent = text;
console.log(crossOriginIsolated, info.threads, optimizer.iterations, embedding.value[0] < -0.19); // true 2 21 true
