import { expect, test } from 'vitest';
import { knownNames } from './resolve.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const config = { env: {}, user: '', workdir: '/', entrypoint: [], command: ['sh'], labels: {}, exposedPorts: [], volumes: [] };
const name = { manifest: digest, image: digest, config };

test('of kept names, those that are damaged are not known', () => {
  const [of, other] = [
    { ...name, index: digest },
    { ...name, config: { ...config, command: 'sh' } },
  ];
  const kept = {
    a: name,
    b: {},
    c: null,
    d: { ...name, image: 'x' },
    e: other,
    f: of,
    g: { ...name, index: 7 },
    h: { ...name, index: 'x' },
  };
  expect(knownNames(kept)).toEqual({ a: name, f: of });
  for (const damaged of [undefined, null, [], 'x', 1]) expect(knownNames(damaged)).toEqual({});
});
