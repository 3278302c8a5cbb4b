// `npm run release`: whether this checkout can be published as it is, and what is left to do. Everything that a machine
// can see is looked at, and all that is wrong is listed at once. Nothing is published without `-- --publish`, and then
// only if nothing is wrong. It does not run the tests: that is `npm test`, before.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { npm } from './setup/npm.mjs';
import { entry, Problem, root, run, say } from './setup/run.mjs';
import { checkPackage } from './test/package.mjs';

const addresses = {
  repository: 'where is the source?',
  homepage: 'where does one read about it?',
  bugs: 'where do reports of mistakes go?',
};

/**
 * All that keeps a version from being released, in lines.
 * @param manifest package.json  @param lock package-lock.json  @param changelog the text of CHANGELOG.md
 * @param changed what `git status --porcelain` prints  @param tags of the repository
 */
export function obstacles({ manifest, lock, changelog, changed, tags }) {
  const { version } = manifest;
  const wrong = [];
  if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) wrong.push(`package.json: '${version}' is no version.`);
  for (const found of [lock.version, lock.packages?.['']?.version])
    if (found !== version) wrong.push(`package-lock.json has the version ${found}: npm install mends it.`);
  for (const [key, question] of Object.entries(addresses))
    if (!manifest[key]) wrong.push(`package.json has no '${key}': ${question}`);
  const sections = changelog.split(/^## /m).slice(1);
  const titles = sections.map((section) => section.split('\n')[0].trim());
  const own = titles.findIndex((title) => title.startsWith(`[${version}]`));
  if (own < 0) wrong.push(`CHANGELOG.md has no section '## [${version}] - YYYY-MM-DD'.`);
  else if (!/ - \d{4}-\d\d-\d\d$/.test(titles[own]))
    wrong.push(`CHANGELOG.md: '${titles[own]}' has no date.`);
  const unreleased = sections[titles.indexOf('[Unreleased]')] ?? '';
  if (/^- /m.test(unreleased))
    wrong.push(`CHANGELOG.md: what is under [Unreleased] belongs under [${version}].`);
  if (tags.includes(`v${version}`)) wrong.push(`There is a tag v${version} already: it was released.`);
  if (changed.trim()) wrong.push(`The work tree is not clean:\n${changed.trimEnd().replace(/^/gm, '    ')}`);
  return wrong;
}

await entry(import.meta.url, async (args) => {
  const { publish } = parseArgs({ args, options: { publish: { type: 'boolean' } } }).values;
  const read = (name) => readFileSync(join(root, name), 'utf8');
  const git = (...rest) => run('git', rest, { capture: true });
  const manifest = JSON.parse(read('package.json'));
  const { name, version } = manifest;
  const wrong = obstacles({
    manifest,
    lock: JSON.parse(read('package-lock.json')),
    changelog: read('CHANGELOG.md'),
    changed: await git('status', '--porcelain'),
    tags: (await git('tag')).split('\n'),
  });
  await build();
  await checkPackage().catch((error) => {
    if (!(error instanceof Problem)) throw error;
    wrong.push(`The package: ${error.message}`);
  });
  if (wrong.length)
    throw new Problem(
      `${name} ${version} cannot be released:\n${wrong.map((line) => `- ${line}`).join('\n')}`,
    );
  if (!publish) {
    say(`\n${name} ${version} can be released. What no machine here can see:
- npm test has passed on this commit, from a clean clone, and so has the workflow (npm run consumers on three systems);
- npm pack --dry-run, read line by line, lists what should be there;
- then: npm run release -- --publish`);
    return;
  }
  await npm(['publish', '--ignore-scripts']);
  say(`\n${name} ${version} is published. What is left:
- git tag v${version} && git push --tags;
- the README's example, run from the registry in an empty folder; the npm page, looked at.`);
});
