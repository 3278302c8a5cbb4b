// The second part of the page: what becomes of every start, and what becomes of one start under every setting.
// It joins the controls and the two pairs of maps; surface and start are the race's.
import { mappable } from '../hyperparameters.ts';
import { hyperparameters, runners, symbolOf } from '../optimizers.ts';
import { element } from '../page/dom.ts';
import { linkChoice } from '../page/link.ts';
import { decayRate, NumberField, rate } from '../page/number-field.ts';
import type { Race } from '../race/race-panel.ts';
import { perSide, type Side, SidesChoice, sides } from '../sides.ts';
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
    rates: perSide((side) => new NumberField(`basin-${side}-rate`, rate, () => basins.change())),
    beta1: new NumberField('basin-beta1', decayRate, changeBoth),
    beta2: new NumberField('basin-beta2', decayRate, changeBoth),
  };
  /** Of the fields, what this optimizer has. */
  const optionsOf = (side: Side) => {
    const had = hyperparameters(choice.who[side].id);
    return Object.fromEntries(
      (['beta1', 'beta2'] as const)
        .filter((option) => Object.hasOwn(had, option))
        .map((option) => [option, fields[option].value]),
    );
  };
  // All but the one whose step asks for the norm of a whole variable: here, of all starts together.
  const among = [...runners.values()].filter(({ className }) => className !== 'Lamb');
  const choice = new SidesChoice('maps', among, (side) => {
    fields.rates[side].value = choice.who[side].rates.maps;
    offerOptions(side);
    changeBoth();
  });
  const options = perSide((side) => element(`rates-${side}-option`, HTMLSelectElement));
  const offerOptions = (side: Side) => {
    const offered = mappable(Object.keys(hyperparameters(choice.who[side].id)));
    options[side].replaceChildren(...offered.map((option) => new Option(symbolOf(option), option)));
  };
  for (const side of sides) {
    offerOptions(side);
    linkChoice(options[side], () => rates.change());
  }
  const steps = element('basin-steps', HTMLSelectElement);
  linkChoice(steps, changeBoth);
  const starts = element('basin-side', HTMLSelectElement);
  linkChoice(starts, () => basins.change());
  const ground = element('basin-surface', HTMLSelectElement);
  ground.replaceChildren(
    ...surfaces.map(({ id, label }) => new Option(label, id, id === FIRST)),
    new Option('As in the race', RACE),
  );
  ground.value = FIRST;
  linkChoice(ground, () => basins.change());
  const surface = () => surfaces.find(({ id }) => id === ground.value) ?? race.surface;

  const basins = startBasins(
    race,
    surface,
    (side) => ({
      kind: 'basin',
      optimizer: choice.who[side].id,
      ground: groundOf(surface()),
      learningRate: fields.rates[side].value,
      options: optionsOf(side),
      steps: Number(steps.value),
      side: Number(starts.value),
    }),
    () => choice.looks,
  );
  const rates = startRates(
    race,
    () => choice.who,
    (side) => ({
      ground: groundOf(race.surface),
      start: race.start,
      options: optionsOf(side),
      option: options[side].value,
      steps: Number(steps.value),
    }),
  );

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
