import { expect, test } from 'vitest';
import type { Event } from '@devenv/core';
import { Devenv, lineReader, resultOf } from './devenv.ts';
import { launchProcess } from './launch-process.ts';

/** A real process that behaves as devenv does, written in sh. */
function devenv(script: string): Devenv {
  const launch = launchProcess(() => '/bin/sh');
  return new Devenv((args, listener) => launch(['-c', script, 'devenv', ...args], listener));
}

test('a call gives the last line of stdout, and each event on the way', async () => {
  const events: Event[] = [];
  const script = `echo '{"type":"notice","level":"info","message":"hello"}' >&2; echo first; echo '{"outcome":"success","args":"'"$*"'"}'`;
  const result = await devenv(script).call<{ args: string }>(['up'], { folder: '/a', onEvent: (event) => events.push(event) });
  expect(result.args).toBe('up -C /a --json --progress json');
  expect(events).toEqual([{ type: 'notice', level: 'info', message: 'hello' }]);
});

test('what devenv says of its failure is the failure, with every problem', async () => {
  const said = {
    outcome: 'error',
    code: 'CONFIG_INVALID',
    message: 'no',
    hint: 'do',
    problems: [{ code: 'SYNTAX', message: 'x', line: 3 }],
  };
  await expect(devenv(`echo '${JSON.stringify(said)}'; exit 2`).call(['up'])).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    hint: 'do',
    problems: [{ line: 3 }],
  });
});

test('status ends with exit code 3 when something differs, which is no failure', () => {
  expect(resultOf('{"outcome":"success","stale":true}\n', 3, '')).toMatchObject({ stale: true });
});

test('an answer that is none is told with what was said instead', async () => {
  await expect(devenv('echo "unknown flag" >&2; exit 2').call(['up'])).rejects.toMatchObject({
    code: 'NO_ANSWER',
    message: 'devenv ended with exit code 2: unknown flag',
  });
});

test('a program that is not there is named as such', async () => {
  await expect(new Devenv(launchProcess(() => '/nowhere/devenv')).call(['up'])).rejects.toMatchObject({ code: 'CLI_NOT_FOUND' });
});

test('cancelling interrupts the program as Ctrl-C does, and its own words end the call', async () => {
  const stop = new AbortController();
  const script = `trap 'echo "{\\"outcome\\":\\"error\\",\\"code\\":\\"CANCELLED\\"}"; exit 130' INT; echo '{"type":"started"}' >&2; while :; do sleep 0.05; done`;
  const call = devenv(script).call(['up'], { signal: stop.signal, onEvent: () => stop.abort() });
  await expect(call).rejects.toMatchObject({ code: 'CANCELLED' });
});

test('lines are whole, however their bytes arrive', () => {
  const lines: string[] = [];
  const read = lineReader((line) => lines.push(line));
  for (const text of ['on', 'e\ntwo\nth', 'ree', '\n']) read(text);
  expect(lines).toEqual(['one', 'two', 'three']);
});
