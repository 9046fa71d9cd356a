import { expect, test } from 'vitest';
import { fillContainerEnv } from './variables.ts';

test('containerEnv gives the value of the image, or the default, or nothing', () => {
  const env = { PATH: '/usr/bin:/bin', EMPTY: '' };
  expect(fillContainerEnv('/opt:${containerEnv:PATH}', env)).toBe('/opt:/usr/bin:/bin');
  expect(fillContainerEnv('${containerEnv:NONE:http://proxy:3128}', env)).toBe('http://proxy:3128');
  expect(fillContainerEnv('${containerEnv:EMPTY:x}|${containerEnv:NONE}|${containerEnv:NONE:}', env)).toBe('||');
  expect(fillContainerEnv('${containerEnv:constructor}', env)).toBe('');
});

test('what the value brings is not filled again', () => {
  expect(fillContainerEnv('${containerEnv:A}', { A: '${containerEnv:B} $& $1', B: 'x' })).toBe('${containerEnv:B} $& $1');
});

test('$${ is a plain ${, and other texts stay', () => {
  expect(fillContainerEnv('$${containerEnv:A} ${other} $HOME $', { A: 'x' })).toBe('${containerEnv:A} ${other} $HOME $');
});
