// `pnpm package`: dist-packages/devenv-VERSION.tgz, which `npm install -g` installs on a machine that has no checkout, and the editors'
// extensions, a .vsix each.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { commandLine, extensions } from './build.mjs';
import { fillExtension, packageExtensions } from './package-extension.mjs';
import { runProgram } from './setup/run-program.mjs';
import { SetupError, reportingErrors } from './setup/setup-error.mjs';
import { bundled, licenceTexts } from './third-party.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const output = process.argv[2] ?? join(root, 'dist-packages');

await reportingErrors(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'devenv-package-'));
  try {
    await fill(folder);
    console.log(await pack(folder));
    for (const path of await packageExtensions(output)) console.log(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
  return 0;
});

/** Everything that the package holds: a bundle made for it alone, without what earlier builds left. */
async function fill(folder) {
  const { build } = await import('esbuild');
  const results = await Promise.all(commandLine.map((settings) => build(settings)));
  const source = join(root, commandLine[0].outdir);
  for (const { path, contents } of results.flatMap(({ outputFiles }) => outputFiles))
    write(join(folder, 'dist', path.slice(source.length + 1)), contents);
  cpSync(join(root, 'packages/cli/bin'), join(folder, 'bin'), { recursive: true });
  for (const schema of ['devenv.schema.json', 'config.schema.json', 'errors.json'])
    cpSync(join(root, 'schemas', schema), join(folder, 'schemas', schema));
  // `devenv code` serves them to the browser.
  for (const [name, settings] of Object.entries(extensions)) await fillExtension(join(folder, 'extensions', name), name, settings);
  cpSync(join(root, 'packages/cli/README.md'), join(folder, 'README.md'));
  cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  write(
    join(folder, 'THIRD-PARTY-LICENSES.txt'),
    licenceTexts(
      results.flatMap(({ metafile }) => bundled(metafile)),
      root,
    ),
  );
  write(join(folder, 'package.json'), `${JSON.stringify(packageFile(), undefined, 2)}\n`);
}

function packageFile() {
  const read = (path) => JSON.parse(readFileSync(join(root, path), 'utf8'));
  const { name, version, license, type, bin, dependencies, oclif } = read('packages/cli/package.json');
  const workspace = read('package.json');
  return {
    name,
    version,
    description: workspace.description,
    license,
    type,
    bin,
    files: ['bin', 'dist', 'extensions', 'schemas', 'THIRD-PARTY-LICENSES.txt'],
    os: ['linux'],
    engines: workspace.engines,
    // What the bundle leaves out of that which the command line needs.
    dependencies: Object.fromEntries(Object.entries(dependencies).filter(([dependency]) => commandLine[0].external.includes(dependency))),
    // A Node that is new enough, for machines that have an older one; see docs/decisions/0009-node-in-the-package.md.
    optionalDependencies: Object.fromEntries(['arm64', 'x64'].map((cpu) => [`node-linux-${cpu}`, workspace.devDependencies.node])),
    oclif,
  };
}

async function pack(folder) {
  mkdirSync(output, { recursive: true });
  const destination = mkdtempSync(join(output, '.packing-'));
  try {
    const result = await runProgram('npm', ['pack', '--silent', '--pack-destination', destination], { cwd: folder });
    if (result.exitCode !== 0) throw new SetupError(`npm pack failed:\n${result.output}`);
    const [file] = readdirSync(destination);
    const path = join(output, `devenv-${packageFile().version}.tgz`);
    renameSync(join(destination, file), path);
    return path;
  } finally {
    rmSync(destination, { recursive: true });
  }
}

function write(path, contents) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, contents);
}
