// Turns the results of a folder into text: counts per file and category, and the first failures in detail.
// It only writes what it is given.

const KINDS = ['passed', 'failed', 'unsupported', 'exception'];
const HEADS = { unsupported: 'not supported yet', exception: 'listed exceptions' };

export function count(results) {
  const counts = { passed: 0, failed: 0, unsupported: 0, exception: 0 };
  for (const { status } of results) counts[status]++;
  return counts;
}

function countsText(results) {
  const counts = count(results);
  const shown = KINDS.filter((kind) => counts[kind] > 0 || kind === 'passed');
  return shown.map((kind) => `${counts[kind]} ${HEADS[kind] ?? kind}`).join(', ');
}

function failureText(failure) {
  const { what, step, variable, index, got, expected, ulp, tolerance } = failure;
  const place = [
    what,
    step !== undefined && `step ${step}`,
    variable !== undefined && `variable ${variable}`,
    index !== undefined && `[${index}]`,
  ];
  const detail = [
    `got ${got}`,
    `expected ${expected}`,
    ulp !== undefined && `${ulp} ulp`,
    tolerance !== undefined && `tolerance ${tolerance}`,
  ];
  return `${place.filter(Boolean).join(', ')}: ${detail.filter(Boolean).join(', ')}`;
}

/** The first failures of one result, one line each. */
export function failuresText({ file, id, failures }, limit = 4) {
  const lines = failures.slice(0, limit).map((failure) => `    ${failureText(failure)}`);
  if (failures.length > limit) lines.push(`    … and ${failures.length - limit} more`);
  return [`  ${file} ${id}`, ...lines].join('\n');
}

function byCategory(results) {
  const groups = new Map();
  for (const result of results) {
    groups.set(result.category, [...(groups.get(result.category) ?? []), result]);
  }
  return groups;
}

/** Cases that were not run, grouped by their reason. */
function reasonsText(results, status) {
  const reasons = byReason(results.filter((result) => result.status === status));
  return [...reasons].map(([reason, ids]) => {
    const shown = ids.length > 4 ? `${ids.slice(0, 4).join(', ')}, … (${ids.length})` : ids.join(', ');
    return `  ${reason}: ${shown}`;
  });
}

function byReason(results) {
  const groups = new Map();
  for (const { id, reason } of results) groups.set(reason, [...(groups.get(reason) ?? []), id]);
  return groups;
}

/** The whole report; `verbose` shows every category and every failure. */
export function reportText({ files }, { verbose = false } = {}) {
  const lines = [];
  const all = files.flatMap((f) => f.results);
  for (const { file, results } of files) {
    lines.push(`${file}: ${countsText(results)}`);
    for (const [category, group] of byCategory(results)) {
      const clean = group.every((result) => result.status === 'passed');
      if (category && (verbose || !clean)) lines.push(`  ${category}: ${countsText(group)}`);
    }
  }
  for (const status of ['unsupported', 'exception']) {
    const reasons = reasonsText(all, status);
    if (reasons.length > 0) lines.push('', `${HEADS[status]}:`, ...reasons);
  }
  const failed = all.filter((result) => result.status === 'failed');
  if (failed.length > 0) {
    const shown = verbose ? failed : failed.slice(0, 8);
    lines.push('', 'failed:', ...shown.map((result) => failuresText(result, verbose ? 1000 : 4)));
    if (shown.length < failed.length) lines.push(`  … and ${failed.length - shown.length} more cases`);
  }
  lines.push('', `all: ${countsText(all)}`);
  return lines.join('\n');
}
