import { outputOf } from '../command.ts';
import { debianImage } from '../docker.ts';
import { notHere } from '../environments.ts';
import type { Subject } from '../measure.ts';
import type { Ours } from '../ours.ts';
import type { Peers } from '../peers.ts';
import { memoryOf } from '../processes.ts';

/** What one environment with a published port holds while nobody works in it. Docker's daemon is shared and does not count. */
export async function idleMemory(ours: Ours, { docker }: Peers): Promise<Subject[]> {
  const folder = ours.project('bench-idle', { 'devenv.json': { image: { debian: 'bookworm' }, ports: ['42871:42871'] } });
  await outputOf(ours.command(folder, 'up'));
  const id = await docker?.output('run', '-d', '-p', '42872:42872', debianImage, 'sleep', 'infinity');
  return [
    {
      title: 'memory of an idle environment, one port published',
      unit: 'MB',
      maximumRounds: 3,
      contestants: [
        { name: 'devenv', run: async () => memoryOf(({ command }) => command.includes(ours.base)) },
        {
          name: 'docker',
          absent: notHere(docker),
          run: async () =>
            memoryOf(({ parent, command }) => command.includes(id!) || (parent === docker!.pid && command.includes('docker-proxy'))),
        },
        {
          name: 'docker, daemon included',
          absent: notHere(docker),
          run: async () => memoryOf(({ pid, command }) => pid === docker!.pid || command.includes(id!)),
        },
      ],
      goals: { docker: 0.5 },
      async [Symbol.asyncDispose]() {
        await outputOf(ours.command(folder, 'down'));
        await docker?.output('rm', '-f', id!);
      },
    },
  ];
}
