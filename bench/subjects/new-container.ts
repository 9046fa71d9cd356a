import { outputOf, timed } from '../command.ts';
import { makeEnvironment, notHere, podmanLimits, removeContainers, runArguments } from '../environments.ts';
import type { Subject } from '../measure.ts';
import type { Ours } from '../ours.ts';
import type { Peers } from '../peers.ts';

/** A container that is not there yet, from layers that are; and all the way to the first command in it. */
export async function newContainer(ours: Ours, peers: Peers): Promise<Subject[]> {
  const name = 'bench-new';
  const folder = makeEnvironment(ours, name);
  const { docker, devcontainer, podman } = peers;
  const down = (): Promise<string> => outputOf(ours.command(folder, 'down'));
  const removeAll = (): Promise<void> => removeContainers(peers);
  const removePodmans = (): Promise<string> => outputOf(podman!('rm', '--all', '--force', '--time', '0'));
  return [
    {
      title: 'up, new container, layers here',
      unit: 'ms',
      contestants: [
        { name: 'devenv up', prepare: down, run: () => ours.time(folder, 'up') },
        {
          name: 'docker run -d',
          absent: notHere(docker),
          prepare: removeAll,
          run: () => docker!.time(...runArguments(folder, '--name', name)),
        },
        { name: 'devcontainer up', absent: notHere(devcontainer), prepare: removeAll, run: () => timed(devcontainer!(folder, 'up')) },
        {
          name: 'podman run -d',
          absent: notHere(podman),
          prepare: removePodmans,
          run: () => timed(podman!(...runArguments(folder, ...podmanLimits, '--name', name))),
        },
      ],
      goals: { 'docker run -d': 1, 'devcontainer up': 0.4 },
      async [Symbol.asyncDispose]() {},
    },
    {
      title: 'fresh clone to first command, base image here',
      unit: 'ms',
      contestants: [
        {
          name: 'devenv up + exec',
          prepare: down,
          run: async () => (await ours.time(folder, 'up')) + (await ours.time(folder, 'exec', 'true')),
        },
        {
          name: 'devcontainer up + exec',
          absent: notHere(devcontainer),
          prepare: removeAll,
          run: async () => (await timed(devcontainer!(folder, 'up'))) + (await timed(devcontainer!(folder, 'exec', 'true'))),
        },
      ],
      goals: { 'devcontainer up + exec': 0.4 },
      async [Symbol.asyncDispose]() {
        await down();
        if (docker) await removeAll();
        if (podman) await removePodmans();
      },
    },
  ];
}
