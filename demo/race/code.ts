// The race on the page as a program that anybody can run: the surface, its gradient, and a runner for each that
// takes part. It makes the same steps with the same package.
import { hyperparameters, type RunnerId, runner, type Settings } from '../optimizers.ts';
import type { Point, Surface } from '../surfaces/surfaces.ts';
import { type Disturbance, disturberSource } from './gradients.ts';
import { rateSource, type ScheduleId } from './rates.ts';

export interface Written {
  surface: Surface;
  start: Point;
  steps: number;
  /** Rates are others than they were at the first step. */
  changed: boolean;
  schedule: { id: ScheduleId; steps: number };
  disturbance: { kind: Disturbance; amount: number };
  runners: readonly (readonly [RunnerId, Settings & { learningRate: number }])[];
}

export function raceProgram(written: Written): string {
  const { surface, start, steps, changed, schedule, disturbance, runners: who } = written;
  const { shared, loss, dx, dy } = surface.formula.source;
  const classes = new Set(who.map(([id]) => runner(id).className));
  const names = ['init', 'Variable', ...classes, ...(schedule.id === 'constant' ? [] : ['schedules'])];
  const optimizers = who.map(
    ([id, settings]) => `  ${runner(id).name}: ${constructorCall(id, settings, schedule)},`,
  );
  const { kind, amount } = disturbance;
  const exact = kind === 'exact';
  const gradient = 'evaluate(...position.value).gradient';
  return `import { ${names.join(', ')} } from 'simdescent';

await init();
${changed ? '\n// Rates were changed on the way: on the page they were others at first.\n' : ''}
// ${surface.label}: ${surface.text}
function evaluate(x, y) {
${shared.map((line) => `  ${line}\n`).join('')}  return { loss: ${loss}${surface.floor === 0 ? '' : ` - ${bracketed(surface.floor)}`}, gradient: [${dx}, ${dy}] };
}
${exact ? '' : `\n${disturberSource(kind, amount, surface)}`}
const optimizers = {
${optimizers.join('\n')}
};

for (const [name, optimizer] of Object.entries(optimizers)) {
  const position = new Variable([${start.join(', ')}], { name: 'position' });
  optimizer.build([position]);
${exact ? '' : '  const disturb = disturber();\n'}  for (let step = 0; step < ${steps}; step++) {
    position.gradient.set(${exact ? gradient : `disturb(${gradient})`});
    optimizer.step();
  }
  console.log(name, ...position.value, evaluate(...position.value).loss);
}
`;
}

function constructorCall(
  id: RunnerId,
  settings: Settings & { learningRate: number },
  schedule: Written['schedule'],
): string {
  const { className, extra } = runner(id);
  const usual = hyperparameters(id);
  const changed = Object.entries(settings.options).filter(([option, value]) => value !== usual[option]);
  const options = [
    `learningRate: ${rateSource(schedule.id, settings.learningRate, schedule.steps)}`,
    ...Object.entries({ ...extra, ...Object.fromEntries(changed) }).map(([key, value]) => `${key}: ${value}`),
  ];
  return `new ${className}({ ${options.join(', ')} })`;
}

const bracketed = (value: number) => (value < 0 ? `(${value})` : String(value));
