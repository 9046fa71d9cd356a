import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { outputOf, type Command } from './command.ts';
import { debianImage, startDocker, type Docker } from './docker.ts';
import { rememberNetwork } from './host-network.ts';
import type { Ours } from './ours.ts';

/** Where setup.ts installs what is no Debian package. */
export const peersFolder: string = fileURLToPath(new URL('../.cache/bench-peers', import.meta.url));

/** Each is undefined when it is not here. Disposed: they are stopped. */
export interface Peers extends AsyncDisposable {
  readonly docker: Docker | undefined;
  readonly devcontainer: ((folder: string, verb: string, ...args: readonly string[]) => Command) | undefined;
  readonly podman: ((...args: readonly string[]) => Command) | undefined;
  readonly versions: Readonly<Record<string, string>>;
}

export async function openPeers(ours: Ours): Promise<Peers> {
  await using opened = new AsyncDisposableStack();
  opened.defer(rememberNetwork());
  const docker = opened.use(await startDocker(ours));
  const versions: Record<string, string> = {};
  if (docker) versions['docker'] = await docker.output('version', '--format', '{{.Client.Version}}, server {{.Server.Version}}');
  const devcontainer = docker && findDevcontainer(docker, versions);
  const podman = await openPodman(ours, versions);
  if (podman) opened.defer(async () => void (await outputOf(podman('rm', '--all', '--force', '--time', '0'))));
  const all = opened.move();
  return {
    docker,
    devcontainer,
    podman,
    versions,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

function findDevcontainer(docker: Docker, versions: Record<string, string>): Peers['devcontainer'] {
  const folder = join(peersFolder, 'node_modules/@devcontainers/cli');
  if (!existsSync(folder)) return undefined;
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
  versions['devcontainer'] = `${version} on Node ${process.versions.node}`;
  return (cwd, verb, ...args) => ({
    program: process.execPath,
    args: [join(folder, 'devcontainer.js'), verb, '--docker-path', docker.program, '--workspace-folder', cwd, ...args],
    cwd,
    env: docker.env,
  });
}

async function openPodman(ours: Ours, versions: Record<string, string>): Promise<Peers['podman']> {
  if (!existsSync('/usr/bin/podman')) return undefined;
  const folder = join(ours.work, 'podman');
  const places = ['root', 'runroot', 'tmpdir'].flatMap((name) => [`--${name}`, join(folder, name)]);
  const manager = ['--cgroup-manager', 'cgroupfs', '--events-backend', 'file'];
  const command = (...args: readonly string[]): Command => ({
    program: '/usr/bin/podman',
    args: [...places, ...manager, ...args],
    cwd: ours.work,
    env: ours.env,
  });
  versions['podman'] = (await outputOf(command('--version'))).replace('podman version ', '');
  const script = 'layer=$1; image=$2; shift 2; tar -C "$layer" -cf - . | "$@" import - "$image"';
  const { program, args } = command();
  await outputOf({ ...command(), program: 'sh', args: ['-e', '-c', script, 'sh', ours.debianLayer, debianImage, program, ...args] });
  return command;
}
