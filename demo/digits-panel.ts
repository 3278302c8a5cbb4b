// The second half of the page: two equal networks learn the digits, one with Adam, one with Adamax, from the
// same weights and the same batches. It joins the trainers, the charts, the controls and the figures.
import { BatchStream } from './batches.ts';
import { playbackButtons, rateFields, showTexts } from './controls.ts';
import { DigitGallery } from './digit-gallery.ts';
import { type Digits, loadDigits } from './digits.ts';
import { element } from './dom.ts';
import { formatLoss, formatMilliseconds, formatPercent } from './format.ts';
import { History } from './history.ts';
import { LineChart, plottable } from './line-chart.ts';
import { initialTensors } from './network.ts';
import { type OptimizerId, optimizerIds, perOptimizer } from './optimizers.ts';
import { Playback, type PlaybackState } from './playback.ts';
import { Trainer } from './trainer.ts';

const BATCH = 64;
const MOST_STEPS = 1150;
/** Testing costs about as much as four training steps: not after every one. */
const STEPS_BETWEEN_TESTS = 5;
const SEED = 1;

export async function startDigits(): Promise<void> {
  const { training, test } = await loadDigits();
  const rates = rateFields('digits', (id, rate) => {
    trainers[id].learningRate = rate;
  });
  const newTrainer = (id: OptimizerId) => new Trainer(id, initialTensors(SEED), rates[id].rate, test.count);
  const trainers = perOptimizer(newTrainer);
  const accuracy = perOptimizer(() => 0);
  let batches = new BatchStream(training, BATCH, SEED);
  let steps = 0;

  const losses = new History(optimizerIds.length);
  const lossChart = new LineChart({
    host: element('digits-loss-chart', HTMLElement),
    reading: element('digits-loss-reading', HTMLElement),
    title: 'Training loss of Adam and Adamax over steps, logarithmic',
    scale: 'logarithmic',
    format: formatLoss,
  });
  const accuracies = new History(optimizerIds.length);
  const accuracyChart = new LineChart({
    host: element('digits-accuracy-chart', HTMLElement),
    reading: element('digits-accuracy-reading', HTMLElement),
    title: 'Test accuracy of Adam and Adamax over steps',
    scale: 'fraction',
    format: formatPercent,
  });
  const gallery = new DigitGallery(element('digits-gallery', HTMLElement), test);
  const speed = element('digits-speed', HTMLSelectElement);

  const testBoth = () => {
    for (const id of optimizerIds) {
      const predictions = trainers[id].predict(test);
      accuracy[id] = shareRight(predictions, test);
      gallery.show(id, predictions);
    }
    accuracies.push(
      steps,
      optimizerIds.map((id) => accuracy[id]),
    );
  };

  const playback = new Playback(
    {
      step: () => {
        const batch = batches.next();
        for (const id of optimizerIds) trainers[id].step(batch);
        steps += 1;
        losses.push(
          steps,
          optimizerIds.map((id) => plottable(trainers[id].loss)),
        );
        if (steps % STEPS_BETWEEN_TESTS === 0) testBoth();
        return steps < MOST_STEPS;
      },
      reset: () => {
        steps = 0;
        batches = new BatchStream(training, BATCH, SEED);
        for (const id of optimizerIds) {
          trainers[id].dispose();
          trainers[id] = newTrainer(id);
        }
        losses.clear();
        accuracies.clear();
        testBoth();
      },
      draw: () => {
        lossChart.draw(losses);
        accuracyChart.draw(accuracies);
        showTexts('digits', { steps: String(steps), epoch: String(batches.epoch) });
        for (const id of optimizerIds) showFigures(id, trainers[id], accuracy[id]);
      },
      stepsPerFrame: () => Number(speed.value),
      onState: (state) => showTexts('digits', { state: stateText(state, steps) }),
    },
    playbackButtons('digits'),
  );

  playback.restart();
  element('digits-controls', HTMLFieldSetElement).disabled = false;
}

function showFigures(
  id: OptimizerId,
  { loss, optimizerTimer, trainingTimer }: Trainer,
  accuracy: number,
): void {
  showTexts('digits', {
    [`${id}-loss`]: Number.isNaN(loss) ? '–' : formatLoss(loss),
    [`${id}-accuracy`]: formatPercent(accuracy),
    [`${id}-optimizer-time`]: formatMilliseconds(optimizerTimer.median),
    [`${id}-training-time`]: formatMilliseconds(trainingTimer.median),
  });
}

function shareRight(predictions: Uint8Array, { labels, count }: Digits): number {
  return predictions.filter((label, index) => label === labels[index]).length / count;
}

function stateText(state: PlaybackState, steps: number): string {
  if (state === 'ready') return 'Ready: untrained';
  if (state === 'playing') return 'Training';
  return state === 'paused' ? `Paused at step ${steps}` : `Finished after ${steps} steps`;
}
