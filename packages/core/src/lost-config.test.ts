import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findConfig } from './config/find-config.ts';
import type { Environments } from './container/environment.ts';
import { lostConfig } from './lost-config.ts';

let root: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'devenv-lost-')));
  mkdirSync(join(root, 'inner'));
  writeFileSync(join(root, 'devenv.json'), '');
});
afterEach(() => rmSync(root, { recursive: true }));

test('a broken file means its own former environment, and nobody else', () => {
  const inner = join(root, 'inner/devenv.json');
  symlinkSync('nowhere', inner);
  const location = { cwd: join(root, 'inner') };
  expect(lostConfig(made(join(root, 'devenv.json')), location, findConfig(location))).toBe(undefined);
  expect(findConfig(location)).toBe(inner);
  expect(lostConfig(made(join(root, 'devenv.json'), inner), location, findConfig(location))).toBe(inner);
});

function made(...configFiles: string[]): Environments {
  return { list: () => configFiles.map((configFile) => ({ configFile })) } as unknown as Environments;
}
