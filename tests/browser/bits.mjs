// One training run per optimizer over awkward numbers, and a fingerprint of every bit it leaves. The same
// module runs in Node and in the page, so that their bits can be compared.
const word = new DataView(new ArrayBuffer(4));

/** xorshift: the same numbers in every engine. */
function random(seed) {
  let s = seed * 2654435761 + 1;
  return () => {
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    return (s >>> 0) / 2 ** 32;
  };
}

const awkward = [0, -0, 1e-45, -1e-40, 3e38, -3e38, 1e-20, 1e20];

function numbers(n, seed) {
  const next = random(seed);
  return Float32Array.from({ length: n }, (_, i) =>
    i % 61 === 7 ? awkward[i % awkward.length] : 2 * next() - 1,
  );
}

function fingerprint(hash, values) {
  for (const x of typeof values === 'number' ? [values] : values) {
    word.setFloat32(0, x);
    const bits = Number.isNaN(x) ? 0x7fc00000 : word.getUint32(0); // a NaN's payload is nobody's promise
    hash = Math.imul(hash ^ bits, 16777619) >>> 0;
  }
  return hash;
}

/** The library's module -> { name: fingerprint }, after 40 steps over sizes that are no multiples of 4. */
export async function fingerprints({ init, Variable, Adam, AdamW, Adamax, schedules }) {
  await init();
  const cosine = () => new schedules.CosineDecay({ initialLearningRate: 0.01, decaySteps: 30, alpha: 0.1 });
  const runs = {
    adam: new Adam({ learningRate: 0.01 }),
    'adam with everything': new Adam({
      learningRate: cosine(),
      amsgrad: true,
      weightDecay: 0.01,
      clipnorm: 0.7,
      useEma: true,
      emaOverwriteFrequency: 4,
      lossScaleFactor: 3,
      gradientAccumulationSteps: 3,
    }),
    adamw: new AdamW({ globalClipnorm: 1 }),
    adamax: new Adamax({ learningRate: 0.02, clipvalue: 0.5 }),
  };
  const found = {};
  for (const [name, optimizer] of Object.entries(runs)) {
    const resident = new Variable(numbers(1003, 1), { name: 'resident' });
    const plain = numbers(20011, 2);
    const tiny = new Variable([1], { name: 'tiny' });
    for (let t = 0; t < 40; t++)
      optimizer.apply(
        [numbers(1003, 10 + t), numbers(20011, 100 + t), Float32Array.of(t % 5)],
        [resident, plain, tiny],
      );
    let hash = 2166136261;
    for (const values of [resident.value, plain, tiny.value, ...optimizer.getWeights()])
      hash = fingerprint(hash, values);
    found[name] = hash.toString(16);
    for (const each of [optimizer, resident, tiny]) each.dispose();
  }
  return found;
}
