import { minVersion, satisfies, validRange } from 'semver';
import { parseJson, parseYaml, entriesAt, itemsAt, textAt, valueAt } from '../document.ts';
import type { ProposedStep, Sourced } from '../proposal.ts';
import type { Repository } from '../repository.ts';
import { present, versionFrom, type Found, type Place } from './language.ts';

export function node(repository: Repository): Found | undefined {
  if (!repository.has('package.json')) return undefined;
  const manifest = parseJson(repository.text('package.json') ?? '');
  const manager = packageManager(repository, manifest);
  const version = wantedVersion(repository, manifest);
  return {
    name: 'Node.js',
    from: 'package.json',
    version,
    image: `docker.io/library/node:${imageTag(version?.value)}`,
    images: /(?:^|\/)(?:node|javascript-node|typescript-node|universal)$/,
    packages: ['nodejs', 'npm'],
    steps: (place) => installSteps(repository, manifest, manager, place),
    test: hasTests(manifest) ? `${manager.name} test` : undefined,
  };
}

/** The newest long-term release first, then the others that people still ask for. */
const majors = [24, 22, 20, 18, 16, 26, 25, 23, 21, 19, 14];
const longTerm: Readonly<Record<string, string>> = { '*': '24', krypton: '24', jod: '22', iron: '20', hydrogen: '18', gallium: '16' };

function wantedVersion(repository: Repository, manifest: unknown): Sourced<string> | undefined {
  const written = versionFrom(repository, '.nvmrc', '') ?? versionFrom(repository, '.node-version', 'nodejs');
  const exact = written && exactVersion(written.value);
  if (exact) return { value: exact, from: written.from };
  const volta = exactVersion(textAt(manifest, 'volta', 'node') ?? '');
  if (volta) return { value: volta, from: 'volta in package.json' };
  const range = textAt(manifest, 'engines', 'node');
  if (range === undefined || validRange(range) === null) return undefined;
  const major = majors.find((candidate) => satisfies(`${candidate}.999.0`, range));
  const value = major === undefined ? minVersion(range)?.version : String(major);
  return value === undefined ? undefined : { value, from: `engines.node ${range} in package.json` };
}

function exactVersion(text: string): string | undefined {
  const line = /^lts\/(.+)$/i.exec(text);
  if (line) return longTerm[line[1]!.toLowerCase()];
  return /^v?(\d+(?:\.\d+(?:\.\d+)?)?)$/.exec(text)?.[1];
}

/** The official images stand on bookworm since June 2023: earlier releases have bullseye. */
function imageTag(version = String(majors[0])): string {
  const known = version.split('.').length < 3 ? `${version.split('.')[0]}.999.0` : version;
  return `${version}-${satisfies(known, '^16.20.1 || ^18.16.1 || >=20.3.1') ? 'bookworm' : 'bullseye'}`;
}

interface PackageManager {
  readonly name: 'npm' | 'pnpm' | 'yarn';
  readonly lock: string | undefined;
  /** As `packageManager` in package.json says it. */
  readonly version: string | undefined;
}

const locks = { 'pnpm-lock.yaml': 'pnpm', 'yarn.lock': 'yarn', 'package-lock.json': 'npm', 'npm-shrinkwrap.json': 'npm' } as const;

function packageManager(repository: Repository, manifest: unknown): PackageManager {
  const named = /^(npm|pnpm|yarn)@(\d+(?:\.[\w.-]+)?)/.exec(textAt(manifest, 'packageManager') ?? '');
  const lock = Object.entries(locks).find(([file, name]) => repository.has(file) && (!named || named[1] === name));
  const name = (named?.[1] as PackageManager['name'] | undefined) ?? lock?.[1] ?? 'npm';
  return { name, lock: lock?.[0], version: named?.[2] };
}

/** npm writes a placeholder when it makes a package.json. */
function hasTests(manifest: unknown): boolean {
  const test = textAt(manifest, 'scripts', 'test');
  return test !== undefined && !test.includes('no test specified');
}

function installSteps(repository: Repository, manifest: unknown, manager: PackageManager, place: Place): readonly ProposedStep[] {
  if (!manager.lock && !dependsOnSomething(manifest)) return [];
  const workspaces = workspacePatterns(repository, manifest);
  const inputs = [
    ...present(
      repository,
      'package.json',
      manager.lock ?? 'package.json',
      '.npmrc',
      '.yarnrc',
      '.yarnrc.yml',
      'pnpm-workspace.yaml',
      '.pnpmfile.cjs',
    ),
    ...workspaces.map((pattern) => `${pattern}/package.json`),
  ];
  const members = manager.name === 'pnpm' ? workspaces.flatMap((pattern) => workspaceFolders(repository, pattern)) : [];
  const install: ProposedStep = {
    comment: [
      manager.lock
        ? `Runs again when one of its inputs changes.`
        : 'There is no lock file: commit one, and everyone gets the same packages.',
      'node_modules appears inside the workspace; the folder on this machine stays clean.',
      ...lifecycleNote(manifest),
    ].join(' '),
    step: {
      name: 'deps',
      run: installCommand(manager),
      inputs: [...new Set(inputs)],
      outputs: ['node_modules', ...members.map((folder) => `${folder}/node_modules`)],
      cache: [`${place.home}/${cacheFolders[manager.name]}`],
    },
  };
  return [...managerSteps(manager), install];
}

const cacheFolders = { npm: '.npm', pnpm: '.local/share/pnpm/store', yarn: '.cache/yarn' } as const;

function installCommand({ name, lock, version }: PackageManager): string {
  if (name === 'npm') return lock ? 'npm ci' : 'npm install';
  if (!lock) return `${name} install`;
  return name === 'yarn' && version !== undefined && !version.startsWith('1')
    ? 'yarn install --immutable'
    : `${name} install --frozen-lockfile`;
}

/** The official image brings npm and yarn 1. */
function managerSteps({ name, version }: PackageManager): readonly ProposedStep[] {
  if (name === 'npm' || (name === 'yarn' && version === undefined)) return [];
  // yarn's own package on npm ends with version 1; corepack fetches the later ones.
  const later = name === 'yarn' && version !== undefined && !version.startsWith('1');
  const run = later
    ? 'npm install --global corepack --force && corepack enable yarn'
    : `npm install --global --force ${name}@${version ?? 'latest'}`;
  const comment =
    version === undefined
      ? `Name a version with "packageManager" in package.json, and write it here too.`
      : 'As "packageManager" in package.json says.';
  return [{ comment, step: { name, run } }];
}

function dependsOnSomething(manifest: unknown): boolean {
  return ['dependencies', 'devDependencies', 'optionalDependencies'].some((kind) => entriesAt(manifest, kind).length > 0);
}

function lifecycleNote(manifest: unknown): readonly string[] {
  const scripts = ['preinstall', 'install', 'postinstall', 'prepare'].filter((name) => textAt(manifest, 'scripts', name));
  return scripts.length === 0
    ? []
    : [`The script "${scripts.join('", "')}" of package.json runs here too: what it reads must be in "inputs".`];
}

/** Patterns of the folders of a monorepo; those that take out, or that match at any depth, are left to the reader. */
function workspacePatterns(repository: Repository, manifest: unknown): readonly string[] {
  const yaml = parseYaml(repository.text('pnpm-workspace.yaml') ?? '');
  const declared = valueAt(manifest, 'workspaces');
  const all = [...itemsAt(yaml, 'packages'), ...(Array.isArray(declared) ? (declared as unknown[]) : itemsAt(declared, 'packages'))];
  const patterns = all.filter((item) => typeof item === 'string').map((item) => item.replace(/^\.\/|\/+$/g, ''));
  const usable = patterns.filter(
    (pattern) => /^[\w@.-]+(?:\/(?:[\w@.-]+|\*))*$/.test(pattern) && !pattern.split('/').includes('..') && pattern !== '.',
  );
  return [...new Set(usable)].filter((pattern) => workspaceFolders(repository, pattern).length > 0);
}

/** The folders of a pattern that hold a package. */
function workspaceFolders(repository: Repository, pattern: string): readonly string[] {
  let folders = [''];
  for (const part of pattern.split('/')) {
    folders = folders.flatMap((folder) =>
      (part === '*' ? repository.list(folder || '.').filter((name) => !/^\.|^node_modules$/.test(name)) : [part]).map((name) =>
        folder ? `${folder}/${name}` : name,
      ),
    );
  }
  return folders.filter((folder) => repository.has(`${folder}/package.json`));
}
