import { outputOf } from '../command.ts';
import { debianImage } from '../docker.ts';
import { notHere } from '../environments.ts';
import type { Subject } from '../measure.ts';
import type { Ours } from '../ours.ts';
import type { Peers } from '../peers.ts';

const count = 10;

/** Ten steps that do next to nothing: what is measured is what a step costs. */
export async function buildSteps(ours: Ours, peers: Peers): Promise<Subject[]> {
  return [
    uncached(ours, peers, 'with network', true, ['host']),
    uncached(ours, peers, 'without network', false, ['host', 'none']),
    await cached(ours, peers),
  ];
}

function uncached(ours: Ours, { docker }: Peers, title: string, network: boolean, peersNetworks: readonly string[]): Subject {
  const write = (folder: string, round: number): string => writeProject(ours, `bench-steps-${folder}`, `${network} ${round}`, network);
  return {
    title: `${count} run steps, uncached, ${title}`,
    unit: 'ms',
    contestants: [
      { name: 'devenv build', run: (round) => ours.time(write('ours', round), 'build') },
      ...peersNetworks.map((mode) => ({
        name: `docker build --network ${mode}`,
        absent: notHere(docker),
        run: (round: number) => docker!.time('build', '-q', '--network', mode, write(mode, round)),
      })),
    ],
    goals: { 'docker build --network host': 0.6 },
    async [Symbol.asyncDispose]() {},
  };
}

async function cached(ours: Ours, { docker }: Peers): Promise<Subject> {
  const folder = writeProject(ours, 'bench-steps-cached', 'cached', true);
  await outputOf(ours.command(folder, 'build'));
  await docker?.output('build', '-q', '--network', 'host', folder);
  return {
    title: `${count} run steps, all cached`,
    unit: 'ms',
    contestants: [
      { name: 'devenv build', run: () => ours.time(folder, 'build') },
      { name: 'docker build', absent: notHere(docker), run: () => docker!.time('build', '-q', '--network', 'host', folder) },
    ],
    goals: { 'docker build': 1.5 },
    async [Symbol.asyncDispose]() {},
  };
}

/** Two with another text share no step. */
function writeProject(ours: Ours, name: string, text: string, network: boolean): string {
  const commands = Array.from({ length: count }, (_, index) => `echo ${text} ${index} > /step-${index}`);
  return ours.project(name, {
    'devenv.json': { image: { debian: 'bookworm' }, steps: commands.map((run) => ({ run, network })) },
    Dockerfile: [`FROM ${debianImage}`, ...commands.map((run) => `RUN ${run}`), ''].join('\n'),
  });
}
