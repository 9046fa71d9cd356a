import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findInLayers } from './find-in-layers.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'devenv-find-'));
});
afterEach(() => rmSync(root, { recursive: true }));

test('a path is found as a process inside finds it: links lead nowhere else, folders are those of all layers', () => {
  const layers = [join(root, 'upper'), join(root, 'lower')];
  for (const layer of layers) mkdirSync(join(layer, 'usr/lib'), { recursive: true });
  writeFileSync(join(root, 'lower/usr/lib/file'), '');
  symlinkSync('/usr', join(root, 'lower/absolute'));
  symlinkSync('../../../../../usr/lib', join(root, 'upper/usr/up'));
  symlinkSync('loop', join(root, 'upper/loop'));
  const path = (wanted: string): string | undefined => findInLayers(layers, wanted)?.path.slice(root.length);
  expect(findInLayers(layers, '/absolute/lib')?.folders).toEqual(layers.map((layer) => `${layer}/usr/lib`));
  expect(['/usr/up/file', '/absolute/./lib/../lib/file', '/loop', '/usr/none', '/usr/lib/file/x', root].map(path)).toEqual([
    '/lower/usr/lib/file',
    '/lower/usr/lib/file',
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});
