// Takes times: the variants of one comparison take turns, and the minimum of each one's turns counts, because
// whatever else runs on the machine only ever adds. It knows nothing of what it times.
//
// A variant is { name, run(), calls?, before?(), enter?(), dispose?() }: `run` makes `calls` steps (1 if not
// given); `enter` comes before each of its turns, and `before` before each run; neither is timed. One that runs in
// another process has `turn(runs)` instead of `run()`, which resolves to the milliseconds that so many runs took.
export const settings = {
  full: { rounds: 15, leastMs: 4, warmUpMs: 60, budgetMs: 1500 },
  quick: { rounds: 3, leastMs: 0.5, warmUpMs: 5, budgetMs: 100 },
};

/**
 * Milliseconds of one run of each variant: the least and the median of its turns. Every turn lasts `leastMs` or
 * more. A variant that has had `budgetMs` takes part no longer, but in two turns at least.
 */
export async function measure(variants, { rounds, leastMs, warmUpMs, budgetMs }) {
  const states = [];
  for (const variant of variants) {
    await variant.enter?.();
    states.push({ variant, runs: await warmUp(variant, warmUpMs, leastMs), spent: 0, times: [] });
  }
  for (let round = 0; round < rounds; round++) {
    for (const state of states) {
      if (round >= 2 && state.spent > budgetMs) continue;
      const { variant, runs } = state;
      await variant.enter?.();
      if (runs > 1) await timed(variant, 1); // its data into the cache, after the others' turns
      const ms = await timed(variant, runs);
      state.spent += ms;
      state.times.push(ms / runs);
    }
  }
  return states.map(({ times }) => {
    times.sort((a, b) => a - b);
    return { least: times[0], median: times[times.length >> 1], turns: times.length };
  });
}

/** Runs until the engines have compiled what is hot; returns how many runs a turn takes. */
async function warmUp(variant, warmUpMs, leastMs) {
  let spent = 0;
  for (let count = 0; count < 2 || spent < warmUpMs; count++) spent += await timed(variant, 1);
  let runs = 1;
  for (;;) {
    const ms = await timed(variant, runs);
    if (ms >= leastMs) return runs;
    runs = Math.ceil(Math.max(runs * 1.3, (runs * leastMs * 1.2) / Math.max(ms, leastMs / 1000)));
  }
}

function timed({ run, turn, before }, runs) {
  if (turn) return turn(runs);
  if (before) {
    let ms = 0;
    for (let k = 0; k < runs; k++) {
      before();
      const start = performance.now();
      run();
      ms += performance.now() - start;
    }
    return ms;
  }
  const start = performance.now();
  for (let k = 0; k < runs; k++) run();
  return performance.now() - start;
}
