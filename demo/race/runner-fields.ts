// Who takes part in the race, with which settings: one row for each runner, made when it comes and taken away when it
// goes, and the schedule that all rates follow. Kept in the link.
import { kindOf } from '../hyperparameters.ts';
import { type Look, looksOf, showKey } from '../looks.ts';
import { hyperparameters, type RunnerId, runner, runners, type Settings, symbolOf } from '../optimizers.ts';
import { element, fromTemplate } from '../page/dom.ts';
import { fromLink, linkChoice, toLink } from '../page/link.ts';
import { NumberField, rate } from '../page/number-field.ts';
import { makeRate, rateSchedules, type ScheduleId } from './rates.ts';

export const MOST_RUNNERS = 8;
const FIRST: readonly RunnerId[] = ['adam', 'adamax'];
const KEY = 'race-runners';

interface Fields {
  readonly rate: NumberField;
  readonly options: ReadonlyMap<string, NumberField>;
}

export interface RunnerEvents {
  /** Somebody's learning rate changed: it may go on with the new one. */
  onRate(id: RunnerId): void;
  /** Who takes part, a hyperparameter or the schedule changed: a new race. */
  onNewRace(): void;
}

export class RunnerFields {
  #running: RunnerId[] = linkedRunners();
  #looks: ReadonlyMap<RunnerId, Look> = new Map();
  readonly #fields = new Map<RunnerId, Fields>();
  readonly #events: RunnerEvents;
  readonly #rows = element('race-runners', HTMLElement);
  readonly #constants = element('race-constants', HTMLElement);
  readonly #add = element('race-add', HTMLSelectElement);
  readonly #schedule = element('race-schedule', HTMLSelectElement);
  readonly #length = element('race-schedule-steps', HTMLSelectElement);

  constructor(events: RunnerEvents) {
    this.#events = events;
    this.#add.addEventListener('change', () => this.#lineUp([...this.#running, this.#add.value]));
    this.#schedule.replaceChildren(
      ...Object.entries(rateSchedules).map(([id, { label }]) => new Option(label, id)),
    );
    for (const choice of [this.#schedule, this.#length]) {
      linkChoice(choice, () => {
        this.#enable();
        events.onNewRace();
      });
    }
    this.#enable();
    this.#rows.replaceChildren();
    this.#show();
  }

  /** Those that take part. */
  get running(): readonly RunnerId[] {
    return this.#running;
  }

  get looks(): ReadonlyMap<RunnerId, Look> {
    return this.#looks;
  }

  get schedule(): { id: ScheduleId; steps: number } {
    return { id: this.#schedule.value as ScheduleId, steps: Number(this.#length.value) };
  }

  /** A runner's settings, its rate under the schedule. */
  settings(id: RunnerId): Settings {
    const { learningRate, options } = this.plain(id);
    const { id: schedule, steps } = this.schedule;
    return { learningRate: makeRate(schedule, learningRate, steps), options };
  }

  /** A runner's settings as they stand in the fields. */
  plain(id: RunnerId): Settings & { learningRate: number } {
    const { rate, options } = this.#fields.get(id) as Fields;
    return {
      learningRate: rate.value,
      options: Object.fromEntries([...options].map(([option, field]) => [option, field.value])),
    };
  }

  /** Takes settings found elsewhere on the page, on a map; who is not there yet, comes. */
  adopt(id: RunnerId, learningRate: number, options: Readonly<Record<string, number>>): void {
    if (!this.#running.includes(id)) {
      this.#lineUp([...this.#running.slice(0, MOST_RUNNERS - 1), id]);
    }
    const fields = this.#fields.get(id) as Fields;
    fields.rate.value = learningRate;
    for (const [option, value] of Object.entries(options)) {
      const field = fields.options.get(option);
      if (field) field.value = value;
    }
  }

  #lineUp(ids: readonly RunnerId[]): void {
    this.#running = [...ids];
    toLink(KEY, String(ids) === String(FIRST) ? null : ids.join(','));
    this.#show();
    this.#events.onNewRace();
  }

  /** Rows come and go; those that stay keep what is typed in them. */
  #show(): void {
    const running = this.#running;
    this.#looks = looksOf(running);
    for (const id of [...this.#fields.keys()].filter((each) => !running.includes(each))) {
      element(`race-${id}-row`, HTMLElement).remove();
      element(`race-${id}-constants`, HTMLElement).remove();
      this.#fields.delete(id);
    }
    for (const id of running) {
      if (!this.#fields.has(id)) this.#fields.set(id, this.#makeRow(id));
      const look = this.#looks.get(id) as Look;
      const row = element(`race-${id}-row`, HTMLElement);
      row.className = `runner run-${look.number}`;
      showKey(row.querySelector('svg') as SVGElement, look);
      element(`race-${id}-off`, HTMLButtonElement).disabled = running.length === 1;
    }
    const rest = [...runners.values()].filter(({ id }) => !running.includes(id));
    this.#add.replaceChildren(
      new Option('Add a runner …', ''),
      ...rest.map(({ id, name }) => new Option(name, id)),
    );
    this.#add.disabled = running.length >= MOST_RUNNERS;
  }

  #makeRow(id: RunnerId): Fields {
    const { name, rates } = runner(id);
    this.#rows.append(fromTemplate('race-runner', { id, name, rate: String(rates.race), look: '1' }));
    const constants = fromTemplate('race-constants-row', { id, name });
    const usual = Object.entries(hyperparameters(id));
    for (const [option, value] of usual) {
      const field = { id: fieldId(id, option), label: symbolOf(option), name, value: String(value) };
      constants.append(fromTemplate('race-constant', field));
    }
    if (usual.length === 0) constants.append('none');
    this.#constants.append(constants);
    const off = element(`race-${id}-off`, HTMLButtonElement);
    off.addEventListener('click', () => {
      this.#lineUp(this.#running.filter((each) => each !== id));
      this.#add.focus();
    });
    const { onRate, onNewRace } = this.#events;
    return {
      rate: new NumberField(`race-${id}-rate`, rate, () => onRate(id)),
      options: new Map(
        usual.map(([option]) => [
          option,
          new NumberField(fieldId(id, option), kindOf(option, id), () => onNewRace()),
        ]),
      ),
    };
  }

  #enable(): void {
    this.#length.disabled = this.#schedule.value === 'constant';
  }
}

/** Weight decay has been called so in links from the beginning. */
const fieldId = (id: RunnerId, option: string) => `race-${id}-${option === 'weightDecay' ? 'decay' : option}`;

/** Who the link names; older links say of each of four whether it takes part. */
function linkedRunners(): RunnerId[] {
  const named = fromLink(KEY)
    ?.split(',')
    .filter((id) => runners.has(id));
  if (named?.length) return [...new Set(named)].slice(0, MOST_RUNNERS);
  const older = ['adam', 'adamax', 'amsgrad', 'adamw'].filter((id) => {
    const said = fromLink(`race-${id}-on`);
    toLink(`race-${id}-on`, null);
    return said === null ? FIRST.includes(id) : said === '1';
  });
  if (String(older) !== String(FIRST) && older.length) toLink(KEY, older.join(','));
  return older.length ? older : [...FIRST];
}
