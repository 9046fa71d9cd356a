/** The house's arrows as data. What ARCHITECTURE.md says about who may import whom is checked here against every source file. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Visitor, parseSync } from 'oxc-parser';
import { expect, test } from 'vitest';

/** Folder of core → the folders it may import. `types`: only `import type`. */
const table: Readonly<Record<string, { readonly values: readonly string[]; readonly types?: readonly string[] }>> = {
  base: { values: [] },
  oci: { values: ['base'] },
  registry: { values: ['base', 'oci'] },
  store: { values: ['base', 'oci'] },
  compare: { values: ['base', 'oci', 'store'] },
  engine: { values: ['base', 'oci', 'store'] },
  config: { values: ['base'] },
  lock: { values: ['base', 'oci', 'config'] },
  resolve: { values: ['base', 'oci', 'config', 'registry', 'lock'] },
  plan: { values: ['base', 'oci', 'config', 'lock'], types: ['resolve'] },
  build: { values: ['base', 'oci', 'registry', 'store', 'engine', 'plan', 'lock'] },
  container: { values: ['base', 'oci', 'engine', 'plan'] },
  session: { values: ['base', 'engine', 'plan'] },
  editor: { values: ['base', 'engine', 'session', 'container'] },
  init: { values: ['base', 'oci', 'config', 'registry'] },
};

/** Modules that reach out of the process; in core and the command line only base/ has them. */
const outsideWorld = /^(?:node:)?(?:child_process|https?|http2)$|^undici$/;
/** One way among several to do what an interface promises; only this file chooses among them. */
const implementations = /^packages\/core\/src\/(?:engine\/[^/]+\/|registry\/(?:remote|layout|memory)|store\/disk)/;
const chooser = 'packages/core/src/open-tools.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const sources = readSources(['packages/core/src', 'packages/cli/src', 'extension/src']);

test('the source files keep to the import table', () => {
  expect(breaches(sources)).toEqual([]);
});

test('the files that are checked are all there is, and their imports were seen', () => {
  const imports = [...sources].flatMap(([path, source]) => importsOf(path, source));
  expect(imports.length).toBeGreaterThan(50);
  for (const part of ['packages/core/', 'packages/cli/', 'extension/'])
    expect(imports.some(({ file }) => file.startsWith(part))).toBe(true);
  const folders = new Set([...sources.keys()].flatMap((path) => /^packages\/core\/src\/([^/]+)\//.exec(path)?.[1] ?? []));
  expect([...folders].filter((folder) => !(folder in table))).toEqual([]);
});

test.each([
  ['core/src/oci/a.ts', "import { up } from '../build/up.ts'", 'oci/ may not import build/'],
  ['core/src/base/a.ts', "export * from '../oci/digest.ts'", 'base/ may not import oci/'],
  ['core/src/config/a.ts', "const later = await import('../engine/engine.ts')", 'config/ may not import engine/'],
  ['core/src/config/a.ts', "type Layer = import('../store/layer-store.ts').LayerId", 'config/ may not import store/'],
  ['core/src/plan/a.ts', "import { resolve } from '../resolve/resolve.ts'", 'plan/ may import only types of resolve/'],
  ['core/src/plan/a.ts', "import { type Resolved, resolve } from '../resolve/resolve.ts'", 'plan/ may import only types of resolve/'],
  ['core/src/session/a.ts', "import type { Options } from '../api.ts'", 'session/ may not import the top of core'],
  ['core/src/engine/docker/a.ts', "import '../podman/b.ts'", 'engines do not import one another'],
  ['core/src/build/a.ts', "import { disk } from '../store/disk-store.ts'", 'only open-tools.ts names an implementation'],
  ['core/src/up.ts', "import { embedded } from './engine/embedded/embedded-engine.ts'", 'only open-tools.ts names an implementation'],
  ['core/src/store/a.ts', "import { spawn } from 'node:child_process'", 'only base/ reaches out of the process'],
  ['core/src/store/a.ts', "const { request } = require('https')", 'only base/ reaches out of the process'],
  ['core/src/registry/a.ts', "import { fetch } from 'undici'", 'only base/ reaches out of the process'],
  ['cli/src/a.ts', "import { up } from '../../core/src/up.ts'", 'a package imports another by its name'],
  ['cli/src/a.ts', "import { up } from '@devenv/core/src/up.ts'", "a package imports only another's index"],
  ['extension/src/a.ts', "import { up } from '@devenv/core'", 'the extension imports only types of core'],
  ['core/src/oci/a.ts', "import './b.ts'", 'import cycle'],
])('%s with %s is a breach', (path, source, rule) => {
  const place = path.startsWith('extension') ? path : `packages/${path}`;
  const files = new Map([
    [place, source],
    ['packages/core/src/oci/b.ts', "import './a.ts'"],
  ]);
  expect(breaches(files).join('\n')).toContain(rule);
});

test.each([
  ['core/src/plan/a.ts', "import type { Resolved } from '../resolve/resolved.ts'"],
  ['core/src/plan/a.ts', "import { type Resolved } from '../resolve/resolved.ts'"],
  ['core/src/open-tools.ts', "import { embedded } from './engine/embedded/embedded-engine.ts'"],
  ['core/src/engine/embedded/a.ts', "import { runtime } from './runtime.ts'"],
  ['core/src/build/build.test.ts', "import { disk } from '../store/disk-store.ts'"],
  ['core/src/base/a.ts', "import { spawn } from 'node:child_process'"],
  ['cli/src/a.ts', "import { up } from '@devenv/core'"],
])('%s with %s is no breach', (path, source) => {
  expect(breaches(new Map([[`packages/${path}`, source]]))).toEqual([]);
});

interface Import {
  readonly file: string;
  /** As written. */
  readonly specifier: string;
  /** The file meant by a relative specifier. */
  readonly target: string | undefined;
  readonly typeOnly: boolean;
}

/** `file imports specifier: the rule it breaks`, for each. */
function breaches(files: ReadonlyMap<string, string>): readonly string[] {
  const imports = [...files].flatMap(([path, source]) => importsOf(path, source));
  const single = imports.flatMap((found) => {
    const rule = brokenRule(found);
    return rule ? [`${found.file} imports ${found.specifier}: ${rule}`] : [];
  });
  return [...single, ...cycles(imports)];
}

function brokenRule({ file, specifier, target, typeOnly }: Import): string | undefined {
  const isTest = /\.(?:test|suite)\.ts$/.test(file);
  const ours = packageOf(file);
  if (outsideWorld.test(specifier) && ours !== 'extension' && !isTest && folderOf(file) !== 'base')
    return 'only base/ reaches out of the process';
  if (specifier.startsWith('@devenv/')) {
    if (specifier.split('/').length > 2) return "a package imports only another's index";
    return ours === 'extension' && !typeOnly ? 'the extension imports only types of core' : undefined;
  }
  if (target === undefined || target.endsWith('.json')) return undefined;
  if (packageOf(target) !== ours) return 'a package imports another by its name';
  if (ours !== 'packages/core') return undefined;
  const [from, to] = [folderOf(file), folderOf(target)];
  if (from === 'engine' && to === 'engine' && engineOf(file) && engineOf(target) && engineOf(file) !== engineOf(target)) {
    return 'engines do not import one another';
  }
  if (from === to) return undefined;
  if (from !== undefined) {
    const allowed = table[from];
    if (!allowed) return `${from}/ is not in the table`;
    if (to === undefined) return `${from}/ may not import the top of core`;
    if (allowed.types?.includes(to)) return typeOnly ? undefined : `${from}/ may import only types of ${to}/`;
    if (!allowed.values.includes(to)) return `${from}/ may not import ${to}/`;
  }
  if (implementations.test(target) && file !== chooser && !isTest) return 'only open-tools.ts names an implementation';
  return undefined;
}

/** Each cycle once, types included: what cannot be read alone cannot be understood alone. */
function cycles(imports: readonly Import[]): readonly string[] {
  const graph = Map.groupBy(
    imports.filter(({ target }) => target !== undefined),
    ({ file }) => file,
  );
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file);
    if (start >= 0) found.push(`import cycle: ${[...path.slice(start), file].join(' → ')}`);
    if (start >= 0 || done.has(file)) return;
    for (const { target } of graph.get(file) ?? []) visit(target!, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
}

/** Every way to name a module: import, export from, import(), require(), and the type import('…'). */
function importsOf(file: string, source: string): readonly Import[] {
  const { program, module, errors } = parseSync(file, source);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]!.message}`);
  const found: Import[] = [];
  const add = (specifier: string, typeOnly: boolean): void => {
    const target = specifier.startsWith('.') ? normalize(join(dirname(file), specifier)) : undefined;
    found.push({ file, specifier, target, typeOnly });
  };
  for (const { moduleRequest, entries } of module.staticImports)
    add(moduleRequest.value, entries.length > 0 && entries.every(({ isType }) => isType));
  for (const { entries } of module.staticExports) {
    for (const { moduleRequest, isType } of entries) if (moduleRequest) add(moduleRequest.value, isType);
  }
  new Visitor({
    ImportExpression: ({ source: named }) => named.type === 'Literal' && add(String(named.value), false),
    CallExpression: ({ callee, arguments: [named] }) => {
      if (callee.type === 'Identifier' && callee.name === 'require' && named?.type === 'Literal') add(String(named.value), false);
    },
    TSImportType: ({ source: named }) => add(named.value, true),
  }).visit(program);
  return found;
}

function readSources(folders: readonly string[]): ReadonlyMap<string, string> {
  const paths = folders.flatMap((folder) => globSync(`${folder}/**/*.ts`, { cwd: root }));
  return new Map(paths.toSorted().map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}

/** `packages/core`, `packages/cli`, `extension`; of anything else its first folder. */
function packageOf(path: string): string {
  return /^(?:packages\/[^/]+|[^/]+)/.exec(path)?.[0] ?? path;
}

/** The folder of core; undefined for the files at its top and for other packages. */
function folderOf(path: string): string | undefined {
  return /^packages\/core\/src\/([^/]+)\//.exec(path)?.[1];
}

function engineOf(path: string): string | undefined {
  return /^packages\/core\/src\/engine\/(?!suite\/)([^/]+)\//.exec(path)?.[1]; // engine/suite holds the laws of all
}
