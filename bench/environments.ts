import { outputOf } from './command.ts';
import { debianImage } from './docker.ts';
import type { Ours } from './ours.ts';
import type { Peers } from './peers.ts';

/** The same small environment for everybody: Debian, the folder mounted as workspace, nothing runs but what keeps it alive. */
export function makeEnvironment(ours: Ours, name: string): string {
  return ours.project(name, {
    'devenv.json': { image: { debian: 'bookworm' } },
    '.devcontainer/devcontainer.json': { image: debianImage },
  });
}

export function runArguments(folder: string, ...more: readonly string[]): string[] {
  return ['run', '--detach', ...more, '--volume', `${folder}:/workspace`, '--workdir', '/workspace', debianImage, 'sleep', 'infinity'];
}

/** podman asks for more than the machine's own limits, which a confined root may not. */
export const podmanLimits: readonly string[] = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1024:1024'];

/** What a peer that does not take part says. */
export const notHere = (peer: unknown): string | undefined => (peer === undefined ? 'not here' : undefined);

/** Removes every container of the daemon, devcontainer's too. */
export async function removeContainers({ docker }: Pick<Peers, 'docker'>, ...filter: readonly string[]): Promise<void> {
  const ids = (await docker!.output('ps', '-aq', ...filter)).split('\n').filter(Boolean);
  if (ids.length > 0) await docker!.output('rm', '-f', ...ids);
}

/** Starts it with everybody who is here; the name is the container's. */
export async function startEverywhere(ours: Ours, { docker, devcontainer, podman }: Peers, name: string): Promise<string> {
  const folder = makeEnvironment(ours, name);
  await outputOf(ours.command(folder, 'up'));
  await docker?.output(...runArguments(folder, '--name', name));
  if (podman) await outputOf(podman(...runArguments(folder, ...podmanLimits, '--name', name))).catch(() => {}); // exec will say that it failed
  if (devcontainer) await outputOf(devcontainer(folder, 'up'));
  return folder;
}

export async function stopEverywhere(ours: Ours, peers: Peers, folder: string, name: string): Promise<void> {
  await outputOf(ours.command(folder, 'down'));
  if (peers.docker) await removeContainers(peers);
  if (peers.podman) await outputOf(peers.podman('rm', '--force', '--time', '0', name)).catch(() => {});
}
