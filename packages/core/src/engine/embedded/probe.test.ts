import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { directories } from '../../base/directories.ts';
import { chooseRuntime } from './choose-runtime.ts';
import { probeHost } from './probe.ts';
import type { OciRuntime } from './runtime-call.ts';

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

test("a runtime of the user's choice is one by path or by name, and has to run something", async () => {
  const choose = (wanted: string): Promise<OciRuntime> => chooseRuntime(places, wanted)();
  expect((await choose('crun')).program).toBe((await choose('/usr/bin/crun')).program);
  await expect(choose('/bin/true')).rejects.toMatchObject({
    code: 'RUNTIME_FAILED',
    message: expect.stringContaining('ran nothing') as string,
  });
  for (const missing of ['/none', 'none']) await expect(choose(missing)).rejects.toMatchObject({ code: 'TOOL_MISSING' });
});

test('the runtime that was found is remembered until the machine or the program starts anew', async () => {
  const { program } = await chooseRuntime(places, undefined)();
  const answer = join(places.runtime, 'oci-runtime.json');
  expect(JSON.parse(readFileSync(answer, 'utf8'))).toMatchObject({ program });
  expect(existsSync(program)).toBe(true);
});
