// Runs the recorded tables of learning-rate schedules: schedule.at(step) against Keras' values.
import { ulpOf, ulps } from './compare.mjs';
import { scheduleFrom } from './subject.mjs';

const ULPS = 4;

/** A few float32 steps of the largest rate in a configuration: what a cosine may differ by, also near its zero. */
export function rateTolerance(config) {
  const text = JSON.stringify(config);
  const rates = /"(?:initial_learning_rate|warmup_target)":([\d.e-]+)/g;
  return ULPS * ulpOf(Math.max(0, ...[...text.matchAll(rates)].map((match) => Number(match[1]))));
}

function toleranceOf({ class_name, config }) {
  // Only the cosine differs between two C libraries; everything else agrees in every bit.
  return class_name.startsWith('CosineDecay') ? rateTolerance(config) : 0;
}

/** The failures of one table; the ambiguous steps are those where float32 and exact arithmetic restart differently. */
export function runSchedule(entry) {
  const schedule = scheduleFrom(entry.schedule);
  const tolerance = toleranceOf(entry.schedule);
  const ambiguous = new Set(entry.ambiguous_steps);
  const failures = [];
  entry.steps.forEach((step, i) => {
    if (ambiguous.has(step)) return;
    const got = schedule.at(step);
    const recorded = [Number(entry.values[i]), Number(entry.values_numpy[i])];
    const near = recorded.some((value) => Object.is(got, value) || Math.abs(got - value) <= tolerance);
    if (!near) {
      const [expected] = recorded;
      const ulp = ulps(Math.fround(got), expected);
      failures.push({ what: 'rate', step, got, expected, ulp, tolerance });
    }
  });
  const config = schedule.getConfig();
  for (const [key, value] of Object.entries(entry.schedule.config)) {
    if (JSON.stringify(config[key]) !== JSON.stringify(value)) {
      const [got, expected] = [JSON.stringify(config[key]), JSON.stringify(value)];
      failures.push({ what: `config ${key}`, got, expected });
    }
  }
  return failures;
}
