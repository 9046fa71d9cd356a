import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { runProgram } from './run-program.mjs';
import { SetupError } from './setup-error.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const stampFile = join(root, 'node_modules/.setup-stamp');

/** The workspace's own Node 24: what npm's `node` package installs, so that one version serves everyone. */
export const workspaceNode = join(root, 'node_modules/node/bin/node');

const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** `pnpm@12.4.2 install --frozen-lockfile`, to be run by npx: nothing is installed outside the checkout but npm's cache. */
export const pnpmArguments = ['--yes', packageManager, 'install', '--frozen-lockfile'];

/** Whether node_modules is what the lock file says, as far as our last installation left it. */
export function packagesAreInstalled() {
  return existsSync(workspaceNode) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === fingerprint();
}

/** @throws SetupError */
export async function installWorkspacePackages() {
  const env = {
    ...process.env,
    CI: 'true', // pnpm asks no question when it has to remove an older node_modules
    npm_config_loglevel: 'error', // `npm --silent start` would hide why npx failed
    npm_config_fetch_retries: '1', // npm's default waits more than a minute for a registry that does not answer
  };
  const { exitCode, output } = await runProgram('npx', pnpmArguments, { cwd: root, env, shows: isProgress });
  if (exitCode !== 0) throw explain(output);
  if (!existsSync(workspaceNode))
    throw new SetupError('pnpm did not install Node 24.', `does this machine run npm's node package? See ${workspaceNode}`);
  writeFileSync(stampFile, fingerprint());
}

function fingerprint() {
  const hash = createHash('sha256');
  const packages = readdirSync(join(root, 'packages')).map((name) => join('packages', name));
  for (const folder of ['.', 'extension', ...packages]) {
    const path = join(root, folder, 'package.json');
    if (existsSync(path)) hash.update(readFileSync(path));
  }
  for (const path of ['pnpm-lock.yaml', 'pnpm-workspace.yaml']) hash.update(readFileSync(join(root, path)));
  return hash.digest('hex');
}

const isProgress = (line) => /^(Progress:|Packages:|Done in|\s*WARN| ?ERR)/i.test(line);

function explain(output) {
  const text = [
    'The packages of the workspace could not be installed.',
    ...output
      .trim()
      .split('\n')
      .slice(-8)
      .map((line) => `  ${line}`),
  ].join('\n');
  if (/ENOSPC|No space left/i.test(output))
    return new SetupError(text, 'the disk is full: free some space, then run the same command again.');
  if (/OUTDATED_LOCKFILE/.test(output))
    return new SetupError(text, `package.json and the lock file differ: run npx ${packageManager} install and commit pnpm-lock.yaml.`);
  if (/SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|certificate/i.test(output)) {
    return new SetupError(
      text,
      'the network re-signs https: name its authority, for example NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt',
    );
  }
  if (/ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT|FETCH/.test(output))
    return new SetupError(text, 'the package registry does not answer: look at the network and npm config get registry.');
  if (/EACCES|EPERM/.test(output))
    return new SetupError(text, 'the checkout belongs to another user: run as that user, or clone your own.');
  return new SetupError(text);
}
