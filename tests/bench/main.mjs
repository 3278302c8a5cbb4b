// `npm run bench`: what one step costs, in nanoseconds for one parameter, and what it costs beside other ways.
// Options: `--help`. How to read the tables, and what was measured: NOTES.md.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { libraries, othersWithout } from './variants/others.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const groups = ['steps', 'rules', 'options', 'small', 'loops', 'threads', 'torch', 'addresses', 'start'];
const help = `npm run bench -- [options], or npm run bench -- gpu [--quick] for the table of WebGPU
  --only ${groups.join(',')}   some of the tables
  --sizes 1Ki,128Ki,16Mi      other sizes for the tables of steps and options
  --rules adam,adamax         one rule only
  --python PATH               a Python with PyTorch 2.4 or later, for the table of torch, and with Keras 3 on it for a table
                              of loops (else python3)
  --without tfjs,jax          leave TensorFlow.js or jax-js out (they take most of the time)
  --quick                     small sizes, few repetitions: for trying out, not for figures
  --readme                    write the tables of steps into README.md
  --json FILE                 write the rows to FILE as well as to build/bench/`;

const usage = (message) => {
  process.stderr.write(`${message}\n\n${help}\n`);
  process.exit(2);
};

// npm changes into the package's folder: a relative file is meant from where the user is.
const fromUser = (file) => resolve(process.env.INIT_CWD ?? process.cwd(), file);

function chosen(name, text, known) {
  const names = text.split(',');
  const wrong = names.find((each) => !known.includes(each));
  if (wrong !== undefined) usage(`--${name} ${wrong}: known are ${known.join(', ')}.`);
  return names;
}

function sizesFrom(text) {
  return text.split(',').map((each) => {
    const [, digits, unit] = /^(\d+)\s*(Ki|Mi)?$/.exec(each) ?? [];
    const size = Number(digits) * { Ki: 2 ** 10, Mi: 2 ** 20, undefined: 1 }[unit];
    return size > 0 && size <= 2 ** 26
      ? size
      : usage(`--sizes ${each}: sizes are like 1000, 128Ki or 16Mi, to 64Mi.`);
  });
}

function parse() {
  const text = { type: 'string' };
  const flag = { type: 'boolean', default: false };
  const options = {
    only: text,
    sizes: text,
    rules: text,
    without: text,
    python: text,
    json: text,
    quick: flag,
    readme: flag,
    help: flag,
  };
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return usage(error.message);
  }
}

if (process.argv[2] === 'gpu') await import('./gpu.mjs'); // ends the process
const values = parse();
if (values.help) {
  process.stdout.write(`${help}\n`);
  process.exit(0);
}
const only = chosen('only', values.only ?? groups.join(), groups);
const rules = chosen('rules', values.rules ?? 'adam,adamax', ['adam', 'adamax']);
const left = values.without ? chosen('without', values.without, libraries) : [];
const sizes = values.sizes && sizesFrom(values.sizes);
for (const file of ['dist/index.js', 'build/wasm/kernels-scalar.wasm', 'build/wasm/yardsticks.wasm'])
  if (!existsSync(join(root, file))) usage(`${file} does not exist: npm run bench builds it.`);

const { init } = await import('../../dist/index.js');
const { settings } = await import('./timing.mjs');
const { writeReadme } = await import('./readme.mjs');
const { run } = await import('./run.mjs');
await init();
const report = await run({
  only,
  rules,
  others: await othersWithout(left),
  beside: libraries.filter((name) => !left.includes(name)),
  sizes: sizes ?? (values.quick && [2 ** 10, 2 ** 14]),
  python: values.python?.includes('/') ? fromUser(values.python) : (values.python ?? 'python3'),
  calls: values.quick ? 1e4 : 1e6,
  timing: values.quick ? settings.quick : settings.full,
  quick: values.quick,
  print: (line) => process.stdout.write(`${line}\n`),
});

const files = [join(root, 'build', 'bench', `${report.machine.date.replaceAll(/[:.]/g, '-')}.json`)];
if (values.json) files.push(fromUser(values.json));
for (const file of files) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(report, null, 1)}\n`);
  process.stdout.write(`written: ${file}\n`);
}
if (values.readme) writeReadme(join(root, 'README.md'), report);
