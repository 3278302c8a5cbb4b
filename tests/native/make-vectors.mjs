// Writes recorded vectors of tests/vectors as C++ constants (vectors.h declares them): the cases that the
// engine alone can run, against Keras' NumPy backend, and the learning-rate schedules. Usage:
// make-vectors.mjs FILE Schedules inside cases, sparse gradients and what raises are the business of the
// tests in tests/node.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const folder = new URL('../vectors/', import.meta.url);
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .sort()
  .map((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')));

const pool = [];
const word = new DataView(new ArrayBuffer(4));

/** Puts an array into the pool; undefined or null is the array that is not there. */
function array(values) {
  if (!values) return '{}';
  const from = pool.length;
  for (const value of values) {
    word.setFloat32(0, Number(value));
    pool.push(`0x${word.getUint32(0).toString(16)}`);
  }
  return `{${from}, ${values.length}}`;
}

const number = (value) => (Number.isFinite(Number(value ?? 0)) ? String(Number(value ?? 0)) : fail(value));
const text = (value) => JSON.stringify(value);

function fail(what) {
  throw new Error(`tests/vectors has something that native tests cannot hold: ${what}`);
}

/** The names of the rules that cpp/kernels has: `static constexpr std::string_view name = "adam"`. */
const kernels = new URL('../../cpp/kernels/', import.meta.url);
const rules = readdirSync(kernels).flatMap((name) =>
  [...readFileSync(new URL(name, kernels), 'utf8').matchAll(/string_view name = .*/g)].flatMap(([line]) =>
    [...line.matchAll(/"(\w+)"/g)].map(([, rule]) => rule),
  ),
);

/** Where it is not the class' name in lower case. */
const rulesOf = {
  Adam: ({ amsgrad }) => (amsgrad ? 'amsgrad' : 'adam'),
  AdamW: ({ amsgrad }) => (amsgrad ? 'amsgrad' : 'adam'),
  SGD: ({ momentum, nesterov }) => `sgd${momentum ? (nesterov ? '_nesterov' : '_momentum') : ''}`,
  RMSprop: ({ momentum, centered }) => `rmsprop${centered ? '_centered' : ''}${momentum ? '_momentum' : ''}`,
  Ftrl: ({ learning_rate_power: power }) => (power === -0.5 ? 'ftrl' : 'ftrl_power'),
  ScheduleFreeAdamW: () => 'schedule_free_adamw',
};
const ruleOf = ({ optimizer, config }) => rulesOf[optimizer]?.(config) ?? optimizer.toLowerCase();

/** Without changes on the way, but for the learning rate. */
const isPlain = (step) => Object.keys(step).every((key) => ['grads', 'set_learning_rate'].includes(key));
const isDense = ({ grads }) => grads.every((gradient) => gradient === null || Array.isArray(gradient));

const runsInTheEngine = (recorded) => {
  const { config, variables, steps, expect, expect_generic: generic } = recorded;
  return (
    generic &&
    !expect?.error &&
    rules.includes(ruleOf(recorded)) &&
    !['adafactor', 'muon'].includes(ruleOf(recorded)) && // of shapes, which only tests/node knows
    typeof config.learning_rate === 'number' &&
    variables.every(({ constraint }) => !constraint) &&
    steps.every((step) => isDense(step) && isPlain(step))
  );
};

/** Keras' arrays by the ends of their paths, such as `velocity`, in their order; each a list by variable. */
function arraysByEnd({ variables, expect_generic: generic }) {
  const starts = variables.map(({ path }) => `/${path.replaceAll('/', '_')}_`);
  const lists = new Map();
  for (const { path, values } of generic.optimizer_variables_final) {
    const fitting = starts.filter((start) => path.includes(start));
    if (fitting.length === 0) continue; // a number of the whole optimizer
    const start = fitting.reduce((a, b) => (b.length > a.length ? b : a));
    const end = path.slice(path.indexOf(start) + start.length);
    lists.set(end, [...(lists.get(end) ?? []), values]);
  }
  return lists;
}

function isExcluded({ excludeFromWeightDecay }, { name }, index) {
  const { var_list: list = [], var_names: names } = excludeFromWeightDecay ?? {};
  return list.includes(index) || (names !== undefined && new RegExp(names.join('|')).test(name));
}

const definitions = [];
const cases = [];

function addCase(recorded) {
  const { config, variables, steps, expect_generic: generic } = recorded;
  const rule = ruleOf(recorded);
  // What is neither an average nor an accumulator is a slot, in the order of the rule.
  const {
    average: averages,
    gradient_accumulator: accumulators,
    ...slots
  } = Object.fromEntries(arraysByEnd(recorded));
  for (const [end, list] of arraysByEnd(recorded)) {
    if (list.length !== variables.length) fail(`${recorded.id} has ${list.length} ${end}`);
  }
  const weights = generic.variables_final ?? generic.variables_after_step[steps.length];
  const rows = variables.map((variable, k) => {
    const own = [variable.values, weights[k], averages?.[k], accumulators?.[k]].map(array);
    const slot = Object.values(slots).map((list) => array(list[k]));
    return `{${own.join(', ')}, {${slot.join(', ')}}, ${isExcluded(recorded, variable, k)}}`;
  });
  let rate = config.learning_rate;
  const id = cases.length;
  const taken = steps.map(({ grads, set_learning_rate: next }, k) => {
    rate = next ?? rate;
    definitions.push(`constexpr RecordedArray gradients_${id}_${k}[] = {${grads.map(array).join(', ')}};`);
    return `{${number(rate)}, gradients_${id}_${k}}`;
  });
  definitions.push(`constexpr RecordedVariable variables_${id}[] = {${rows.join(', ')}};`);
  const hypers = Object.entries(config).filter(([, value]) => typeof value === 'number');
  definitions.push(
    `constexpr RecordedNumber hypers_${id}[] = {${hypers
      .map(([name, value]) => `{${text(name)}, ${number(value)}}`)
      .join(', ')}};`,
  );
  definitions.push(`constexpr RecordedStep steps_${id}[] = {${taken.join(', ')}};`);
  const fields = [
    text(recorded.id),
    text(rule),
    `hypers_${id}`,
    ...[config.clipnorm, config.global_clipnorm, config.clipvalue, config.weight_decay].map(number),
    config.weight_decay !== null,
    number(config.loss_scale_factor ?? 1),
    number(config.gradient_accumulation_steps),
    config.use_ema,
    number(config.ema_momentum),
    number(config.use_ema ? config.ema_overwrite_frequency : 0),
    `variables_${id}`,
    `steps_${id}`,
  ];
  cases.push(`{${fields.join(', ')}}`);
}

const schedules = [];

function addSchedule({ schedule, steps, values, values_numpy: numpy, ambiguous_steps: ambiguous = [] }) {
  const { name: _, ...config } = schedule.config;
  // Python's None: the class has a function of its own for it.
  const warms = config.warmup_target !== undefined && config.warmup_target !== null;
  const id = schedules.length;
  const parameters = Object.values(config).map((value) => number(value));
  const rates = steps.flatMap((step, i) =>
    ambiguous.includes(step) ? [] : [`{${[step, values[i], numpy[i]].map(number).join(', ')}}`],
  );
  definitions.push(`constexpr double parameters_${id}[] = {${parameters.join(', ')}};`);
  definitions.push(`constexpr RecordedRate rates_${id}[] = {${rates.join(', ')}};`);
  const initial = Math.max(config.initial_learning_rate, config.warmup_target ?? 0);
  const name = `${schedule.class_name}${warms ? 'Warmup' : ''}`;
  schedules.push(`{${text(name)}, ${number(initial)}, parameters_${id}, rates_${id}}`);
}

files.flatMap(({ cases = [] }) => cases.filter(runsInTheEngine)).forEach(addCase);
// PiecewiseConstantDecay is a list, kept by the TypeScript side.
files
  .flatMap(({ schedules = [] }) => schedules)
  .filter(({ schedule }) => schedule.class_name !== 'PiecewiseConstantDecay')
  .forEach(addSchedule);

const lines = [];
for (let i = 0; i < pool.length; i += 12) lines.push(`${pool.slice(i, i + 12).join(', ')},`);
const cpp = `// Written by tests/native/make-vectors.mjs.
#include "vectors.h"

namespace simdescent::tests {
namespace {
constexpr uint32_t pool[] = {
${lines.join('\n')}
};
${definitions.join('\n')}
constexpr RecordedCase cases[] = {
${cases.join(',\n')}
};
constexpr RecordedSchedule schedules[] = {
${schedules.join(',\n')}
};
}  // namespace

std::span<const uint32_t> recorded_pool() { return pool; }
std::span<const RecordedCase> recorded_cases() { return cases; }
std::span<const RecordedSchedule> recorded_schedules() { return schedules; }

}  // namespace simdescent::tests
`;
writeFileSync(process.argv[2], cpp);
