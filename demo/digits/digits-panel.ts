// The third part of the page: equal networks learn the digits from the same weights and the same batches, one
// with Adam, one with Adamax and, if asked for, two in TensorFlow.js with its own Adam and with ours. It joins the
// trainings, the charts, the controls and the figures.
import { optimizerIds, perOptimizer } from '../optimizers.ts';
import { playbackButtons, showTexts } from '../page/controls.ts';
import { element, onThemeChange } from '../page/dom.ts';
import { formatLoss, formatMilliseconds, formatPercent } from '../page/format.ts';
import { History } from '../page/history.ts';
import { LineChart, type LineChartOptions, plottable } from '../page/line-chart.ts';
import { linkChoice } from '../page/link.ts';
import { NumberField, rate } from '../page/number-field.ts';
import { Playback, type PlaybackState } from '../page/playback.ts';
import { BatchStream } from './batches.ts';
import { DigitGallery } from './digit-gallery.ts';
import { type Digits, loadDigits } from './digits.ts';
import { initialTensors } from './network.ts';
import { Trainer } from './trainer.ts';
import { looks, type Training, type TrainingId, trainingIds } from './training.ts';
import { drawWeights } from './weight-picture.ts';

const BATCH = 64;
const MOST_STEPS = 1150;
/** Testing costs about as much as four training steps: not after every one. */
const STEPS_BETWEEN_TESTS = 5;
const SEED = 1;
const tfjsIds = ['tfjs', 'tfours'] as const;

export async function startDigits(): Promise<void> {
  const { training, test } = await loadDigits();
  const trainings = new Map<TrainingId, Training>();
  const predictions = new Map<TrainingId, Uint8Array>();
  const rates = perOptimizer(
    (id) =>
      new NumberField(`digits-${id}-rate`, rate, (value) => {
        for (const [each, training] of trainings) {
          if (each === id || (id === 'adam' && each !== 'adamax')) training.learningRate = value;
        }
      }),
  );
  let makeTfjs: ((id: 'tfjs' | 'tfours', rate: number) => Training) | null = null;
  let batches = new BatchStream(training, BATCH, SEED);
  let steps = 0;
  let mistaken = 0;

  const losses = new History(trainingIds.length);
  const accuracies = new History(trainingIds.length);
  const lossChart = chart('loss', 'Training loss', 'logarithmic', formatLoss);
  const accuracyChart = chart('accuracy', 'Test accuracy', 'fraction', formatPercent);
  const gallery = new DigitGallery(element('digits-gallery', HTMLElement), test);
  const choice = element('digits-show', HTMLSelectElement);
  const showGallery = () => {
    mistaken = gallery.show(predictions, choice.value === 'mistakes');
    showTexts('digits', {
      mistaken: `${mistaken} of ${test.count} are taken for another digit by one of them`,
    });
  };
  linkChoice(choice, showGallery);
  const speed = element('digits-speed', HTMLSelectElement);
  linkChoice(speed, () => {});

  const testAll = () => {
    for (const [id, each] of trainings) predictions.set(id, each.predict(test));
    accuracies.push(
      steps,
      trainingIds.map((id) => shareRight(predictions.get(id), test)),
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
          trainingIds.map((id) => plottable(trainings.get(id)?.loss ?? Number.NaN)),
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
        for (const id of optimizerIds) {
          trainings.set(id, new Trainer(id, initialTensors(SEED), rates[id].value, test.count));
        }
        if (makeTfjs) {
          for (const id of tfjsIds) trainings.set(id, makeTfjs(id, rates.adam.value));
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
  element('digits-controls', HTMLFieldSetElement).disabled = false;
}

function showTfjs(shown: boolean): void {
  for (const id of tfjsIds) element(`digits-${id}-figure`, HTMLElement).hidden = !shown;
}

function chart(
  what: 'loss' | 'accuracy',
  title: string,
  scale: LineChartOptions['scale'],
  format: (value: number) => string,
): LineChart {
  return new LineChart({
    host: element(`digits-${what}-chart`, HTMLElement),
    reading: element(`digits-${what}-reading`, HTMLElement),
    title: `${title} of each network over steps`,
    curves: trainingIds.map((id) => looks[id]),
    scale,
    format,
  });
}

function showFigures(
  id: TrainingId,
  { loss, optimizerTimer, trainingTimer }: Training,
  accuracy: number | null,
): void {
  showTexts('digits', {
    [`${id}-loss`]: Number.isNaN(loss) ? '–' : formatLoss(loss),
    [`${id}-accuracy`]: accuracy === null ? '–' : formatPercent(accuracy),
    [`${id}-optimizer-time`]: formatMilliseconds(optimizerTimer.median),
    [`${id}-training-time`]: formatMilliseconds(trainingTimer.median),
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
