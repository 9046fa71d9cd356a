import type { Diagnosis, Environment, Explanation, Plan, Status, UpResult } from '@devenv/core';
import { expect, test } from 'vitest';
import { describeDiagnosis } from './doctor.ts';
import { bytes, duration } from './format.ts';
import { describePlan, describeWhy } from './plan.ts';
import { describeBuild, describeUp } from './ready.ts';
import { describeDown, describeEnvironments, describeStatus } from './status.ts';

const ready: UpResult = {
  environmentId: 'e',
  containerId: 'c',
  remoteUser: 'dev',
  remoteWorkspaceFolder: '/workspace',
  action: 'created',
  changes: [],
  addresses: [],
  built: 0,
  cached: 0,
  seconds: 14.2,
};

test.each<[Partial<UpResult>, string]>([
  [{ built: 2, cached: 1, addresses: ['localhost:3000'] }, 'Ready in 14 s · 2 steps built, 1 cached · localhost:3000 · next: devenv shell'],
  [{ built: 1 }, 'Ready in 14 s · 1 step built · next: devenv shell'],
  [{ action: 'unchanged', cached: 3, seconds: 0.08 }, 'Ready in 0.1 s · nothing to do · next: devenv shell'],
  [{ action: 'started', cached: 3, seconds: 0.4 }, 'Ready in 0.4 s · 3 steps cached · started · next: devenv shell'],
  [{ cached: 3 }, 'Ready in 14 s · 3 steps cached · next: devenv shell'],
  [
    {
      built: 1,
      action: 'recreated',
      changes: [{ kind: 'rebuild', text: 'deps runs: package-lock.json changed', effect: 'rebuild from step 2' }],
    },
    'Ready in 14 s · 1 step built · new container · next: devenv shell',
  ],
])('up ends with one line: %o', (some, line) => expect(describeUp({ ...ready, ...some })).toBe(line));

test('build says what it built', () => {
  expect(describeBuild({ built: 2, cached: 1, seconds: 61 })).toBe('Built in 1 min 1 s · 2 steps built, 1 cached · next: devenv up');
  expect(describeBuild({ built: 0, cached: 3, seconds: 0.2 })).toBe('Built in 0.2 s · nothing to do · next: devenv up');
});

test('plan lists each step with its state, time and reason', () => {
  const plan = {
    base: { title: 'debian bookworm', state: 'cached', seconds: 31 },
    steps: [
      { number: 1, name: 'apt git', state: 'cached', seconds: 12 },
      { number: 2, name: 'deps', state: 'runs', seconds: 14 },
      { number: undefined, name: 'user dev', state: 'runs', seconds: undefined },
      { number: 3, name: 'PATH', state: 'config', seconds: undefined },
    ],
  } as unknown as Plan;
  const reasons: readonly Explanation[] = [{ step: 'deps', state: 'runs', reasons: ['input package-lock.json changed: a1b2 → c3d4'] }];
  expect(describePlan(plan, reasons, false)).toMatchInlineSnapshot(`
    "base  debian bookworm  cached   31 s
    1     apt git          cached   12 s
    2     deps             runs     ~14 s  input package-lock.json changed: a1b2 → c3d4
    ·     user dev         runs
    3     PATH             setting

    2 to run, about 14 s · next: devenv up"
  `);
  expect(describeWhy(reasons, false)).toBe('deps runs\n  input package-lock.json changed: a1b2 → c3d4');
});

const now = new Date('2026-11-24T12:00:00Z');
const environment: Environment = {
  environmentId: 'e',
  name: 'hello',
  folder: '/home/me/hello',
  configFile: '/home/me/hello/devenv.json',
  containerId: 'c',
  state: 'running',
  createdAt: '2026-11-20T12:00:00Z',
  startedAt: '2026-11-24T11:55:00Z',
  ports: [],
};

test('ps is a table', () => {
  const stopped: Environment = { ...environment, name: 'shop-api', state: 'stopped', startedAt: undefined };
  const ended: Environment = { ...stopped, name: 'worker', exitCode: 9 };
  expect(describeEnvironments([environment, stopped, ended], false, now)).toMatchInlineSnapshot(`
    "NAME      STATE                  FOLDER          SINCE
    hello     running                /home/me/hello  5 min ago
    shop-api  stopped                /home/me/hello  made 4 d ago
    worker    stopped (exit code 9)  /home/me/hello  made 4 d ago"
  `);
});

test('status says what is different and what to do', () => {
  const status: Status = {
    environmentId: 'e',
    state: 'running',
    stale: true,
    changes: [{ kind: 'hot', text: 'ports: 3000 added', effect: 'applies at once' }],
    environment,
  };
  expect(describeStatus(status, false, now)).toMatchInlineSnapshot(`
    "hello running · /home/me/hello · 5 min ago
    Not what devenv.json says:
      ports: 3000 added · applies at once
    next: devenv up"
  `);
  expect(describeStatus({ ...status, state: 'absent', stale: false, changes: [], environment: undefined }, false, now)).toBe(
    'There is no environment here.\nnext: devenv up',
  );
  const stopped: Environment = { ...environment, state: 'stopped', startedAt: undefined, exitCode: 9 };
  expect(describeStatus({ ...status, state: 'stopped', stale: false, changes: [], environment: stopped }, false, now)).toBe(
    'hello stopped (exit code 9) · /home/me/hello · made 4 d ago\nnext: devenv up',
  );
  const lost: Environment = { ...environment, networkLost: true };
  expect(describeStatus({ ...status, stale: false, changes: [], environment: lost }, false, now)).toMatchInlineSnapshot(`
    "hello running without its network · /home/me/hello · 5 min ago
    It has lost its network: the program that carried it has ended. devenv up brings it back.
    next: devenv up"
  `);
});

test('down says when there was nothing to remove', () => {
  const status: Status = { environmentId: 'e', state: 'absent', stale: false, changes: [], environment: undefined };
  expect(describeDown({ ...status, removed: false }, false)).toBe('Nothing to remove');
  expect(describeDown({ ...status, removed: true }, true)).toContain('Removed, with its volumes');
});

test('doctor says how to mend what is missing', () => {
  const diagnosis: Diagnosis = {
    engine: 'embedded',
    works: false,
    probes: [
      { name: 'overlayfs', ok: true, required: true, answer: 'mounts' },
      { name: 'crun', ok: false, required: true, answer: 'not installed', fix: 'apt-get install crun' },
      { name: 'pasta', ok: false, required: false, answer: 'not installed', fix: 'apt-get install passt' },
    ],
  };
  expect(describeDiagnosis(diagnosis, false)).toMatchInlineSnapshot(`
    "embedded engine: does not work here
      ok       overlayfs  mounts
      missing  crun       not installed
               fix: apt-get install crun
      without  pasta      not installed
               fix: apt-get install passt"
  `);
});

test.each([
  [0, '0.0 s'],
  [0.08, '0.1 s'],
  [9.94, '9.9 s'],
  [9.96, '10 s'],
  [59.6, '1 min'],
  [125, '2 min 5 s'],
  [3600, '1 h'],
  [3725, '1 h 2 min'],
])('%f seconds are %s', (seconds, text) => expect(duration(seconds)).toBe(text));

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [12_345_678, '12.3 MB'],
  [999_999, '1.0 MB'],
  [337_000_000, '337 MB'],
])('%i bytes are %s', (count, text) => expect(bytes(count)).toBe(text));
