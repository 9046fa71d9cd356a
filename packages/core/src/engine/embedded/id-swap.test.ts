import { expect, test } from 'vitest';
import { swapMappings, swapOwner } from './id-swap.ts';

test('two ids change places, and every id stays one', () => {
  const ids = { uid: [0, 1000], gid: [0, 50] } as const;
  expect([swapOwner(ids, { uid: 0, gid: 0 }), swapOwner(ids, { uid: 1000, gid: 50 }), swapOwner(ids, { uid: 7, gid: 1000 })]).toEqual([
    { uid: 1000, gid: 50 },
    { uid: 0, gid: 0 },
    { uid: 7, gid: 1000 },
  ]);
  expect(swapOwner(undefined, { uid: 0, gid: 3 })).toEqual({ uid: 0, gid: 3 });
});

test('the mapping that says so covers every id once, with 0 alone on its line', () => {
  for (const pair of [
    [0, 1000],
    [1000, 0],
    [4711, 1000],
    [5, 5],
    [0, 65536],
    [1, 2],
  ] as const) {
    // prettier-ignore
    const lines = swapMappings(pair, 65537);
    const inside = lines.flatMap(({ containerID, size }) => Array.from({ length: size }, (_, offset) => containerID + offset));
    const outside = lines.flatMap(({ hostID, size }) => Array.from({ length: size }, (_, offset) => hostID + offset));
    expect(inside).toEqual(Array.from({ length: 65537 }, (_, id) => id));
    expect(outside).toEqual(inside.map((id) => (id === pair[0] ? pair[1] : id === pair[1] ? pair[0] : id)));
    expect(lines.find(({ containerID }) => containerID === 0)?.size).toBe(1);
    expect(lines.find(({ hostID }) => hostID === 0)?.size).toBe(1);
  }
});
