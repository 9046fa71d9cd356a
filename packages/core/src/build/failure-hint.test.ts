import { expect, test } from 'vitest';
import { failureHint } from './failure-hint.ts';

const step = (network: boolean): Parameters<typeof failureHint>[0] =>
  ({ definition: { kind: 'run', network }, process: { workdir: '/workspace' }, files: [] }) as unknown as Parameters<typeof failureHint>[0];

const places = { folder: '/nowhere', disk: '/' };

test.each([
  "W: Failed to fetch http://mirror.example/debian/dists/bookworm/InRelease  Temporary failure resolving 'deb.debian.org'",
  'curl: (6) Could not resolve host: example.org',
  'npm error code EAI_AGAIN',
  'dial tcp 192.0.2.1:443: connect: network is unreachable',
])('a step that got no answer is told to look at the network: %s', (output) => {
  expect(failureHint(step(true), output, places)).toContain('could not reach the network');
  expect(failureHint(step(false), output, places)).toContain('"network" is false');
});

test('a step whose locked packages do not fit is told how to move them', () => {
  const output = 'The following packages have unmet dependencies:\n greeter : Depends: greeter-words (= 1.0) but 2.0 is installed';
  const locked = { ...step(true), name: 'apt greeter', locked: { packages: {} } };
  expect(failureHint(locked, output, places)).toContain('devenv update "apt greeter"');
  expect(failureHint(step(true), output, places)).toContain('mend the step');
});

test('a step that failed otherwise is not', () => {
  expect(failureHint(step(true), 'error: test failed', places)).toContain('mend the step');
});
