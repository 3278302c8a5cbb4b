// The runners' own settings on the page: who takes part, learning rate, decay rates, epsilon, weight decay, and
// the schedule that all rates follow.

import {
  type PerRunner,
  perRunner,
  type RunnerId,
  runnerIds,
  runners,
  type Settings,
} from '../optimizers.ts';
import { element } from '../page/dom.ts';
import { linkCheck, linkChoice } from '../page/link.ts';
import { decayRate, epsilon, NumberField, rate, weightDecay } from '../page/number-field.ts';
import { makeRate, rateSchedules, type ScheduleId } from './rates.ts';

interface Fields {
  rate: NumberField;
  beta1: NumberField;
  beta2: NumberField;
  epsilon: NumberField;
  weightDecay: NumberField | null;
}

export interface RunnerEvents {
  /** Somebody's settings changed: it may go on with the new ones. */
  onSettings(id: RunnerId): void;
  /** Who takes part, or the schedule, changed: a new race. */
  onNewRace(): void;
}

export class RunnerFields {
  readonly #fields: PerRunner<Fields>;
  readonly #boxes: PerRunner<HTMLInputElement>;
  readonly #schedule = element('race-schedule', HTMLSelectElement);
  readonly #length = element('race-schedule-steps', HTMLSelectElement);

  constructor({ onSettings, onNewRace }: RunnerEvents) {
    this.#fields = perRunner((id) => {
      const changed = () => onSettings(id);
      const field = (name: string, kind: typeof rate) => new NumberField(`race-${id}-${name}`, kind, changed);
      return {
        rate: field('rate', rate),
        beta1: field('beta1', decayRate),
        beta2: field('beta2', decayRate),
        epsilon: field('epsilon', epsilon),
        weightDecay: runners[id].decays ? field('decay', weightDecay) : null,
      };
    });
    this.#boxes = perRunner((id) => {
      const box = element(`race-${id}-on`, HTMLInputElement);
      linkCheck(box, onNewRace);
      return box;
    });
    this.#schedule.replaceChildren(
      ...Object.entries(rateSchedules).map(([id, { label }]) => new Option(label, id)),
    );
    for (const choice of [this.#schedule, this.#length]) {
      linkChoice(choice, () => {
        this.#enable();
        onNewRace();
      });
    }
    this.#enable();
  }

  /** Those that take part. */
  get running(): RunnerId[] {
    return runnerIds.filter((id) => this.#boxes[id].checked);
  }

  get schedule(): { id: ScheduleId; steps: number } {
    return { id: this.#schedule.value as ScheduleId, steps: Number(this.#length.value) };
  }

  /** A runner's settings, its rate under the schedule. */
  settings(id: RunnerId): Settings {
    const plain = this.plain(id);
    const { id: schedule, steps } = this.schedule;
    return { ...plain, learningRate: makeRate(schedule, plain.learningRate, steps) };
  }

  /** A runner's settings as they stand in the fields. */
  plain(id: RunnerId): Settings & { learningRate: number } {
    const fields = this.#fields[id];
    return {
      learningRate: fields.rate.value,
      beta1: fields.beta1.value,
      beta2: fields.beta2.value,
      epsilon: fields.epsilon.value,
      weightDecay: fields.weightDecay?.value ?? 0,
    };
  }

  /** Takes settings found elsewhere on the page, on a map. */
  adopt(id: RunnerId, learningRate: number, beta2: number): void {
    this.#fields[id].rate.value = learningRate;
    this.#fields[id].beta2.value = beta2;
  }

  #enable(): void {
    this.#length.disabled = this.#schedule.value === 'constant';
  }
}
