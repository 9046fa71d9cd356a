import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { editorSchemas, extensions } from './build.mjs';
import { runProgram } from './setup/run-program.mjs';
import { SetupError } from './setup/setup-error.mjs';
import { bundled, licenceTexts } from './third-party.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What an extension shows of itself; sources, tests and what they need stay here. */
const shown = ['README.md', 'CHANGELOG.md', 'icon.png', 'activity-bar.svg', 'images'];

/** Makes NAME-VERSION.vsix of each extension in `output`. @returns their paths @throws SetupError */
export async function packageExtensions(output) {
  const paths = [];
  for (const [name, settings] of Object.entries(extensions)) paths.push(await packageExtension(name, settings, output));
  return paths;
}

async function packageExtension(name, settings, output) {
  mkdirSync(output, { recursive: true });
  const folder = mkdtempSync(join(output, '.packing-'));
  try {
    const { version, name: product } = await fillExtension(folder, name, settings);
    const file = `${product}-${version}.vsix`;
    // vsce wants a newer Node than a fresh machine has.
    const program = [join(root, 'node_modules/node/bin/node'), join(root, 'node_modules/@vscode/vsce/vsce')];
    const flags = ['--no-dependencies', '--allow-missing-repository', '--no-rewrite-relative-links', '--out', join(folder, file)];
    const { exitCode, output: said } = await runProgram(program[0], [program[1], 'package', ...flags], { cwd: folder });
    if (exitCode !== 0) throw new SetupError(`vsce package failed for ${name}:\n${said}`);
    renameSync(join(folder, file), join(output, file));
    return join(output, file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A bundle made for it alone, and what it shows. @returns its package.json */
export async function fillExtension(folder, name, settings) {
  const { build } = await import('esbuild');
  const results = await Promise.all(settings.map((each) => build(each)));
  const files = [...results.flatMap(({ outputFiles }) => outputFiles), ...(name === 'extension' ? editorSchemas() : [])];
  mkdirSync(join(folder, 'dist'), { recursive: true });
  for (const { path, contents } of files) writeFileSync(join(folder, 'dist', basename(path)), contents);
  for (const each of readdirSync(join(root, name)).filter((file) => shown.includes(file)))
    cpSync(join(root, name, each), join(folder, each), { recursive: true });
  cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  const packages = results.flatMap(({ metafile }) => bundled(metafile)).filter((path) => path.includes('node_modules/'));
  if (packages.length > 0) writeFileSync(join(folder, 'THIRD-PARTY-LICENSES.txt'), licenceTexts(packages, root));
  const { private: _hidden, devDependencies: _tools, ...manifest } = JSON.parse(readFileSync(join(root, name, 'package.json'), 'utf8'));
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  return manifest;
}
