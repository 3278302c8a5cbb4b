// The second part of the page: what becomes of every start, and what becomes of one start under every setting.
// It joins the controls and the two pairs of maps; surface and start are the race's.
import { element } from '../page/dom.ts';
import { linkChoice } from '../page/link.ts';
import { decayRate, NumberField, rate } from '../page/number-field.ts';
import type { Race } from '../race/race-panel.ts';
import { type Surface, surfaces } from '../surfaces/surfaces.ts';
import { startBasins } from './basin-maps.ts';
import type { Ground } from './job.ts';
import { startRates } from './rates-maps.ts';

/** What the basin map begins with: four minima, four hues. */
const FIRST = 'himmelblau';
const RACE = 'race';

export function startMaps(race: Race): void {
  const changeBoth = () => {
    basins.change();
    rates.change();
  };
  const fields = {
    rate: new NumberField('basin-rate', rate, () => basins.change()),
    beta1: new NumberField('basin-beta1', decayRate, changeBoth),
    beta2: new NumberField('basin-beta2', decayRate, () => basins.change()),
  };
  const steps = element('basin-steps', HTMLSelectElement);
  linkChoice(steps, changeBoth);
  const side = element('basin-side', HTMLSelectElement);
  linkChoice(side, () => basins.change());
  const choice = element('basin-surface', HTMLSelectElement);
  choice.replaceChildren(
    ...surfaces.map(({ id, label }) => new Option(label, id, id === FIRST)),
    new Option('As in the race', RACE),
  );
  choice.value = FIRST;
  linkChoice(choice, () => basins.change());
  const surface = () => surfaces.find(({ id }) => id === choice.value) ?? race.surface;

  const basins = startBasins(race, surface, (id) => ({
    kind: 'basin',
    optimizer: id,
    ground: groundOf(surface()),
    options: { learningRate: fields.rate.value, beta1: fields.beta1.value, beta2: fields.beta2.value },
    steps: Number(steps.value),
    side: Number(side.value),
  }));
  const rates = startRates(race, () => ({
    ground: groundOf(race.surface),
    start: race.start,
    beta1: fields.beta1.value,
    steps: Number(steps.value),
  }));

  let known = surface();
  race.onChange(() => {
    if (surface() === known) basins.redraw();
    else basins.change();
    known = surface();
    rates.change();
  });
  element('basin-controls', HTMLFieldSetElement).disabled = false;
}

const groundOf = ({ text, x, y, minima, floor }: Surface): Ground => ({ text, x, y, minima, floor });
