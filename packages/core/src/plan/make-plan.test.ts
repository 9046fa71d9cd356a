import { expect, test } from 'vitest';
import type { Config, RunStep, Step } from '../config/config.ts';
import type { Resolved, ResolvedFile } from '../resolve/resolved.ts';
import type { StepKey } from '../oci/step-key.ts';
import { differences, explainKey, type EarlierKey } from './explain.ts';
import { definitionOf, type LockedPackages, type LockedPlatform } from '../lock/lock.ts';
import { sha256Digest } from '../oci/digest.ts';
import { keysOf, makePlan } from './make-plan.ts';
import type { Plan } from './plan.ts';

const place = { file: '/w/devenv.json', line: 1, column: 1 };
const install: RunStep = {
  kind: 'run',
  name: 'deps',
  place,
  command: ['/bin/sh', '-c', 'npm ci'],
  inputs: ['package.json'],
  outputs: [],
  env: {},
  user: undefined,
  workdir: undefined,
  cache: [],
  secrets: [],
  network: true,
};
const file: ResolvedFile = {
  path: 'package.json',
  target: '/workspace/package.json',
  entry: { type: 'file', sha256: 'a'.repeat(64), executable: false },
};

interface Change {
  readonly steps?: readonly Step[];
  readonly config?: Partial<Config>;
  readonly files?: readonly ResolvedFile[];
  readonly resolved?: Partial<Resolved>;
}

function resolved(change: Change = {}): Resolved {
  const steps = change.steps ?? [{ kind: 'apt', name: 'tools', place, packages: ['git'] }, install];
  const config: Config = {
    path: '/w/devenv.json',
    folder: '/w',
    name: 'shop',
    base: { kind: 'debian', suite: 'bookworm', packages: [], mirror: undefined, snapshot: undefined },
    platform: undefined,
    args: {},
    steps,
    user: undefined,
    workspace: '/workspace',
    command: undefined,
    entrypoint: undefined,
    labels: {},
    healthcheck: undefined,
    env: {},
    mounts: [],
    ports: [],
    limits: {},
    security: { capAdd: [], capDrop: [], seccomp: 'default', noNewPrivileges: false, readonlyRoot: false, privileged: false },
    certificates: true,
    cache: { from: [], to: undefined },
    hooks: { create: [], start: [], attach: [] },
    customizations: {},
    ...change.config,
  };
  return {
    config,
    platform: { os: 'linux', architecture: 'amd64' },
    base: { kind: 'debian', suite: 'bookworm', packages: [], mirror: undefined, snapshot: undefined },
    files: steps.map((step) => (step.kind === 'run' || step.kind === 'copy' ? (change.files ?? [file]) : [])),
    ...change.resolved,
  };
}

const partsOf = (change: Change = {}) =>
  makePlan(resolved(change), new Map()).steps.findLast((step) => step.definition.kind === 'run')!.parts;
const run = (change: Partial<RunStep>): Change => ({
  steps: [
    { kind: 'apt', name: 'tools', place, packages: ['git'] },
    { ...install, ...change },
  ],
});
const sha = (digit: string): ResolvedFile => ({ ...file, entry: { type: 'file', sha256: digit.repeat(64), executable: false } });

test.each<[string, Change, string[]]>([
  ['the command', run({ command: ['/bin/sh', '-c', 'npm install'] }), ['command changed: npm ci → npm install']],
  ['an input', { files: [sha('b')] }, ['input package.json changed: aaaaaaaa… → bbbbbbbb…']],
  [
    'the executable bit of an input',
    { files: [{ ...file, entry: { type: 'file', sha256: 'a'.repeat(64), executable: true } }] },
    ['input package.json changed: aaaaaaaa… → aaaaaaaa… (executable)'],
  ],
  ['one more input', { files: [file, { ...file, path: 'x' }] }, ['input x added: aaaaaaaa…']],
  ['one input less', { files: [] }, ['input package.json removed']],
  [
    'a link where a file was',
    { files: [{ ...file, entry: { type: 'symlink', target: 'other' } }] },
    ['input package.json changed: aaaaaaaa… → link to other'],
  ],
  ['an argument', { config: { args: { MODE: 'ci' } } }, ['argument MODE added: ci']],
  ['a variable of the step', run({ env: { CI: '1' } }), ['env changed: {} → {"CI":"1"}']],
  ['the user', run({ user: '1000' }), ['user changed: root → 1000']],
  ['the working directory', run({ workdir: '/src' }), ['workdir changed: /workspace → /src']],
  ['the outputs', run({ outputs: ['dist'], user: 'root' }), ['outputs changed: [] → ["dist"]']],
  ['the caches', run({ cache: ['/root/.npm'] }), ['cache changed: [] → ["/root/.npm"]']],
  ['the names of secrets', run({ secrets: ['TOKEN'] }), ['secrets changed: [] → ["TOKEN"]']],
  ['the network', run({ network: false }), ['network changed: true → false']],
  [
    'the platform',
    { resolved: { platform: { os: 'linux', architecture: 'arm64' } } },
    ['what it stands on changed', 'platform changed: linux/amd64 → linux/arm64'],
  ],
  ['the step below', { steps: [{ kind: 'apt', name: 'tools', place, packages: ['curl', 'git'] }, install] }, ['what it stands on changed']],
  [
    'the base',
    { resolved: { base: { kind: 'debian', suite: 'trixie', packages: [], mirror: undefined, snapshot: undefined } } },
    ['what it stands on changed'],
  ],
])('changing %s changes the key, and is what the comparison names', (_what, change, expected) => {
  expect(differences(partsOf(), partsOf(change), undefined)).toEqual(expected);
});

test.each<[string, Change]>([
  ['the name of the step', run({ name: 'other' })],
  ['the place in the file', run({ place: { file: '/elsewhere', line: 9, column: 9 } })],
  ['the folder and the name of the project', { config: { folder: '/elsewhere', path: '/elsewhere/devenv.json', name: 'else' } }],
  ['the spelling of the inputs', run({ inputs: ['./package.json'] })],
  ['variables of the environment', { config: { env: { X: '1' } } }],
  [
    'a mirror',
    {
      resolved: { base: { kind: 'debian', suite: 'bookworm', packages: [], mirror: 'http://mirror.example/debian', snapshot: undefined } },
    },
  ],
  ['certificates', { config: { certificates: false } }],
  [
    'ports, limits and hooks',
    { config: { ports: [{ hostAddress: '127.0.0.1', hostPort: 1, containerPort: 1, protocol: 'tcp' }], limits: { pids: 9 } } },
  ],
])('%s is in no key', (_what, change) => {
  expect(keysOf(resolved(change))).toEqual(keysOf(resolved()));
});

test('an image is known by the digest of its config, not by its tag or its manifest', () => {
  const image = (reference: string, manifest: string, id: string): Resolved =>
    resolved({
      resolved: {
        base: {
          kind: 'image',
          reference,
          name: {
            manifest: manifest as never,
            image: id as never,
            config: { env: {}, user: '', workdir: '', entrypoint: [], command: [], labels: {}, exposedPorts: [], volumes: [] },
          },
        },
      },
    });
  expect(keysOf(image('docker.io/library/node:24', 'sha256:1', 'sha256:c'))).toEqual(
    keysOf(image('mirror/node:latest', 'sha256:2', 'sha256:c')),
  );
  expect(keysOf(image('docker.io/library/node:24', 'sha256:1', 'sha256:c'))).not.toEqual(
    keysOf(image('docker.io/library/node:24', 'sha256:1', 'sha256:d')),
  );
});

test('a changed step and those after it run; those before it are cached', () => {
  const before = resolved();
  const after = resolved({ files: [sha('b')] });
  const known = new Map(keysOf(before).map((key) => [key, 7]));
  expect(makePlan(before, known).steps.map((step) => step.state)).toEqual(['cached', 'cached']);
  expect(makePlan(after, known).steps.map((step) => step.state)).toEqual(['cached', 'runs']);
  expect(
    makePlan(resolved({ steps: [{ kind: 'apt', name: 'tools', place, packages: ['vim'] }, install] }), known).steps.map(
      (step) => step.state,
    ),
  ).toEqual(['runs', 'runs']);
});

test('a variable set by a step reaches the steps after it, and those before it stay cached', () => {
  const path: Step = { kind: 'env', name: 'env PATH', place, env: { PATH: '/opt/bin:${containerEnv:PATH}' } };
  const plan = makePlan(resolved({ steps: [install, path, { ...install, name: 'later' }] }), new Map());
  expect(plan.steps.map((step) => [step.name, step.state, step.process?.env['PATH']])).toEqual([
    ['deps', 'runs', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    ['env PATH', 'config', undefined],
    ['later', 'runs', '/opt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
  ]);
  expect(plan.steps[0]!.key).toBe(makePlan(resolved({ steps: [install] }), new Map()).steps[0]!.key);
});

test('the user is made before the first step that runs as it, else after the last', () => {
  const names = (change: Change): string[] => makePlan(resolved(change), new Map()).steps.map((step) => step.name);
  expect(names({ config: { user: 'dev' } })).toEqual(['tools', 'deps', 'user dev']);
  expect(names({ ...run({ outputs: ['node_modules'] }), config: { user: 'dev' } })).toEqual(['tools', 'user dev', 'deps']);
  expect(names({ config: { user: '1000' } })).toEqual(['tools', 'deps']);
});

test('of long values the part that differs is shown', () => {
  const long = `set -e; ${'apt-get install -y nothing; '.repeat(5)}make `;
  const [one, other] = ['a', 'b'].map((end) => partsOf(run({ command: ['/bin/sh', '-c', `${long}${end}\nrest`] })));
  expect(differences(one!, other!, undefined)).toEqual(['command changed: …ing; make a\\nrest → …ing; make b\\nrest']);
  const tail = 'x'.repeat(100);
  const [first, second] = ['a', 'b'].map((start) => partsOf(run({ command: ['/bin/sh', '-c', `${start}${tail}`] })));
  expect(differences(first!, second!, undefined)).toEqual([`command changed: a${tail.slice(0, 58)}… → b${tail.slice(0, 58)}…`]);
});

test('a step is compared with its own past, not with that of another project', () => {
  const [parts, key] = [partsOf(), 'k' as StepKey];
  const earlier = (project: string, change: Change): EarlierKey => ({
    key: 'e' as StepKey,
    parts: partsOf(change),
    step: { project, name: 'deps' },
  });
  const why = (...known: EarlierKey[]): string[] => explainKey(key, parts, { project: 'shop', name: 'deps' }, known, undefined);
  const other = run({ command: ['make'] });
  expect(why(earlier('else', other))).toEqual(['it has never run here']);
  expect(why(earlier('shop', other))).toEqual(['command changed: ["make"] → npm ci']);
  expect(why(earlier('clone', { files: [sha('b')] }))).toEqual(['input package.json changed: bbbbbbbb… → aaaaaaaa…']);
  expect(why(earlier('shop', { files: [sha('b'), sha('c')] }), earlier('shop', { files: [sha('d')] }))).toHaveLength(1);
});

const git = { version: '1:2.39', sha256: 'd'.repeat(64), url: 'http://deb.example/git.deb' };

/** As the lock of a plan would be, with what its steps install. */
function lockOf(plan: Plan, installs: Readonly<Record<string, LockedPackages>>): LockedPlatform {
  const made = [{ name: plan.base.title, ...plan.base }, ...plan.steps];
  return {
    layers: made.map(({ name, key, parts }) => {
      const packages = installs[name];
      return { name, key, definition: definitionOf(parts), diffId: sha256Digest('c'.repeat(64)), ...(packages ? { packages } : {}) };
    }),
  };
}

test('packages that are locked are a part of the key, where they come from is not', () => {
  const plain = makePlan(resolved(), new Map());
  const withGit = (entry: typeof git): Plan =>
    makePlan(resolved({ resolved: { lock: lockOf(plain, { tools: { 'git:amd64': entry } }) } }), new Map());
  const keys = (plan: Plan): readonly StepKey[] => plan.steps.map(({ key }) => key);
  expect(withGit(git).steps[0]!.parts.definition['locked']).toEqual({ 'git:amd64': `1:2.39 ${git.sha256}` });
  expect(withGit(git).steps[0]!.locked).toEqual({ packages: { 'git:amd64': git } });
  expect(withGit(git).base.key).toBe(plain.base.key);
  expect(keys(withGit(git))).not.toEqual(keys(plain));
  expect(keys(withGit({ ...git, version: '1:2.40' }))).not.toEqual(keys(withGit(git)));
  expect(keys(withGit({ ...git, url: 'http://elsewhere.example/git.deb' }))).toEqual(keys(withGit(git)));
});

test('what a step installs stays locked when what is below it changes, and the lock is out of date then', () => {
  const plain = makePlan(resolved(), new Map());
  const lock = lockOf(plain, { tools: { 'git:amd64': git } });
  const below = { kind: 'debian', suite: 'trixie', packages: [], mirror: undefined, snapshot: undefined } as const;
  const moved = makePlan(resolved({ resolved: { lock, base: below } }), new Map());
  expect(moved.steps[0]!.locked?.packages).toEqual({ 'git:amd64': git });
  expect(moved.outdated).toEqual(['debian trixie is not locked', 'debian bookworm is locked, and no more asked for']);
});

test('a lock covers the plan that it was made of, and no other', () => {
  const first = makePlan(
    resolved({ resolved: { lock: lockOf(makePlan(resolved(), new Map()), { tools: { 'git:amd64': git } }) } }),
    new Map(),
  );
  const lock = lockOf(first, { tools: { 'git:amd64': git } });
  expect(makePlan(resolved({ resolved: { lock } }), new Map()).outdated).toEqual([]);
  expect(makePlan(resolved(), new Map()).outdated).toBeUndefined();
  const changed = [{ kind: 'apt', name: 'tools', place, packages: ['git', 'curl'] } as const, install];
  expect(makePlan(resolved({ steps: changed, resolved: { lock } }), new Map()).outdated).toEqual(['tools has changed since it was locked']);
  const swapped = { layers: [lock.layers[0]!, { ...lock.layers[1]!, key: 'f'.repeat(64) as StepKey }, lock.layers[2]!] };
  expect(makePlan(resolved({ resolved: { lock: swapped } }), new Map()).outdated).toEqual([
    'tools stands on something else than when it was locked',
  ]);
});

test('two steps that are the same to the letter have what each of them installs', () => {
  const apt = { kind: 'apt', name: 'tools', place, packages: ['git'] } as const;
  const plain = makePlan(resolved({ steps: [apt, apt] }), new Map());
  const layers = lockOf(plain, { tools: {} }).layers;
  const lock = { layers: [layers[0]!, { ...layers[1]!, packages: { 'git:amd64': git } }, layers[2]!] };
  const plan = makePlan(resolved({ steps: [apt, apt], resolved: { lock } }), new Map());
  expect(plan.steps.map(({ locked }) => Object.keys(locked?.packages ?? {}))).toEqual([['git:amd64'], []]);
});
