// The third part of the page: equal networks learn the digits from the same weights and the same batches, with two
// optimizers and, if asked for, two more in TensorFlow.js with its own Adam and with ours. It joins the trainings, the
// charts, the controls and the figures.
import { looks } from '../looks.ts';
import { runners } from '../optimizers.ts';
import { playbackButtons, showTexts } from '../page/controls.ts';
import { element, onThemeChange, whileOutOfSight } from '../page/dom.ts';
import { formatDuration, formatLoss, formatPercent, formatShort } from '../page/format.ts';
import { History } from '../page/history.ts';
import { type Curve, LineChart, type LineChartOptions, plottable } from '../page/line-chart.ts';
import { linkChoice } from '../page/link.ts';
import { NumberField, rate } from '../page/number-field.ts';
import { Playback, type PlaybackState } from '../page/playback.ts';
import { perSide, SidesChoice, sides } from '../sides.ts';
import { BatchStream } from './batches.ts';
import { DigitGallery } from './digit-gallery.ts';
import { type Digits, loadDigits } from './digits.ts';
import { initialTensors } from './network.ts';
import { Trainer } from './trainer.ts';
import { STEPS_BETWEEN_TESTS, type Training, type TrainingId, tfjsIds } from './training.ts';
import { drawWeights } from './weight-picture.ts';

const BATCH = 64;
const MOST_STEPS = 1150;
const SEED = 1;
const TFJS_RATE = 0.005;
const tfjsLooks = [
  { color: '--tfjs', dash: [2, 4] },
  { color: '--tfours', dash: [10, 3, 2, 3] },
] as const;

/** What the rest of the page may ask of the digits. */
export interface DigitsPanel {
  /** Stands still while somebody else needs the machine. */
  rest(resting: boolean): void;
}

export async function startDigits(): Promise<DigitsPanel> {
  const { training, test } = await loadDigits().catch((problem) => {
    showTexts('digits', { state: 'Not loaded' });
    throw problem;
  });
  const trainings = new Map<TrainingId, Training>();
  const predictions = new Map<TrainingId, Uint8Array>();
  const rates = perSide((side) => new NumberField(`digits-${side}-rate`, rate, takeRates));
  function takeRates(): void {
    for (const [id, each] of trainings) each.learningRate = rateOf(id);
  }
  const choice = new SidesChoice('digits', [...runners.values()], (side) => {
    rates[side].value = choice.who[side].rates.digits;
    playback.restart();
  });
  /** TensorFlow.js has the rate of the Adam beside it, where there is one. */
  const rateOf = (id: TrainingId) => {
    const side = id === 'left' || id === 'right' ? id : sides.find((each) => choice.who[each].id === 'adam');
    return side ? rates[side].value : TFJS_RATE;
  };
  const nameOf = (id: TrainingId) =>
    id === 'tfjs' ? 'tfjs’ Adam' : id === 'tfours' ? 'ours in tfjs' : choice.who[id].name;
  let makeTfjs: ((id: 'tfjs' | 'tfours', rate: number) => Training) | null = null;
  let batches = new BatchStream(training, BATCH, SEED);
  let steps = 0;
  let mistaken = 0;

  // A curve belongs to a look; whose look that is may change.
  const lines = [...looks, ...tfjsLooks];
  const holders = (): (TrainingId | undefined)[] => [
    ...looks.map(({ color }) => sides.find((side) => choice.looks[side].color === color)),
    ...tfjsIds,
  ];
  const curves: Curve[] = lines.map((line, place) => ({
    ...line,
    name: () => nameOf(holders()[place] as TrainingId),
  }));
  const byCurve = (figureOf: (id: TrainingId) => number | null) =>
    holders().map((id) => (id ? figureOf(id) : null));
  const losses = new History(curves.length);
  const accuracies = new History(curves.length);
  const lossChart = chart('loss', 'Training loss', 'logarithmic', formatLoss, curves);
  const accuracyChart = chart('accuracy', 'Test accuracy', 'fraction', formatPercent, curves);
  const gallery = new DigitGallery(element('digits-gallery', HTMLElement), test);
  const shown = element('digits-show', HTMLSelectElement);
  const showGallery = () => {
    mistaken = gallery.show(predictions, nameOf, shown.value === 'mistakes');
    showTexts('digits', {
      mistaken: `${mistaken} of ${test.count} are taken for another digit by one of them`,
    });
  };
  linkChoice(shown, showGallery);
  const speed = element('digits-speed', HTMLSelectElement);
  linkChoice(speed, () => {});

  const testAll = () => {
    for (const [id, each] of trainings) predictions.set(id, each.predict(test));
    accuracies.push(
      steps,
      byCurve((id) => shareRight(predictions.get(id), test)),
    );
  };
  const [untrained] = initialTensors(SEED);
  const weightChoice = element('digits-weights', HTMLSelectElement);
  const showWeights = () => {
    const from = weightChoice.value === 'changes' ? untrained : null;
    for (const [id, each] of trainings) {
      drawWeights(element(`digits-${id}-weights`, HTMLCanvasElement), each.kernel(), from);
    }
  };
  linkChoice(weightChoice, showWeights);

  const playback = new Playback(
    {
      step: () => {
        const batch = batches.next();
        for (const each of trainings.values()) each.step(batch);
        steps += 1;
        losses.push(
          steps,
          byCurve((id) => plottable(trainings.get(id)?.loss ?? Number.NaN)),
        );
        if (steps % STEPS_BETWEEN_TESTS === 0) testAll();
        return steps < MOST_STEPS;
      },
      reset: () => {
        steps = 0;
        batches = new BatchStream(training, BATCH, SEED);
        for (const each of trainings.values()) each.dispose();
        trainings.clear();
        predictions.clear();
        for (const side of sides) {
          const { id } = choice.who[side];
          trainings.set(side, new Trainer(id, initialTensors(SEED), rateOf(side), test.count));
        }
        if (makeTfjs) {
          for (const id of tfjsIds) trainings.set(id, makeTfjs(id, rateOf(id)));
        }
        losses.clear();
        accuracies.clear();
        testAll();
      },
      draw: () => {
        lossChart.draw(losses);
        accuracyChart.draw(accuracies);
        showGallery();
        showWeights();
        showTexts('digits', { steps: String(steps), epoch: String(batches.epoch) });
        for (const [id, each] of trainings) showFigures(id, each, shareRight(predictions.get(id), test));
        const lost = [...trainings].filter(([, { loss }]) => steps > 0 && !Number.isFinite(loss));
        showTexts('digits', {
          lost: lost
            .map(([id]) => `${nameOf(id)} is lost: its weights grew beyond numbers; a smaller rate may help.`)
            .join(' '),
        });
      },
      stepsPerFrame: () => Number(speed.value),
      onState: (state) => showTexts('digits', { state: stateText(state, steps) }),
    },
    playbackButtons('digits'),
  );

  const tfjsButton = element('digits-tfjs', HTMLButtonElement);
  tfjsButton.addEventListener('click', async () => {
    tfjsButton.disabled = true;
    tfjsButton.textContent = 'Loading TensorFlow.js …';
    try {
      const { tfjsReady, TfjsTrainer } = await import('./tfjs-trainer.ts');
      await tfjsReady();
      makeTfjs = (id, learningRate) => new TfjsTrainer(id, initialTensors(SEED), learningRate);
      showTfjs(true);
      tfjsButton.textContent = 'TensorFlow.js takes part';
      playback.restart();
    } catch (error) {
      tfjsButton.textContent = 'TensorFlow.js could not be loaded';
      throw error;
    }
  });
  showTfjs(false);
  onThemeChange(showWeights);
  playback.restart();
  whileOutOfSight(element('digits', HTMLElement), (out) => playback.rest('out of sight', out));
  element('digits-controls', HTMLFieldSetElement).disabled = false;
  return { rest: (resting) => playback.rest('measuring', resting) };
}

function showTfjs(shown: boolean): void {
  for (const part of document.querySelectorAll<HTMLElement>('.of-tfjs')) part.hidden = !shown;
}

function chart(
  what: 'loss' | 'accuracy',
  title: string,
  scale: LineChartOptions['scale'],
  format: (value: number) => string,
  curves: readonly Curve[],
): LineChart {
  return new LineChart({
    host: element(`digits-${what}-chart`, HTMLElement),
    reading: element(`digits-${what}-reading`, HTMLElement),
    title: `${title} of each network over steps`,
    curves,
    scale,
    format,
  });
}

function showFigures(
  id: TrainingId,
  { loss, report, optimizerTimer, trainingTimer }: Training,
  accuracy: number | null,
): void {
  showTexts('digits', {
    [`${id}-loss`]: Number.isNaN(loss) ? '–' : formatLoss(loss),
    [`${id}-accuracy`]: accuracy === null ? '–' : formatPercent(accuracy),
    [`${id}-gradient`]: report ? formatShort(report.gradientNorm) : '–',
    [`${id}-ratio`]: report ? formatShort(report.ratio) : '–',
    [`${id}-optimizer-time`]: formatDuration(optimizerTimer.median),
    [`${id}-training-time`]: formatDuration(trainingTimer.median),
  });
}

function shareRight(predictions: Uint8Array | undefined, { labels, count }: Digits): number | null {
  if (!predictions) return null;
  return predictions.filter((label, index) => label === labels[index]).length / count;
}

function stateText(state: PlaybackState, steps: number): string {
  if (state === 'ready') return 'Ready: untrained';
  if (state === 'playing') return 'Training';
  return state === 'paused' ? `Paused at step ${steps}` : `Finished after ${steps} steps`;
}
