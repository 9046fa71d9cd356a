import { expect, test } from 'vitest';
import { definitionOf, type Lock, type LockedLayer, type LockedPackages } from './lock/lock.ts';
import { firstMoved, requireKnown, unlock } from './move-lock.ts';
import { sha256Digest } from './oci/digest.ts';
import type { KeyParts, StepKey } from './oci/step-key.ts';
import type { Plan } from './plan/plan.ts';

const digest = sha256Digest('a'.repeat(64));
const image = { name: 'docker.io/library/node:24', manifest: digest, id: digest };
const package1 = { version: '1', sha256: 'b'.repeat(64), url: 'http://deb.example/pool/x.deb' };

function partsOf(name: string): KeyParts {
  return { parent: null, definition: { kind: 'run', command: [name] }, inputs: {}, args: {}, platform: 'linux/amd64', format: 2 };
}

function layer(name: string, packages?: LockedPackages): LockedLayer {
  const key = 'c'.repeat(64) as StepKey;
  return { name, key, definition: definitionOf(partsOf(name)), diffId: digest, ...(packages ? { packages } : {}) };
}

const steps = [
  layer('tools', { 'git:amd64': package1, 'git-man:all': package1 }),
  layer('deps'),
  layer('curl', { 'curl:amd64': package1 }),
];
const onImage: Lock = { epoch: 1, platforms: { 'linux/amd64': { image, layers: steps } } };
const debian = layer('debian bookworm', { 'bash:amd64': package1 });
const onDebian: Lock = { epoch: 1, platforms: { 'linux/amd64': { layers: [debian, ...steps, layer('debian tools')] } } };

/** As the file has it now: one step is new. */
const plan = {
  base: { title: image.name },
  steps: ['tools', 'deps', 'curl', 'new'].map((name) => ({ name, parts: partsOf(name) })),
} as unknown as Plan;

function kept(lock: Lock, ...names: readonly string[]): readonly (string | undefined)[] {
  const { image: base, layers } = unlock(lock, names).platforms['linux/amd64']!;
  return [base?.name, ...layers.map(({ name }) => name)];
}

test('what is named is unlocked: a step, a package with its step, the base; without a name all', () => {
  expect(kept(onImage, 'deps')).toEqual([image.name, 'tools', 'curl']);
  expect(kept(onImage, 'git')).toEqual([image.name, 'deps', 'curl']);
  expect(kept(onImage, 'git-man:all', 'curl:amd64')).toEqual([image.name, 'deps']);
  expect(kept(onImage, 'base')).toEqual([undefined, 'tools', 'deps', 'curl']);
  expect(kept(onImage)).toEqual([undefined]);
  for (const name of ['base', 'bash', 'debian bookworm'])
    expect(kept(onDebian, name)).toEqual([undefined, 'tools', 'deps', 'curl', 'debian tools']);
});

test('a name that nothing has is refused with those that there are', () => {
  const locked = onImage.platforms['linux/amd64']!;
  expect(() => requireKnown(['new', 'git', 'git:amd64', 'base', image.name, 'tools'], plan, locked)).not.toThrow();
  for (const unknown of ['gi', 'git:arm64', 'constructor', ''])
    expect(() => requireKnown(['git', unknown], plan, locked)).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_STEP', hint: expect.stringContaining('deps\n') as string }) as Error,
    );
  expect(() => requireKnown(['git'], plan, undefined)).toThrow('git');
});

test('made anew is what moves and what stands on it; what is below stays', () => {
  const locked = onImage.platforms['linux/amd64']!;
  expect([[], ['curl'], ['deps', 'new'], ['git-man'], ['new'], ['base']].map((names) => firstMoved(plan, locked, names))).toEqual([
    0,
    2,
    1,
    0,
    3,
    Infinity,
  ]);
  expect(firstMoved(plan, undefined, ['curl'])).toBe(2);
});
