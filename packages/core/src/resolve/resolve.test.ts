import { expect, test } from 'vitest';
import { knownNames } from './resolve.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const config = { env: {}, user: '', workdir: '/', entrypoint: [], command: ['sh'], labels: {}, exposedPorts: [], volumes: [] };
const name = { manifest: digest, image: digest, config };

test('of kept names, those that are damaged are not known', () => {
  expect(knownNames({ a: name, b: {}, c: null, d: { ...name, image: 'x' }, e: { ...name, config: { ...config, command: 'sh' } } })).toEqual(
    {
      a: name,
    },
  );
  for (const damaged of [undefined, null, [], 'x', 1]) expect(knownNames(damaged)).toEqual({});
});
