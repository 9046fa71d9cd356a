import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { runProgram } from './run-program.mjs';
import { SetupError } from './setup-error.mjs';

const list = JSON.parse(readFileSync(new URL('../debian-packages.json', import.meta.url), 'utf8'));

/** Name and reason of each package of the groups. */
export function wantedPackages(groups) {
  return Object.entries(Object.assign({}, ...groups.map((group) => list[group]))).map(([name, reason]) => ({ name, reason }));
}

/** Those of the groups that are not installed. Undefined where there is no dpkg. */
export function missingPackages(groups) {
  const wanted = wantedPackages(groups);
  const names = wanted.map(({ name }) => name);
  const query = spawnSync('dpkg-query', ['--show', '--showformat', '${Package} ${db:Status-Status}\n', ...names], { encoding: 'utf8' });
  if (query.error) return undefined;
  const lines = new Set(query.stdout.split('\n'));
  return wanted.filter(({ name }) => !lines.has(`${name} installed`));
}

/** The one command for someone who installs by hand; it refreshes the package lists first where they lack something. */
export function installCommand(packages) {
  const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
  const names = packages.map(({ name }) => name);
  const known = spawnSync('apt-get', ['--simulate', 'install', ...names], { stdio: 'ignore' }).status === 0;
  return `${known ? '' : `${sudo}apt-get update; `}${sudo}apt-get install --no-install-recommends ${names.join(' ')}`;
}

/** Installs the packages, as root. The lists are refreshed only when they lack something. @throws SetupError */
export async function installPackages(packages) {
  const names = packages.map(({ name }) => name);
  const install = ['install', '--yes', '--no-install-recommends', ...names];
  const known = await aptGet(['--simulate', ...install]);
  if (known.exitCode !== 0) await refreshLists();
  const run = () => aptGet(install, isProgress);
  const installAll = () => (names.some((name) => services.has(name)) ? withoutStartingServices(run) : run());
  let result = await installAll();
  if (result.exitCode !== 0 && known.exitCode === 0 && /Failed to fetch|Hash Sum mismatch/.test(result.output)) {
    await refreshLists(); // they named a version that the archive has replaced
    result = await installAll();
  }
  if (result.exitCode !== 0) throw explain(result.output, packages);
}

/** A source that does not answer must not stop the work: when it was needed, the install says so. */
async function refreshLists() {
  console.log('  refreshing the package lists');
  const { exitCode, output } = await aptGet(['update'], isTrouble);
  if (exitCode !== 0 || /^W: /m.test(output)) console.log('  a package source does not answer; going on without it');
}

/** Tests start these programs themselves; Debian would start them for good. */
const services = new Set(['docker-registry', 'docker.io']);

/** Installing a service starts it, except where this file forbids it. */
async function withoutStartingServices(work) {
  const policy = '/usr/sbin/policy-rc.d';
  if (existsSync(policy)) return work();
  const remove = () => rmSync(policy, { force: true });
  const interrupted = () => process.exit((remove(), 130));
  process.on('SIGINT', interrupted).on('SIGTERM', interrupted);
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    return await work();
  } finally {
    remove();
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
  }
}

const aptOptions = [
  'Acquire::http::Timeout=20',
  'Acquire::https::Timeout=20',
  'Acquire::Retries=1',
  'Dpkg::Use-Pty=0',
  'Dpkg::Options::=--force-confold',
];
const lockHeld = /Could not get lock|Unable to lock|frontend lock was locked/;
const longestWaitSeconds = 600;

/** Waits while another program installs packages, and says so. */
async function aptGet(args, shows) {
  const options = aptOptions.flatMap((option) => ['-o', option]);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
  for (let waited = 0; ; waited += 3) {
    const result = await runProgram('apt-get', ['--quiet', ...options, ...args], { env, shows });
    if (result.exitCode === 0 || !lockHeld.test(result.output) || waited >= longestWaitSeconds) return result;
    const holder = /held by process (\d+ \([^)]*\))/.exec(result.output)?.[1] ?? 'another program';
    if (waited % 15 === 0) console.log(`  waiting: ${holder} is installing packages`);
    await sleep(3000);
  }
}

const isProgress = (line) => /^(Need to get |Err:|Setting up )/.test(line);
const isTrouble = (line) => /^(Ign|Err):/.test(line);

function explain(output, packages) {
  const errors = output.split('\n').filter((line) => /^(E:|dpkg: error)/.test(line));
  const text = ['The Debian packages could not be installed.', ...errors.slice(0, 6).map((line) => `  ${line}`)].join('\n');
  if (lockHeld.test(output)) return new SetupError(text, 'another program is installing packages and did not finish: try again after it.');
  if (/No space left|enough free space/.test(output))
    return new SetupError(text, 'the disk is full: free some space, then run the same command again.');
  if (/dpkg was interrupted/.test(output))
    return new SetupError(text, 'an earlier installation was cut off: run dpkg --configure -a, then the same command again.');
  if (/Unable to locate|no installation candidate/.test(output)) {
    return new SetupError(
      text,
      'the package sources of this machine lack it, or could not be read: devenv expects Debian 12 or newer. Try apt-get update.',
    );
  }
  if (/Failed to fetch|resolving|connect/.test(output))
    return new SetupError(text, 'the package archive does not answer: look at the network and the proxy settings.');
  return new SetupError(text, `to see all of it, run: ${installCommand(packages)}`);
}
