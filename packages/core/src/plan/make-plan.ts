import { posix } from 'node:path';
import type { Json } from '../base/canonical-json.ts';
import type { Config, CopyStep, RunStep } from '../config/config.ts';
import { fillContainerEnv } from '../config/variables.ts';
import { definitionOf, lockedInKey, type LockedInstall, type LockedPlatform } from '../lock/lock.ts';
import type { ImageConfig } from '../oci/image.ts';
import { formatPlatform } from '../oci/platform.ts';
import { layerFormat, stepKey, type KeyParts, type StepKey } from '../oci/step-key.ts';
import type { Resolved, ResolvedBase, ResolvedFile } from '../resolve/resolved.ts';
import { outdated } from './outdated.ts';
import type { Plan, PlannedContainer, PlannedStep, StepEnvironment, UserStep } from './plan.ts';

/** Seconds that the step of a key took, for every key that is here. */
export type KnownKeys = ReadonlyMap<StepKey, number>;

/** PATH of an image that sets none, as every engine has it. */
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Pure: the same values give the same plan on every machine. */
export function makePlan(resolved: Resolved, known: KnownKeys): Plan {
  const { config } = resolved;
  const base = baseParts(resolved);
  const keyed = keyedSteps(resolved, base.key);
  const isKnown = (key: StepKey): boolean => known.has(key);
  // A layer that is here stands on layers that are here: what comes before the last known step needs no work.
  const lastKnown = keyed.steps.findLastIndex((step) => step.definition.kind !== 'env' && isKnown(step.key));
  const steps = keyed.steps.map((step, index): PlannedStep => ({
    ...step,
    state: step.definition.kind === 'env' ? 'config' : index <= lastKnown ? 'cached' : 'runs',
    seconds: known.get(step.key),
  }));
  return {
    schema: 1,
    platform: resolved.platform,
    base: {
      definition: resolved.base,
      title: titleOf(resolved.base),
      ...base,
      state: lastKnown >= 0 || isKnown(base.key) || resolved.base.kind === 'scratch' ? 'cached' : 'runs',
      seconds: known.get(base.key),
    },
    steps,
    image: finalImage(config, keyed.image),
    container: plannedContainer(config, keyed),
    ...(resolved.lock ? { outdated: outdated(resolved, resolved.lock, layersOf(resolved, base, keyed.steps)) } : {}),
  };
}

/** What makes a layer, lowest first; what is pulled is what its digest says. */
function layersOf(
  resolved: Resolved,
  base: LockedParts & { readonly key: StepKey },
  steps: readonly KeyedStep[],
): readonly Pick<KeyedStep, 'name' | 'key' | 'parts'>[] {
  const own = resolved.base.kind === 'debian' ? [{ name: titleOf(resolved.base), ...base }] : [];
  return [...own, ...steps.filter(({ definition }) => definition.kind !== 'env')];
}

/** The keys a plan is about: what has to be looked up before it can be made. */
export function keysOf(resolved: Resolved): readonly StepKey[] {
  const base = baseParts(resolved);
  return [base.key, ...keyedSteps(resolved, base.key).steps.map((step) => step.key)];
}

/** The keys are asked for before the plan: with a hundred steps to compute them once is a tenth of what `up` takes. */
const keyedOnce = new WeakMap<Resolved, Keyed>();

interface Keyed {
  readonly steps: readonly KeyedStep[];
  readonly image: ImageConfig;
}

type KeyedStep = Omit<PlannedStep, 'state' | 'seconds'>;

function keyedSteps(resolved: Resolved, baseKey: StepKey): Keyed {
  const keyed = keyedOnce.get(resolved) ?? keySteps(resolved, baseKey);
  keyedOnce.set(resolved, keyed);
  return keyed;
}

function keySteps(resolved: Resolved, baseKey: StepKey): Keyed {
  const { config } = resolved;
  const platform = formatPlatform(resolved.platform);
  const steps: KeyedStep[] = [];
  let image = imageOf(resolved.base);
  let key = baseKey;
  const installs = new LockedInstalls(resolved.lock);
  const add = (
    step: Omit<KeyedStep, 'key' | 'parts' | 'files' | 'locked'>,
    definition: KeyParts['definition'],
    files: readonly ResolvedFile[],
    args: KeyParts['args'] = {},
  ): void => {
    const inputs = Object.fromEntries(
      files.map((file) => [step.definition.kind === 'copy' ? `${file.path} → ${file.target}` : file.path, file.entry]),
    );
    const { parts, locked } = lockedParts({ parent: key, definition, inputs, args, platform, format: layerFormat }, installs);
    key = stepKey(parts);
    steps.push({ ...step, key, parts, files, ...(locked ? { locked } : {}) });
  };
  const makesUser = needsUser(config);
  const addUser = (): void => {
    if (!makesUser || steps.some((step) => step.definition.kind === 'user')) return;
    const user = makesUser;
    const definition: UserStep = { kind: 'user', name: `user ${user}`, user };
    add(
      { number: undefined, name: definition.name, definition, process: { env: {}, user: 'root', workdir: '/' } },
      { kind: 'user', user },
      [],
    );
  };

  for (const [index, step] of config.steps.entries()) {
    const number = index + 1;
    const files = resolved.files[index] ?? [];
    switch (step.kind) {
      case 'env': {
        const env = Object.fromEntries(Object.entries(step.env).map(([name, value]) => [name, fillContainerEnv(value, image.env)]));
        image = { ...image, env: { ...image.env, ...env } };
        add({ number, name: step.name, definition: step, process: undefined }, { kind: 'env', env }, []);
        break;
      }
      case 'apt':
        add(
          { number, name: step.name, definition: step, process: { env: image.env, user: 'root', workdir: '/' } },
          { kind: 'apt', packages: step.packages },
          [],
        );
        break;
      case 'copy':
        if (step.owner !== undefined && step.owner.split(':')[0] === makesUser) addUser();
        add({ number, name: step.name, definition: step, process: undefined }, copyDefinition(step), files);
        break;
      case 'run': {
        const user = step.user ?? (step.outputs.length > 0 ? userOf(config, image) : 'root');
        if (user.split(':')[0] === makesUser) addUser();
        const environment = runEnvironment(step, config, image, user);
        add({ number, name: step.name, definition: step, process: environment }, runDefinition(step, environment), files, config.args);
        break;
      }
      default:
        throw new Error(`unexpected step: ${JSON.stringify(step satisfies never)}`);
    }
  }
  addUser();
  return { steps, image };
}

interface LockedParts {
  readonly parts: KeyParts;
  readonly locked?: LockedInstall;
}

/** Packages that are locked are a part of what the step is. */
function lockedParts(parts: KeyParts, installs: LockedInstalls): LockedParts {
  const locked = installs.take(parts);
  if (!locked?.packages) return { parts };
  return { parts: { ...parts, definition: { ...parts.definition, locked: lockedInKey(locked.packages) } }, locked };
}

/** What the lock says of steps, each taken once: two steps may be the same to the letter and install different things. */
class LockedInstalls {
  readonly #layers: { readonly definition: string; readonly install: LockedInstall }[];

  constructor(lock: LockedPlatform | undefined) {
    this.#layers = (lock?.layers ?? []).map(({ definition, archiveTime, packages }) => ({
      definition,
      install: { ...(archiveTime === undefined ? {} : { archiveTime }), ...(packages ? { packages } : {}) },
    }));
  }

  take(parts: KeyParts): LockedInstall | undefined {
    if (this.#layers.length === 0) return undefined;
    const definition = definitionOf(parts);
    const index = this.#layers.findIndex((layer) => layer.definition === definition);
    return index < 0 ? undefined : this.#layers.splice(index, 1)[0]!.install;
  }
}

function baseParts(resolved: Resolved): LockedParts & { readonly key: StepKey } {
  const parts: KeyParts = {
    parent: null,
    definition: baseDefinition(resolved.base),
    inputs: {},
    args: {},
    platform: formatPlatform(resolved.platform),
    format: layerFormat,
  };
  const found = lockedParts(parts, new LockedInstalls(resolved.lock));
  return { key: stepKey(found.parts), ...found };
}

/** The image is named by its config's digest: how its layers are compressed, and what its tag is called, change nothing. A mirror is transport. */
function baseDefinition(base: ResolvedBase): { readonly [name: string]: Json } {
  switch (base.kind) {
    case 'image':
      return { kind: 'image', image: base.name.image };
    case 'debian':
      return { kind: 'debian', suite: base.suite, packages: base.packages, snapshot: base.snapshot ?? null };
    case 'scratch':
      return { kind: 'scratch' };
    default:
      throw new Error(`unexpected base: ${JSON.stringify(base satisfies never)}`);
  }
}

function imageOf(base: ResolvedBase): ImageConfig {
  const empty: ImageConfig = {
    env: { PATH: defaultPath },
    user: '',
    workdir: '',
    entrypoint: [],
    command: [],
    labels: {},
    exposedPorts: [],
    volumes: [],
  };
  if (base.kind === 'scratch') return empty;
  if (base.kind === 'debian') return { ...empty, command: ['/bin/bash'] };
  return { ...base.name.config, env: { PATH: defaultPath, ...base.name.config.env } };
}

function titleOf(base: ResolvedBase): string {
  switch (base.kind) {
    case 'image':
      return base.reference;
    case 'debian':
      return `debian ${base.suite}${base.snapshot ? ` at ${base.snapshot}` : ''}`;
    default:
      return 'scratch';
  }
}

function userOf(config: Config, image: ImageConfig): string {
  return config.user ?? (image.user === '' ? 'root' : image.user);
}

/** The user that may have to be made: named by the file, neither root nor a bare number. */
function needsUser(config: Config): string | undefined {
  const name = config.user?.split(':')[0];
  return name === undefined || name === 'root' || /^\d+$/.test(name) ? undefined : name;
}

function runEnvironment(step: RunStep, config: Config, image: ImageConfig, user: string): StepEnvironment {
  const own = Object.fromEntries(Object.entries(step.env).map(([name, value]) => [name, fillContainerEnv(value, image.env)]));
  return { env: { ...image.env, ...config.args, ...own }, user, workdir: step.workdir ?? config.workspace };
}

/** The image's variables are in the key already, through the steps and the base below. */
function runDefinition(step: RunStep, process: StepEnvironment): { readonly [name: string]: Json } {
  const env = Object.fromEntries(Object.keys(step.env).map((name) => [name, process.env[name] ?? '']));
  const { command, outputs, cache, secrets, network } = step;
  return { kind: 'run', command, outputs, cache, secrets, network, env, user: process.user, workdir: process.workdir };
}

function copyDefinition(step: CopyStep): { readonly [name: string]: Json } {
  return { kind: 'copy', to: step.to, mode: step.mode ?? null, owner: step.owner ?? null };
}

function plannedContainer(config: Config, keyed: { readonly steps: readonly KeyedStep[]; readonly image: ImageConfig }): PlannedContainer {
  const { healthcheck, name, folder, workspace, mounts, ports, limits, security, certificates, hooks, labels } = config;
  const own = Object.fromEntries(
    Object.entries(config.env).map(([variable, value]) => [variable, fillContainerEnv(value, keyed.image.env)]),
  );
  const outputs = keyed.steps.flatMap(({ definition, process }) =>
    definition.kind === 'run' ? definition.outputs.map((output) => posix.join(process!.workdir, output)) : [],
  );
  return {
    healthcheck,
    name,
    folder,
    workspace,
    mounts,
    ports,
    limits,
    security,
    certificates,
    hooks,
    labels,
    env: { ...keyed.image.env, ...own },
    user: userOf(config, keyed.image),
    outputs,
  };
}

function finalImage(config: Config, image: ImageConfig): ImageConfig {
  return {
    ...image,
    user: userOf(config, image),
    workdir: config.workspace,
    labels: { ...image.labels, ...config.labels },
    entrypoint: config.entrypoint ?? image.entrypoint,
    command: config.command ?? image.command,
  };
}
