// The native tools: what builds the wasm modules beside Emscripten, and what the native tests and
// the C++ format check need on top. Present ones are used whatever their origin, missing ones are
// installed by apt.
import { existsSync } from 'node:fs';
import { install } from './apt.mjs';
import { Problem, which } from './run.mjs';

const build = [
  { program: 'cmake', debian: 'cmake' },
  { program: 'ninja', debian: 'ninja-build' },
];

const test = [
  { program: 'g++', debian: 'g++' },
  { program: 'clang-format', debian: 'clang-format' },
  { file: '/usr/include/gtest/gtest.h', debian: 'libgtest-dev' },
  { file: '/usr/src/googletest/CMakeLists.txt', debian: 'googletest' },
  { file: '/usr/include/simde/wasm/simd128.h', debian: 'libsimde-dev' },
];

export const buildTools = () => ensure(build);
export const testTools = () => ensure([...build, ...test]);

async function ensure(tools) {
  // Files lie where Debian puts them on Debian only; elsewhere CMake looks for them, and reports.
  const known = which('apt-get') ? tools : tools.filter(({ program }) => program);
  const missing = () => known.filter(({ program, file }) => (program ? !which(program) : !existsSync(file)));
  if (missing().length === 0) return;
  await install(missing().map(({ debian }) => debian));
  const still = missing().map(({ program, file }) => program ?? file);
  if (still.length) throw new Problem(`Still missing after the installation: ${still.join(', ')}`);
}
