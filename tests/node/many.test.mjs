// Very many variables: what a list of 100,000 costs, and that nothing in the way takes only so many.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { Adam, init, Variable } from '../../dist/index.js';
import { randomFloats, runModule, warningsOf } from './helpers.mjs';

before(() => init());

const kinds = {
  Variables: (n) => Array.from({ length: n }, () => new Variable(3)),
  'arrays of their own': (n) => Array.from({ length: n }, () => new Float32Array(3)),
  'parts of one array': (n) => {
    const flat = new Float32Array(3 * n);
    return Array.from({ length: n }, (_, k) => flat.subarray(3 * k, 3 * k + 3));
  },
};

for (const [what, make] of Object.entries(kinds)) {
  test(`building is not quadratic: ${what}`, () => {
    const time = (n) => {
      const variables = make(n);
      let best = Number.POSITIVE_INFINITY;
      for (let k = 0; k < 3; k++) {
        const optimizer = new Adam();
        const started = performance.now();
        optimizer.build(variables);
        best = Math.min(best, performance.now() - started);
        optimizer.dispose();
      }
      for (const v of variables) if (v instanceof Variable) v.dispose();
      return best;
    };
    time(4000);
    const [few, many] = [time(5000), time(40_000)];
    assert.ok(many < 30 * few + 500, `5,000 took ${few.toFixed(1)} ms, 40,000 ${many.toFixed(1)} ms`);
  });
}

test('100,000 arrays are built, stepped, saved, loaded and disposed', () => {
  const arrays = Array.from({ length: 100_000 }, () => new Float32Array(1));
  const grads = arrays.map(() => Float32Array.of(1));
  const optimizer = new Adam({ useEma: true });
  optimizer.build(arrays);
  optimizer.apply(grads);
  assert.equal(optimizer.getWeights().length, 300_002);
  optimizer.loadState(optimizer.serializeState());
  optimizer.setWeights(optimizer.variables);
  optimizer.apply(grads, arrays);
  assert.equal(optimizer.iterations, 2);
  optimizer.dispose();
});

test('the warning of missing gradients names some and counts the others', () => {
  const variables = Array.from({ length: 1000 }, (_, k) => new Variable(1, { name: `v${k}` }));
  const optimizer = new Adam();
  const [text, ...others] = warningsOf(() =>
    optimizer.apply([Float32Array.of(1), ...variables.slice(1).map(() => null)], variables),
  );
  assert.deepEqual(others, []);
  assert.match(text, /'v1', .*'v8' and 991 more/);
  assert.ok(text.length < 200);
});

test('warnings are bounded, and one that throws leaves everything as it was', () => {
  const printed = runModule(`
    import { Adam, Variable, init } from './dist/index.js';
    await init();
    const variables = Array.from({ length: 300 }, (_, k) => new Variable(1, { name: 'v' + k }));
    const grads = variables.map(() => Float32Array.of(1));
    const optimizer = new Adam();
    console.warn = () => { throw new Error('no warnings, please'); };
    const refused = (call) => { try { call(); console.log('nothing was thrown'); } catch (e) { console.log(e.message); } };
    refused(() => optimizer.apply(grads.with(7, null), variables));
    console.log(optimizer.built);
    optimizer.apply(grads, variables);
    const before = variables[0].value[0];
    refused(() => optimizer.apply(grads.with(7, null), variables));
    console.log(before === variables[0].value[0], optimizer.iterations);
    const texts = [];
    console.warn = (text) => texts.push(text);
    for (let k = 0; k < 300; k++) optimizer.apply(grads.with(k, null));
    console.log(texts.length, texts.at(-1));
  `);
  assert.deepEqual(printed.split('\n'), [
    'no warnings, please',
    'false',
    'no warnings, please',
    'true 1',
    '101 simdescent: 100 different warnings were given; no more follow.',
  ]);
});

test('the report of more variables than a tile holds has the norms of one that is as long', () => {
  const n = 16_390; // whose half is no multiple of eight; the sum of these has other bits when it is split there
  const [values, gradients] = [randomFloats(n, 1), randomFloats(n, 10)];
  const reportOf = (parts) => {
    const optimizer = new Adam({ monitor: true });
    const [w, g] = [values, gradients].map((x) =>
      Array.from({ length: parts }, (_, k) => x.slice((k * n) / parts, ((k + 1) * n) / parts)),
    );
    optimizer.apply(g, w);
    const { report } = optimizer;
    optimizer.dispose();
    return report;
  };
  assert.deepEqual(reportOf(n), reportOf(1));
});
