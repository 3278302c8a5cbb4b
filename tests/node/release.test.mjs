// What keeps a version from being released, as scripts/release.mjs sees it. Publishing itself is not tried.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { obstacles } from '../../scripts/release.mjs';

const address = 'https://example.org';
const ready = {
  manifest: { version: '1.2.0', repository: address, homepage: address, bugs: address },
  lock: { version: '1.2.0', packages: { '': { version: '1.2.0' } } },
  changelog:
    '# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2030-01-31\n\n### Added\n\n- A thing.\n\n## [1.1.0] - 2029-12-01\n',
  changed: '',
  tags: ['v1.1.0', ''],
};

test('a checkout that is ready has no obstacles', () => {
  assert.deepEqual(obstacles(ready), []);
});

test('each obstacle is named, and all of them at once', () => {
  const { manifest, changelog } = ready;
  const cases = [
    [{ manifest: { ...manifest, version: '1.2' } }, /'1\.2' is no version/],
    [{ lock: { ...ready.lock, version: '1.1.0' } }, /package-lock\.json has the version 1\.1\.0/],
    [{ manifest: { ...manifest, repository: undefined } }, /no 'repository'/],
    [{ manifest: { ...manifest, homepage: undefined } }, /no 'homepage'/],
    [{ manifest: { ...manifest, bugs: undefined } }, /no 'bugs'/],
    [{ changelog: changelog.replace('1.2.0', '1.2.1') }, /no section '## \[1\.2\.0\]/],
    [{ changelog: changelog.replace(' - 2030-01-31', '') }, /'\[1\.2\.0\]' has no date/],
    [
      { changelog: changelog.replace('[Unreleased]\n', '[Unreleased]\n\n- Another.\n') },
      /under \[Unreleased\]/,
    ],
    [{ tags: ['v1.2.0'] }, /a tag v1\.2\.0 already/],
    [{ changed: ' M README.md\n' }, /not clean:\n {5}M README\.md/],
  ];
  for (const [change, pattern] of cases)
    assert.ok(
      obstacles({ ...ready, ...change }).some((line) => pattern.test(line)),
      String(pattern),
    );
  const none = { manifest: { version: '1.2.0' }, lock: {}, changelog: '', changed: '?? a', tags: ['v1.2.0'] };
  assert.equal(obstacles(none).length, 8);
});
