import { expect, test } from 'vitest';
import type { Status } from '@devenv/core';
import { Failure } from './devenv.ts';
import { logLines, progressText } from './event-text.ts';
import { describeFailure } from './failure-text.ts';
import { actionFor, rebuildText, reopenText } from './offer-text.ts';
import { quoted } from './quoted.ts';
import { statusText, type Shown } from './status-text.ts';

const running: Status = { environmentId: '1', state: 'running', stale: false, changes: [], environment: undefined };
const change = { kind: 'rebuild', text: 'deps runs: input a changed', effect: 'rebuild from step 3 (about 40 s)' } as const;
const shown: Shown = { hasFile: true, inside: false, status: running, failure: undefined, work: undefined };

test('the status bar says what is being done before what is', () => {
  expect(statusText({ ...shown, work: 'Step 2 of 3: deps' })?.text).toBe('$(sync~spin) devenv: Step 2 of 3: deps');
});

test('the status bar says what a change takes, in the words of devenv status', () => {
  const text = statusText({ ...shown, status: { ...running, stale: true, changes: [change] } });
  expect(text).toMatchObject({ text: '$(warning) devenv: rebuild from step 3 (about 40 s)', warning: true });
  expect(text?.tooltip).toContain('deps runs: input a changed · rebuild from step 3 (about 40 s)');
});

test('the status bar tells running from stopped and from never built, and is empty without a file', () => {
  const text = (state: Status['state']) => statusText({ ...shown, status: { ...running, state } })?.text;
  expect(['running', 'stopped', 'absent'].map((state) => text(state as Status['state']))).toEqual([
    '$(vm-running) devenv: running',
    '$(vm-outline) devenv: stopped',
    '$(vm-outline) devenv: not built',
  ]);
  expect(statusText({ ...shown, hasFile: false })).toBeUndefined();
});

test('the offer to rebuild repeats devenv status and counts what it leaves out', () => {
  expect(rebuildText([change, change])).toBe(
    'The environment is not what devenv.json says: deps runs: input a changed · rebuild from step 3 (about 40 s) (and 1 more)',
  );
});

test('the button says the most that one of the changes takes', () => {
  const kinds = (...list: ('hot' | 'restart' | 'rebuild')[]) => actionFor(list.map((kind) => ({ kind })));
  expect([kinds('hot'), kinds('hot', 'restart'), kinds('restart', 'rebuild')]).toEqual(['Apply', 'Restart', 'Rebuild']);
});

test('who has an environment that runs is offered that one', () => {
  expect(reopenText({ state: 'running', environment: { name: 'shop' } as Status['environment'] })).toContain('environment shop');
  expect(reopenText({ state: 'absent', environment: undefined })).toContain('has a devenv.json');
});

test.each([
  ['CLI_NOT_FOUND', {}, ['Open Settings', 'Try Again']],
  ['ENGINE_UNAVAILABLE', {}, ['Diagnose', 'Show Log', 'Try Again']],
  ['STEP_FAILED', { place: { file: '/a/devenv.json', line: 3, column: 5 } }, ['Show Log', 'Open devenv.json', 'Try Again']],
  ['CONFIG_INVALID', { problems: [{ code: 'SYNTAX', message: 'x' }] }, ['Open devenv.json']],
  ['DISK_FULL', {}, ['Show Log', 'Try Again']],
] as const)('%s has a way on', (code, more, ways) => {
  expect(describeFailure(new Failure(code, 'It failed', more)).ways).toEqual(ways);
});

test('a failure reads as sentences: what, where, and what to do', () => {
  const problems = [
    { code: 'UNKNOWN_KEY', message: 'There is no "stepz".', line: 3, hint: 'did you mean "steps"?' },
    { code: 'SYNTAX', message: 'x' },
  ] as const;
  expect(describeFailure(new Failure('CONFIG_INVALID', 'devenv.json has 2 mistakes', { problems })).text).toBe(
    'devenv.json has 2 mistakes. Line 3: There is no "stepz". … Did you mean "steps"?',
  );
});

test('a hint that is a command stays one', () => {
  const failure = new Failure('TOOL_MISSING', 'conmon is not installed', { hint: 'apt-get install conmon' });
  expect(describeFailure(failure).text).toBe('conmon is not installed. Hint: apt-get install conmon');
});

test('progress names the step; what ends or only writes says nothing new', () => {
  const task = { type: 'task', id: '1', kind: 'step', title: 'npm ci', number: 2, total: 3 } as const;
  expect(progressText({ ...task, state: 'started' })).toBe('Step 2 of 3: npm ci');
  expect(progressText({ ...task, state: 'waiting', detail: 'another devenv' })).toBe('Step 2 of 3: npm ci, waiting for another devenv');
  expect(progressText({ ...task, state: 'done' })).toBeUndefined();
  expect(progressText({ type: 'output', id: '1', text: 'x' })).toBeUndefined();
});

test('the log has what a step writes, without what only a terminal understands', () => {
  expect(logLines({ type: 'output', id: '1', text: '10%\r100%\n\u001B[32mdone\u001B[0m\n' }).map(({ text }) => text)).toEqual([
    '  100%',
    '  done',
  ]);
  const failed = { type: 'task', id: '1', kind: 'base', title: 'debian', state: 'failed', seconds: 2 } as const;
  expect(logLines(failed)).toEqual([{ level: 'error', text: 'base debian failed 2.0 s' }]);
});

test('a word for a shell keeps its spaces and quotes', () => {
  expect([quoted('/a/b-c'), quoted("it's here"), quoted('$x')]).toEqual(['/a/b-c', `'it'\\''s here'`, `'$x'`]);
});
