import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { explainConfig } from './explain-config.ts';
import { devenvSchema } from './schema.ts';

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'devenv-explain-')));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('each value comes from where it is written, a list of both files from each item', () => {
  write('devenv.json', [
    '{ // a comment',
    '  "image": "debian",',
    '  "steps": [{ "apt": ["git"] },',
    '            { "run": "make", "inputs": ["a", "b"] }],',
    '  "env": { "A": "shared", "B": "shared", "C": "shared", "a.b": "" },',
    '  "ports": [3000],',
    '  "command": ["a", "b"]',
    '}',
  ]);
  write('devenv.local.json', [
    '{',
    '  "env": { "B": "mine", "C": null },',
    '  "ports": [4000], "command": ["c"], "limits": { "cpus": 1 } }',
  ]);
  expect(written()).toEqual([
    'image devenv.json:2:12 "debian"',
    'steps[0] devenv.json:3:13 {"apt":["git"]}',
    'steps[1] devenv.json:4:13 {"run":"make","inputs":["a","b"]}',
    'env.A devenv.json:5:17 "shared"',
    'env.B devenv.local.json:2:17 "mine"',
    'env."a.b" devenv.json:5:64 ""',
    'env.C devenv.local.json:2:25 removed',
    'ports[0] devenv.json:6:13 3000',
    'ports[1] devenv.local.json:3:13 4000',
    'command devenv.local.json:3:31 ["c"]',
    'limits.cpus devenv.local.json:3:58 1',
  ]);
});

test('the merged file keeps variables as they are written, since what they stand for may be secret', () => {
  write('devenv.json', ['{ "image": "debian", "env": { "A": "${localEnv:TOKEN}" } }']);
  const description = explainConfig({ cwd: folder, env: { TOKEN: 'hush' } });
  expect(description).toMatchObject({
    file: join(folder, 'devenv.json'),
    localFile: undefined,
    config: { image: 'debian', env: { A: '${localEnv:TOKEN}' } },
  });
  expect(JSON.stringify(description)).not.toContain('hush');
});

test('what no file says is listed with its default, so that every member of the format has an origin', () => {
  write('devenv.json', ['{ "image": "debian" }']);
  const { origins } = explainConfig({ cwd: folder, env: {} });
  expect(origins.map(({ path }) => path).toSorted()).toEqual(
    Object.keys(devenvSchema.properties!)
      .filter((name) => name !== '$schema')
      .toSorted(),
  );
  expect(origins).toContainEqual({ path: 'workspace', from: 'default', value: '/workspace', removed: false });
});

test('a member that devenv.local.json takes away has both its origins', () => {
  write('devenv.json', ['{ "image": "debian", "ports": [1500] }']);
  write('devenv.local.json', ['{ "ports": null }']);
  expect(written()).toEqual(['image devenv.json:1:12 "debian"', 'ports devenv.local.json:1:3 removed']);
});

test('a file with mistakes is refused with all of them', () => {
  write('devenv.json', ['{ "image": "debian", "prots": [] }']);
  expect(() => explainConfig({ cwd: folder, env: {} })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
});

function written(): readonly string[] {
  const { origins } = explainConfig({ cwd: folder, env: {} });
  return origins
    .filter(({ from }) => from !== 'default')
    .map(({ path, from, value, removed }) => `${path} ${from} ${removed ? 'removed' : JSON.stringify(value)}`);
}

function write(name: string, lines: readonly string[]): void {
  writeFileSync(join(folder, name), lines.join('\n'));
}
