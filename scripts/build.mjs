// Bundles the command line and the extension. Nothing runs when no input has changed since the last build.
// Runs on Node 20 as well: on a fresh machine it is the first thing that starts.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { SetupError, reportingErrors } from './setup/setup-error.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const stampFile = join(root, 'packages/cli/dist/.stamp.json');

/** Whether anything had to be built. @throws SetupError; esbuild has printed what is wrong */
export async function build({ force = false } = {}) {
  if (!force && upToDate()) return false;
  const { build: bundle } = await import('esbuild');
  const forEditor = Object.entries(extensions).flatMap(([folder, all]) => all.map((settings) => ({ ...settings, folder })));
  const all = [...forEditor.map(({ folder: _folder, ...settings }) => settings), ...commandLine];
  const results = await Promise.all(all.map((settings) => bundle(settings))).catch((error) => {
    if (!error.errors) throw error;
    throw new SetupError(`The build failed with ${error.errors.length} error(s), see above.`);
  });
  replaceFiles(results.slice(forEditor.length).flatMap(({ outputFiles }) => outputFiles));
  for (const folder of Object.keys(extensions)) {
    const own = results.filter((_result, index) => forEditor[index]?.folder === folder);
    replaceFiles([...own.flatMap(({ outputFiles }) => outputFiles), ...(folder === 'extension' ? editorSchemas() : [])]);
  }
  const inputs = results.flatMap((result) => Object.keys(result.metafile.inputs)).filter((path) => existsSync(join(root, path)));
  writeFileSync(stampFile, JSON.stringify({ settings: settingsHash(), inputs: fingerprints(inputs) }));
  return true;
}

/**
 * A devenv that runs meanwhile may still load parts of the old build: parts are named by their content, so the new ones come
 * first, the entry points last, and old parts go only when nobody can be using them any more.
 */
function replaceFiles(files) {
  const isEntry = ({ path }) => !/chunk-|-[A-Z0-9]{8}\.js$/.test(path);
  const folder = dirname(files[0].path);
  mkdirSync(folder, { recursive: true });
  for (const file of [...files.filter((each) => !isEntry(each)), ...files.filter(isEntry)]) {
    writeFileSync(`${file.path}.new`, file.contents);
    renameSync(`${file.path}.new`, file.path);
  }
  const current = new Set(files.map(({ path }) => path));
  for (const path of readdirSync(folder).map((name) => join(folder, name))) {
    if (!current.has(path) && path !== stampFile && Date.now() - statSync(path).mtimeMs > keepOldPartsMs) rmSync(path, { recursive: true });
  }
}

const keepOldPartsMs = 60 * 60 * 1000;

/** Shared by the files of the command line. */
const common = {
  absWorkingDir: root,
  outdir: 'packages/cli/dist',
  bundle: true,
  platform: 'node',
  mainFields: ['module', 'main'], // jsonc-parser's "main" is UMD, which no bundler can follow
  target: 'node24',
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  // koffi finds its native part beside itself; typescript is what oclif would start its plugins' sources with, and is never asked for.
  external: ['koffi', 'typescript'],
  metafile: true,
  write: false,
  logLevel: 'warning',
};

/** Code splitting: what is imported with `import()` gets files of its own, loaded when they are needed. */
const commands = {
  ...common,
  entryPoints: {
    main: 'packages/cli/src/main.ts',
    commands: 'packages/cli/src/commands.ts',
    'decode-thread': 'packages/core/src/oci/decode-thread.ts',
  },
  splitting: true,
  format: 'esm',
  // CommonJS inside the bundle asks for Node's own modules through `require`.
  banner: { js: "const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);" },
};

/** One file that holds what `devenv exec` needs and no more; as CommonJS, which gets at Node's own modules without loading all that is in them. */
const enter = {
  ...common,
  entryPoints: { enter: 'packages/cli/src/enter.ts' },
  alias: { '@devenv/core': './packages/core/src/entering.ts' },
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  define: { 'import.meta.url': 'importMetaUrl' },
  banner: { js: "const importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
};

/** What `dist` is made of. */
export const commandLine = [enter, commands];

/** The editor loads CommonJS and brings `vscode` and an older Node, or none: then it is a page. */
const forEditors = {
  absWorkingDir: root,
  outdir: 'extension/dist',
  outExtension: { '.js': '.cjs' },
  bundle: true,
  format: 'cjs',
  mainFields: ['module', 'main'],
  external: ['vscode'],
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  metafile: true,
  write: false,
  logLevel: 'warning',
};

/** By the folder of each extension. */
export const extensions = {
  extension: [
    { ...forEditors, entryPoints: ['extension/src/extension.ts'], platform: 'node', target: 'node20' },
    { ...forEditors, entryPoints: ['extension/src/extension-web.ts'], platform: 'browser', target: 'es2022' },
  ],
  resolver: [
    { ...forEditors, outdir: 'resolver/dist', entryPoints: ['resolver/src/extension.ts'], platform: 'node', target: 'node20' },
    { ...forEditors, outdir: 'resolver/dist', entryPoints: ['resolver/src/extension-web.ts'], platform: 'browser', target: 'es2022' },
  ],
};

/**
 * The schema for completion and hover. Which members there are is left to the command line, which says what was meant:
 * else an editor would tell of each mistake twice.
 */
export function editorSchemas() {
  const open = (key, value) => (key === 'additionalProperties' && value === false ? undefined : value);
  const schema = JSON.parse(readFileSync(join(root, schemaFile), 'utf8'), open);
  delete schema.$schema; // editors warn of the dialect, and understand what of it is used here
  const { required: _image, properties, ...rest } = schema;
  const { image: _own, platform: _too, steps: _three, ...local } = properties;
  const written = { 'devenv.schema.json': schema, 'devenv.local.schema.json': { ...rest, properties: local } };
  return Object.entries(written).map(([name, value]) => ({
    path: join(root, forEditors.outdir, name),
    contents: `${JSON.stringify(value)}\n`,
  }));
}

const schemaFile = 'schemas/devenv.schema.json';

function upToDate() {
  try {
    const stamp = JSON.parse(readFileSync(stampFile, 'utf8'));
    const isBuilt = (folder) => existsSync(join(root, folder, 'dist/extension-web.cjs'));
    if (stamp.settings !== settingsHash() || !Object.keys(extensions).every(isBuilt)) return false;
    return JSON.stringify(fingerprints(Object.keys(stamp.inputs))) === JSON.stringify(stamp.inputs);
  } catch {
    return false;
  }
}

/** This script, and what decides which versions are bundled. */
function settingsHash() {
  const hash = createHash('sha256');
  for (const path of ['scripts/build.mjs', schemaFile, 'pnpm-lock.yaml', 'packages/cli/package.json'])
    hash.update(readFileSync(join(root, path)));
  return hash.digest('hex');
}

/** Contents of our own files; a package's files change only with the lock file. */
function fingerprints(paths) {
  const own = paths.filter((path) => !path.includes('node_modules/')).toSorted();
  return Object.fromEntries(
    own.map((path) => [
      path,
      createHash('sha256')
        .update(readFileSync(join(root, path)))
        .digest('hex'),
    ]),
  );
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await reportingErrors(async () => {
    const started = performance.now();
    const built = await build({ force: process.argv.includes('--force') });
    console.log(built ? `built in ${((performance.now() - started) / 1000).toFixed(1)} s` : 'up to date');
    return 0;
  });
}
