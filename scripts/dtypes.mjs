// `npm run dtypes`: trains two models with state of float32, bfloat16 and int8, and writes what came out into
// docs/state-dtype.md and the picture beside it. What is trained is tests/training.
import { readFileSync, writeFileSync } from 'node:fs';
import { scaleLinear, scaleLog } from 'd3-scale';
import { build } from './build.mjs';
import { measurements } from './compare.mjs';
import { entry, Problem, root, say } from './setup/run.mjs';

const dtypes = ['float32', 'bfloat16', 'int8'];
const SEEDS = 10;
const LAST = 20; // steps, whose mean is a run's final loss

const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
const deviation = (list) =>
  Math.sqrt(list.reduce((sum, x) => sum + (x - mean(list)) ** 2, 0) / (list.length - 1));

await entry(import.meta.url, async () => {
  await build();
  const demo = await measurements();
  const sd = await import('simdescent');
  await demo.init();
  const { characters, digits } = await import('../tests/training/models.mjs');
  const models = [digits(demo, sd, root), await characters(demo, sd)];
  const results = models.map((model) => {
    const curves = dtypes.map(() => []);
    for (let seed = 1; seed <= SEEDS; seed++)
      dtypes.forEach((dtype, k) => {
        const options = { learningRate: model.rate, stateDtype: { dtype, minSize: model.minSize } };
        curves[k].push(model.train(new sd.Adam(options), seed, model.steps));
      });
    say(`${model.name}: ${curves.map((runs) => mean(runs.map(finalOf)).toPrecision(4)).join('  ')}`);
    return { model, curves };
  });
  const file = `${root}/docs/state-dtype.md`;
  const text = readFileSync(file, 'utf8');
  const marks = /(<!-- trained -->)[\s\S]*(<!-- \/trained -->)/;
  if (!marks.test(text))
    throw new Problem('docs/state-dtype.md must have the marks <!-- trained --> and <!-- /trained -->.');
  writeFileSync(
    file,
    text.replace(marks, (_, begin, end) => `${begin}\n\n${table(results)}\n\n${end}`),
  );
  writeFileSync(`${root}/docs/state-dtype.svg`, picture(results));
});

function finalOf(losses) {
  return mean(losses.slice(-LAST));
}

/** Final losses: mean over the seeds, and the standard deviation that seeds alone make. */
function table(results) {
  const rows = results.map(({ model, curves }) => {
    const cells = curves.map((runs) => {
      const finals = runs.map(finalOf);
      return `${mean(finals).toPrecision(3)} ± ${deviation(finals).toPrecision(2)}`;
    });
    const pairs = curves
      .slice(1)
      .map((runs) => mean(runs.map((run, k) => finalOf(run) - finalOf(curves[0][k]))));
    return [model.name, model.parameters, model.steps, ...cells, ...pairs.map((x) => x.toPrecision(2))];
  });
  const head = [
    'model',
    'parameters',
    'steps',
    ...dtypes,
    ...dtypes.slice(1).map((dtype) => `${dtype} - float32`),
  ];
  return [head, head.map((_, k) => (k ? '--:' : '---')), ...rows]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}

/** Loss against step, a line for each dtype: means over the seeds, in a band of one standard deviation. */
function picture(results) {
  const [width, height, left, top, right, bottom] = [420, 260, 48, 28, 8, 32];
  const colours = ['#666666', '#0b62d6', '#c2410c'];
  const panels = results.map(({ model, curves }, k) => {
    const means = curves.map((runs) => smooth(runs[0].map((_, t) => mean(runs.map((run) => run[t])))));
    const spreads = curves.map((runs) => smooth(runs[0].map((_, t) => deviation(runs.map((run) => run[t])))));
    const x = scaleLinear([0, model.steps - 1], [left, width - right]);
    const all = means.flat();
    const y = scaleLog([Math.min(...all) * 0.8, Math.max(...all) * 1.1], [height - bottom, top]).clamp(true);
    const point = (t, value) => `${x(t).toFixed(1)},${y(Math.max(value, 1e-6)).toFixed(1)}`;
    const bands = means.map((line, d) => {
      const edge = (sign) => line.map((value, t) => point(t, value + sign * spreads[d][t]));
      return `<polygon points="${[...edge(1), ...edge(-1).reverse()].join(' ')}" fill="${colours[d]}" opacity="0.12"/>`;
    });
    const dashes = ['', '6 3', '2 3'];
    const lines = means.map(
      (line, d) =>
        `<polyline points="${line.map((value, t) => point(t, value)).join(' ')}" fill="none" stroke="${colours[d]}" stroke-width="1.8" stroke-dasharray="${dashes[d]}"/>`,
    );
    const ticks = [
      ...x
        .ticks(5)
        .map((t) => `<text x="${x(t)}" y="${height - bottom + 16}" text-anchor="middle">${t}</text>`),
      ...legible(y.ticks(4)).map(
        (v) => `<text x="${left - 6}" y="${y(v) + 4}" text-anchor="end">${Number(v.toPrecision(2))}</text>`,
      ),
    ];
    const names = dtypes.map(
      (dtype, d) =>
        `<text x="${width - right - 8}" y="${top + 16 + 16 * d}" text-anchor="end" fill="${colours[d]}">${dtype}</text>`,
    );
    return `<g transform="translate(${k * width} 0)"><text x="${left}" y="16" font-weight="600">${model.name}: loss against step</text>${bands.join('')}${lines.join('')}${ticks.join('')}${names.join('')}</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width * results.length} ${height}" font-family="system-ui, sans-serif" font-size="12"><title>Loss against step, with state of float32, bfloat16 and int8</title><rect width="100%" height="100%" fill="#ffffff"/><g fill="#333333">${panels.join('')}</g></svg>\n`;
}

/** Of a logarithmic axis; over a decade of them write over each other. */
function legible(ticks) {
  return ticks.length > 6 ? ticks.filter((v) => /^[0.]*[125]/.test(v.toPrecision(1))) : ticks;
}

/** The mean over the steps round each. */
function smooth(list) {
  return list.map((_, t) => mean(list.slice(Math.max(0, t - 4), t + 5)));
}
