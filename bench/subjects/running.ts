import { peakMemory, timed } from '../command.ts';
import { notHere, startEverywhere, stopEverywhere } from '../environments.ts';
import type { Subject } from '../measure.ts';
import type { Ours } from '../ours.ts';
import type { Peers } from '../peers.ts';

/** What is done to an environment that runs: entering it, `up` with nothing to do, and the memory both take. */
export async function running(ours: Ours, peers: Peers): Promise<Subject[]> {
  const name = 'bench-running';
  const folder = await startEverywhere(ours, peers, name);
  const { docker, devcontainer, podman } = peers;
  const kept = { async [Symbol.asyncDispose]() {} };
  return [
    {
      ...kept,
      title: 'exec true',
      unit: 'ms',
      contestants: [
        { name: 'devenv exec', run: () => ours.time(folder, 'exec', 'true') },
        { name: 'docker exec', absent: notHere(docker), run: () => docker!.time('exec', name, 'true') },
        { name: 'devcontainer exec', absent: notHere(devcontainer), run: () => timed(devcontainer!(folder, 'exec', 'true')) },
        { name: 'podman exec', absent: notHere(podman), run: () => timed(podman!('exec', name, 'true')) },
      ],
      goals: { 'docker exec': 1, 'devcontainer exec': 0.15 },
    },
    {
      ...kept,
      title: 'up, nothing to do',
      unit: 'ms',
      contestants: [
        { name: 'devenv up', run: () => ours.time(folder, 'up') },
        { name: 'devcontainer up', absent: notHere(devcontainer), run: () => timed(devcontainer!(folder, 'up')) },
      ],
      goals: { 'devcontainer up': 0.3 },
    },
    {
      ...kept,
      title: 'peak memory of exec true',
      unit: 'MB',
      maximumRounds: 5,
      contestants: [
        { name: 'devenv exec', run: () => peakMemory(ours.command(folder, 'exec', 'true')) },
        { name: 'devcontainer exec', absent: notHere(devcontainer), run: () => peakMemory(devcontainer!(folder, 'exec', 'true')) },
        { name: 'docker exec', absent: notHere(docker), run: () => peakMemory(docker!.command('exec', name, 'true')) },
      ],
      goals: { 'devcontainer exec': 1 },
    },
    {
      title: 'peak memory of up, nothing to do',
      unit: 'MB',
      maximumRounds: 5,
      contestants: [
        { name: 'devenv up', run: () => peakMemory(ours.command(folder, 'up')) },
        { name: 'devcontainer up', absent: notHere(devcontainer), run: () => peakMemory(devcontainer!(folder, 'up')) },
      ],
      goals: { 'devcontainer up': 1 },
      [Symbol.asyncDispose]: () => stopEverywhere(ours, peers, folder, name),
    },
  ];
}
