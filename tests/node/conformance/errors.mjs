// Holds our answer to each recorded call that Keras refuses, warns about or silently accepts against what the
// library does. "Same or stricter" passes; where we accept more than Keras, the reason is listed.
import { isDeepStrictEqual } from 'node:util';
import { Adam, LossScaleOptimizer, schedules } from '../../../dist/index.js';
import { answers } from './errors-answers.mjs';
import { Unsupported } from './subject.mjs';

const byKey = new Map(answers);
const classes = { Adam, LossScaleOptimizer, ...schedules };

const keyOf = ({ setup, call }) => (setup ? `${setup} » ${call}` : call);

/** Keras' generic code decides where its two backends disagree about accepting a call. */
function kerasAccepts({ exception, numpy_backend: numpy }) {
  return exception === null || numpy?.outcome === 'ok';
}

/** Runs the call with console.warn caught: { value } or { error }, and the warnings. */
function attempt(run) {
  const warnings = [];
  const original = console.warn;
  console.warn = (...parts) => warnings.push(parts.map(String).join(' '));
  try {
    return { value: run(), warnings };
  } catch (error) {
    return { error, warnings };
  } finally {
    console.warn = original;
  }
}

/** "<Adam>" stands for an instance; everything else is the value itself. */
function sameValue(value, recorded) {
  const instance = /^<(\w+)>$/.exec(recorded);
  if (!instance) return isDeepStrictEqual(value ?? null, recorded ?? null);
  return value instanceof classes[instance[1]];
}

function checkRefusal({ error, value }, { type, pattern }) {
  if (!error)
    return [{ what: 'accepted', got: String(value), expected: `a ${type.name} matching ${pattern}` }];
  if (!(error instanceof type) || !pattern.test(error.message)) {
    const expected = `${type.name} matching ${pattern}`;
    return [{ what: 'refused otherwise', got: `${error.name}: ${error.message}`, expected }];
  }
  return [];
}

function checkAcceptance({ error, value, warnings }, recorded, { warns }) {
  if (error) {
    return [{ what: 'refused', got: `${error.name}: ${error.message}`, expected: 'no error' }];
  }
  const failures = [];
  if (!sameValue(value, recorded)) {
    failures.push({ what: 'value', got: JSON.stringify(value), expected: JSON.stringify(recorded) });
  }
  if (warns && !warnings.some((text) => warns.test(text))) {
    failures.push({ what: 'warning', got: warnings.join(' | ') || 'none', expected: String(warns) });
  }
  return failures;
}

/** The failures of one recorded call, or { exception } with the reason for what we accept and Keras does not. */
export function runErrorRow(row) {
  const answer = byKey.get(keyOf(row));
  if (!answer) throw new Unsupported('no answer is written for this recorded call');
  if (answer.kind === 'outside') return { exception: answer.reason };
  const outcome = attempt(answer.run);
  if (answer.kind === 'refuse') {
    const failures = checkRefusal(outcome, answer);
    if (kerasAccepts(row) && !answer.reason) {
      failures.push({ what: 'table', got: 'refused', expected: 'a reason why we are stricter than Keras' });
    }
    return failures;
  }
  const recorded = 'value' in answer ? answer.value : (row.numpy_backend?.value ?? row.value);
  const failures = checkAcceptance(outcome, recorded, answer);
  if (failures.length > 0) return failures;
  if (!kerasAccepts(row) && !answer.reason) {
    return [{ what: 'table', got: 'accepted', expected: 'a reason why we accept more than Keras' }];
  }
  return answer.reason ? { exception: answer.reason } : [];
}
