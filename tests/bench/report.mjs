// Tables for the terminal and the same rows as JSON, with what is needed to judge them: the machine, the load,
// the date. It computes ratios and nothing else; all ratios are between rows of one run.
import { cpus, loadavg, release } from 'node:os';

/** 1024 → 1 Ki, 3 * 2 ** 20 → 3 Mi, 1000 → 1,000. */
export function sizeName(n) {
  if (n % 2 ** 20 === 0) return `${n / 2 ** 20} Mi`;
  if (n % 2 ** 10 === 0) return `${n / 2 ** 10} Ki`;
  return n.toLocaleString('en');
}

export function machine() {
  const all = cpus();
  const load = loadavg().map((x) => Number(x.toFixed(2)));
  const { node, v8 } = process.versions;
  return {
    date: new Date().toISOString(),
    cpu: `${all.length} x ${all[0]?.model}`,
    kernel: release(),
    node,
    v8,
    load,
  };
}

/** Rows beside the row they are held against: with `key: ratio` for each base that there is. */
export function withRatios(rows, bases) {
  return rows.map((row) => {
    const same = rows.filter(
      (other) => other.rule === row.rule && other.size === row.size && other.tensors === row.tensors,
    );
    const ratios = {};
    for (const [key, names] of Object.entries(bases)) {
      const found = same.filter(({ variant }) => names.includes(variant)).map(({ ns }) => ns);
      if (found.length) ratios[key] = row.ns / Math.max(...found);
    }
    return { ...row, ratios };
  });
}

/** One table of a rule: a line for each variant, a column for each size (or set of tensors). */
export function table(title, rows, pick, digits = 2) {
  const columns = [...new Set(rows.map((row) => row.tensors ?? sizeName(row.size)))];
  const lines = [...new Set(rows.map(({ variant }) => variant))].map((variant) => [
    variant,
    ...columns.map((column) => {
      const row = rows.find((r) => r.variant === variant && (r.tensors ?? sizeName(r.size)) === column);
      const value = row && pick(row);
      return value === undefined ? '' : value.toPrecision(Math.max(digits, String(Math.trunc(value)).length));
    }),
  ]);
  return print(title, columns, lines);
}

/** Right-aligned columns under a title. */
export function print(title, columns, lines) {
  const all = [[title, ...columns], ...lines];
  const widths = all[0].map((_, k) => Math.max(...all.map((line) => line[k].length)));
  const text = all.map((line) =>
    line.map((cell, k) => (k === 0 ? cell.padEnd(widths[k]) : cell.padStart(widths[k]))).join('   '),
  );
  return `${text[0]}\n${'-'.repeat(text[0].length)}\n${text.slice(1).join('\n')}\n`;
}
