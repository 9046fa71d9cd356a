import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../config/load-config.ts';
import { knownNames, resolve } from './resolve.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const config = { env: {}, user: '', workdir: '/', entrypoint: [], command: ['sh'], labels: {}, exposedPorts: [], volumes: [] };
const name = { manifest: digest, image: digest, config };

test('of kept names, those that are damaged are not known', () => {
  const [of, other] = [
    { ...name, index: digest },
    { ...name, config: { ...config, command: 'sh' } },
  ];
  const kept = {
    a: name,
    b: {},
    c: null,
    d: { ...name, image: 'x' },
    e: other,
    f: of,
    g: { ...name, index: 7 },
    h: { ...name, index: 'x' },
  };
  expect(knownNames(kept)).toEqual({ a: name, f: of });
  for (const damaged of [undefined, null, [], 'x', 1]) expect(knownNames(damaged)).toEqual({});
});

test('an input that is missing is told as every mistake of the file is: by its short name, with the lines around it', async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'devenv-resolve-')));
  try {
    const path = join(folder, 'devenv.json');
    writeFileSync(path, '\ufeff{ "image": "scratch",\n  "steps": [{ "run": "x", "inputs": ["a", "b"] }] }\n');
    const registry = () => Promise.reject(new Error('nothing is to be asked'));
    const options = { registry, known: {}, refresh: false, hashCache: join(folder, 'hashes.json') };
    const frame = [
      '  1 | { "image": "scratch",',
      '> 2 |   "steps": [{ "run": "x", "inputs": ["a", "b"] }] }',
      '    |             ^',
      '  3 |',
    ].join('\n');
    const problem = { code: 'INPUT_NOT_FOUND', file: path, line: 2, column: 13, frame };
    await expect(resolve(loadConfig({ cwd: folder, env: {} }), options)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: 'devenv.json has 2 mistakes',
      problems: [problem, problem],
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
