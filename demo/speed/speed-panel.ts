// The last part of the page: how long a step takes on the visitor's machine, for each way to make it, beside the
// speed of memory. The measuring is the worker's.
import { showTexts } from '../page/controls.ts';
import { element } from '../page/dom.ts';
import { showError } from '../page/error-box.ts';
import { formatDuration } from '../page/format.ts';
import { linkCheck, linkChoice } from '../page/link.ts';
import {
  BYTES_PER_PARAMETER,
  type ContestantId,
  type FromSpeedWorker,
  type Rule,
  type SpeedJob,
} from './job.ts';

const ids: readonly ContestantId[] = [
  'js',
  'resident',
  'arrays',
  'threads',
  'webgpu',
  'tfjs-wasm',
  'tfjs-cpu',
];

/** `onMeasuring`: while it measures, the rest of the page had better stand still. */
export function startSpeed(onMeasuring: (measuring: boolean) => void): void {
  const size = element('speed-size', HTMLSelectElement);
  const rule = element('speed-rule', HTMLSelectElement);
  const withTensorflow = element('speed-tfjs', HTMLInputElement);
  const button = element('speed-run', HTMLButtonElement);
  const bar = element('speed-progress', HTMLProgressElement);
  const isTensorflow = (id: ContestantId) => id.startsWith('tfjs');
  const showTensorflow = () => {
    for (const id of ids.filter(isTensorflow)) {
      const row = element(`speed-${id}-time`, HTMLElement).closest('tr') as HTMLElement;
      row.hidden = !withTensorflow.checked;
    }
  };
  const copy = element('speed-copy', HTMLElement);
  const clearResults = () => {
    copy.hidden = true;
    ids.forEach(clearResult);
  };
  // The figures are about what was measured: another choice takes them away.
  const forget = () => {
    if (worker) end('Stopped');
    else showTexts('speed', { state: 'Not measured yet' });
    clearResults();
  };
  linkChoice(size, () => forget());
  linkChoice(rule, () => forget());
  linkCheck(withTensorflow, showTensorflow);
  showTensorflow();
  let worker: Worker | null = null;
  let bandwidth = 0;
  let plain = 0;

  const end = (state: string) => {
    worker?.terminate();
    worker = null;
    button.textContent = 'Measure';
    bar.value = 0;
    showTexts('speed', { state });
    onMeasuring(false);
  };
  /** Measures with one worker after the other. */
  const measure = (jobs: readonly SpeedJob[]): void => {
    const [job, ...later] = jobs;
    worker?.terminate();
    if (!job) {
      end('Complete');
      return;
    }
    worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    worker.onerror = (event) => {
      end('Failed');
      showError(`The speed worker failed: ${event.message || 'it could not be loaded'}.`);
    };
    worker.onmessage = ({ data }: MessageEvent<FromSpeedWorker>) => {
      if (data.what === 'done') measure(later);
      else if (data.what === 'bandwidth') {
        bandwidth = data.gigabytes;
        showTexts('speed', { bandwidth: `${bandwidth.toFixed(1)} GB/s` });
        copy.hidden = false;
      } else if (data.what === 'begin') {
        showTexts('speed', { state: 'Measuring', [`${data.id}-time`]: '…' });
      } else if (data.what === 'note') {
        showTexts('speed', { [`${data.id}-note`]: data.text });
      } else {
        bar.value += 1;
        if (data.what === 'failed')
          showTexts('speed', { [`${data.id}-time`]: '–', [`${data.id}-note`]: `not here: ${data.why}` });
        else {
          if (data.id === 'js') plain = data.milliseconds;
          showResult(data.id, data.milliseconds, job.size, bandwidth, plain);
        }
      }
    };
    worker.postMessage(job);
  };
  button.addEventListener('click', () => {
    if (worker) return end('Stopped');
    const chosen = ids.filter((id) => withTensorflow.checked || !isTensorflow(id));
    onMeasuring(true);
    clearResults();
    bar.max = chosen.length;
    bar.value = 0;
    button.textContent = 'Stop';
    showTexts('speed', { state: 'Measuring memory' });
    const common = { rule: rule.value as Rule, size: Number(size.value) };
    measure([
      { ...common, threads: false, contestants: chosen.filter((id) => id !== 'threads') },
      { ...common, threads: true, contestants: ['threads'] },
    ]);
  });
  element('speed-controls', HTMLFieldSetElement).disabled = false;
}

function showResult(
  id: ContestantId,
  milliseconds: number,
  size: number,
  memory: number,
  plain: number,
): void {
  const gigabytes = (BYTES_PER_PARAMETER * size) / milliseconds / 1e6;
  element(`speed-${id}-bar`, HTMLProgressElement).value = Math.min(1, gigabytes / memory);
  showTexts('speed', {
    [`${id}-time`]: formatDuration(milliseconds),
    [`${id}-each`]: formatDuration(milliseconds / size),
    [`${id}-times`]: `${(plain / milliseconds).toPrecision(2)} ×`,
    [`${id}-memory`]: `${gigabytes.toFixed(1)} GB/s`,
  });
}

function clearResult(id: ContestantId): void {
  element(`speed-${id}-bar`, HTMLProgressElement).value = 0;
  for (const what of ['time', 'each', 'times', 'memory']) showTexts('speed', { [`${id}-${what}`]: '–' });
  showTexts('speed', { [`${id}-note`]: '' });
}
