import process from 'node:process';
import { installCommand, installPackages, missingPackages, wantedPackages } from './debian-packages.mjs';
import { SetupError } from './setup-error.mjs';
import { installWorkspacePackages, packagesAreInstalled, pnpmArguments } from './workspace-packages.mjs';

/**
 * Brings the machine to the point where devenv can be built: says what is missing, then installs it. Quick when nothing is.
 * `complete` is false when something is left for root to install; what, has been printed.
 * @throws SetupError when something cannot be installed, or must not be (`--no-install`, DEVENV_NO_INSTALL).
 */
export async function setup(groups) {
  const missing = missingPackages(groups);
  const installed = packagesAreInstalled();
  if (missing === undefined)
    console.log(`This is no Debian: install in your own way what these packages contain:\n${table(wantedPackages(groups))}\n`);
  const needed = missing ?? [];
  const isRoot = process.getuid?.() === 0;
  if (needed.length > 0 || !installed) announce(needed, installed, isRoot);

  if (needed.length > 0 && isRoot) {
    console.log('Installing the Debian packages');
    await installPackages(needed);
  }
  if (!installed) {
    console.log('Installing the workspace');
    await installWorkspacePackages();
  }
  return { complete: missing !== undefined && (isRoot || needed.length === 0) };
}

function announce(needed, installed, isRoot) {
  if (process.argv.includes('--no-install') || /^(1|true|yes)$/.test(process.env.DEVENV_NO_INSTALL ?? '')) {
    const commands = [needed.length > 0 && installCommand(needed), !installed && `npx ${pnpmArguments.join(' ')}`].filter(Boolean);
    throw new SetupError(['Something is missing here, and nothing may be installed. By hand:', ...commands].join('\n  '));
  }
  if (needed.length > 0 && isRoot) console.log(`To be installed from Debian, with what they depend on:\n${table(needed)}`);
  if (!installed) console.log('To be installed in node_modules: the packages of pnpm-lock.yaml, Node 24 among them.');
  if (isRoot) console.log('(npm start -- --no-install, or DEVENV_NO_INSTALL=1, installs nothing and prints the commands.)\n');
  if (needed.length > 0 && !isRoot)
    console.log(`Needed from Debian; to be installed by root, with one command:\n\n  ${installCommand(needed)}\n`);
}

function table(packages) {
  const width = Math.max(...packages.map(({ name }) => name.length));
  return packages.map(({ name, reason }) => `  ${name.padEnd(width)}  ${reason}`).join('\n');
}
