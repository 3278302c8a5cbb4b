// The table of the README, from the rows of a run: `npm run bench -- --readme` writes it between the markers.
import { readFileSync, writeFileSync } from 'node:fs';
import { sizeName } from './report.mjs';

const markers = /<!-- bench -->[\s\S]*?<!-- \/bench -->/;

const variants = [
  ['resident', 'simdescent, variables in the engine'],
  ['plain arrays', 'simdescent, plain Float32Arrays'],
  ['scalar kernel', 'the same source without SIMD'],
  ['JavaScript loop', 'a fused loop in JavaScript'],
  ['tfjs wasm', 'TensorFlow.js, wasm backend'],
  ['jax-js', 'jax-js, wasm backend'],
  ['jax-js, jit by hand', 'jax-js, a compiled step written by hand'],
  ['tfjs cpu', 'TensorFlow.js, cpu backend'],
];

/** Two digits: 0.6, 8.3, 220. */
const short = (x) => String(Number(x.toPrecision(2)));

function tableOf(rule, rows) {
  const own = rows.filter((row) => row.group === 'steps' && row.rule === rule);
  const sizes = [...new Set(own.map(({ size }) => size))].sort((a, b) => a - b);
  const cell = (variant, size) => {
    const row = own.find((r) => r.variant === variant && r.size === size);
    return row ? `${short(row.ns)}${variant === 'resident' ? '' : ` (${short(row.ratios.resident)})`}` : '–';
  };
  const name = { adam: 'Adam', adamax: 'Adamax' }[rule];
  return [
    `| ${name} | ${sizes.map(sizeName).join(' | ')} |`,
    `|---|${sizes.map(() => '---|').join('')}`,
    ...variants
      .filter(([variant]) => own.some((row) => row.variant === variant))
      .map(([variant, text]) => `| ${text} | ${sizes.map((size) => cell(variant, size)).join(' | ')} |`),
  ].join('\n');
}

/** @param report what `run` returns, with the steps of both rules. */
export function writeReadme(file, report) {
  const text = readFileSync(file, 'utf8');
  if (!markers.test(text))
    throw new Error(`${file} has no place for the table: <!-- bench --> … <!-- /bench -->`);
  const { cpu, node, date } = report.machine;
  const body = [
    '<!-- bench -->',
    `Nanoseconds per parameter of one step, in brackets times the first row (${cpu}, Node ${node}, ${date.slice(0, 10)}):`,
    '',
    ...['adam', 'adamax'].map((rule) => `${tableOf(rule, report.rows)}\n`),
    '<!-- /bench -->',
  ].join('\n');
  writeFileSync(
    file,
    text.replace(markers, () => body),
  );
}
