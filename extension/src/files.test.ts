import { expect, test } from 'vitest';
import { inputsOf, matters } from './inputs.ts';
import { listeningPort, portReader } from './listening.ts';
import { withPort } from './local-file.ts';
import { proposedText, spanAt } from './problem-text.ts';

test('the file, its local file, inputs and what is beside an input matter; other files do not', () => {
  const inputs = inputsOf(['package.json', 'db/schema/one.sql']);
  const paths = ['devenv.json', 'devenv.local.json', 'package.json', 'db/schema/two.sql', 'README.md', 'db/other.sql', 'sub/devenv.json'];
  expect(paths.filter((path) => matters(path, inputs))).toEqual(paths.slice(0, 4));
});

test('a problem spans the text, variable or word at its place, and one character where there is none', () => {
  const at = (line: string, column: number) => {
    const { start, end } = spanAt(line, column);
    return line.slice(start, end);
  };
  expect(at('  "stepz": [],', 2)).toBe('"stepz"');
  expect(at('  "a\\"b": 1', 2)).toBe('"a\\"b"');
  expect(at('{ "memory": 6 }', 12)).toBe('6');
  expect(at('"x ${lokalEnv:A} y"', 3)).toBe('${lokalEnv:A}');
  expect(at('[ , ]', 2)).toBe(',');
  expect(spanAt('', 5)).toEqual({ start: 0, end: 1 });
});

test('a proposal is written as it stands in the file; other hints propose nothing', () => {
  expect(proposedText('did you mean "steps"?', '"stepz"')).toBe('"steps"');
  expect(proposedText('at least "6m"; did you mean "6g"?', '6')).toBe('"6g"');
  expect(proposedText('did you mean ${localEnv:A}?', '${lokalEnv:A}')).toBe('${localEnv:A}');
  expect(proposedText('did you mean ${localEnv:A}?', '"x"')).toBeUndefined();
  expect(proposedText('there are name, image', '"x"')).toBeUndefined();
});

const listening = (port: number, state = '0A'): string =>
  `   0: 00000000:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0`;

test('only sockets that listen count, and none of the range that the kernel gives away', () => {
  expect(listeningPort(listening(3000))).toBe(3000);
  expect(listeningPort('   1: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0')).toBe(8080);
  expect(listeningPort(listening(3000, '01'))).toBeUndefined();
  expect(listeningPort(listening(40_000))).toBeUndefined();
  expect(listeningPort('  sl  local_address rem_address   st')).toBeUndefined();
});

test('a port is told once while it is open, and again when it was closed in between', () => {
  const opened: number[] = [];
  const read = portReader((port) => opened.push(port));
  for (const line of [listening(80), '', listening(80), listening(81), '', '', listening(80), '']) read(line);
  expect(opened).toEqual([80, 81, 80]);
});

test('a port is added to the local file once; its comments stay', () => {
  expect(JSON.parse(withPort('{}\n', 3000))).toEqual({ ports: [3000] });
  const text = withPort('{\n  // mine\n  "ports": ["8080:80"]\n}\n', 3000);
  expect(text).toContain('// mine');
  expect(text).toMatch(/"8080:80",\s*3000\s/);
  expect(withPort(text, 3000)).toBe(text);
  expect(JSON.parse(withPort('{}\n', '0:3000'))).toEqual({ ports: ['0:3000'] });
});
