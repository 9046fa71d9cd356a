import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { directories } from '../../base/directories.ts';
import { chooseRuntime } from './choose-runtime.ts';
import { probeHost } from './probe.ts';

const folder = mkdtempSync(join(tmpdir(), 'devenv-probe-'));
const places = directories({ DEVENV_BASE_DIR: folder }, 0);
afterAll(() => rmSync(folder, { recursive: true }));

test('every probe has an answer, works here, and leaves nothing', async () => {
  const { works, probes } = await probeHost({ directories: places });
  expect([works, probes.filter(({ required, ok }) => required && !ok)]).toEqual([true, []]);
  expect(probes.every(({ answer }) => answer.length > 0)).toBe(true);
  expect([readdirSync(places.data), readdirSync(places.runtime), readdirSync(join(places.runtime, 'crun'))]).toEqual([[], ['crun'], []]);
});

test('a runtime that is none does not work, and the answer says why', async () => {
  const { works, probes } = await probeHost({ directories: places, runtime: '/bin/false' });
  expect([works, probes.find(({ name }) => name === 'OCI runtime')]).toMatchObject([
    false,
    { ok: false, answer: expect.stringContaining('/bin/false fails') as string },
  ]);
});

test('the runtime that was found is remembered until the machine or the program starts anew', async () => {
  const { program } = await chooseRuntime(places, undefined)();
  const answer = join(places.runtime, 'oci-runtime.json');
  expect(JSON.parse(readFileSync(answer, 'utf8'))).toMatchObject({ program });
  expect(existsSync(program)).toBe(true);
});
