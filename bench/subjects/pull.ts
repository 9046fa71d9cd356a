import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { startRealRegistry } from '../../packages/core/src/registry/real-registry.suite.ts';
import { workspaceNode } from '../../test/seed.ts';
import { timed } from '../command.ts';
import { notHere } from '../environments.ts';
import type { Subject } from '../measure.ts';
import type { Ours } from '../ours.ts';
import type { Peers } from '../peers.ts';

/** An image of three gzip layers from a registry on this machine, to where a container could start on it. skopeo only fetches. */
export async function pull(ours: Ours, { docker }: Peers): Promise<Subject[]> {
  if (!existsSync('/usr/bin/docker-registry') || !docker) return [];
  const registry = await startRealRegistry();
  const image = `${registry.host}/bench/node:latest`;
  await makeImage(ours, docker, image);
  // One of its own for every round, kept to the end, as in unpack.ts; compiled code is of the program and not of the image.
  const baseOf = (round: number): string => join(ours.work, `pull-devenv-${round}`);
  const folder = ours.project('bench-pull', { 'devenv.json': { image } });
  const target = join(ours.work, 'pull-skopeo');
  const command = ours.command(folder, 'build');
  mkdirSync(join(ours.base, 'cache/compiled'), { recursive: true });
  return [
    {
      title: 'pull and unpack three layers from a local registry',
      unit: 'ms',
      maximumRounds: 5,
      contestants: [
        {
          name: 'devenv build',
          prepare: async (round) => cpSync(join(ours.base, 'cache/compiled'), join(baseOf(round), 'cache/compiled'), { recursive: true }),
          run: (round) => timed({ ...command, env: { ...command.env, DEVENV_BASE_DIR: baseOf(round) } }),
        },
        {
          name: 'docker pull',
          absent: notHere(docker),
          prepare: () => docker.output('rmi', '-f', image).catch(() => ''),
          run: () => docker.time('pull', '-q', image),
        },
        {
          name: 'skopeo copy',
          absent: existsSync('/usr/bin/skopeo') ? undefined : 'not here',
          prepare: async () => rmSync(target, { recursive: true, force: true }),
          run: () =>
            timed({
              program: 'skopeo',
              args: ['copy', '-q', '--src-tls-verify=false', `docker://${image}`, `dir:${target}`],
              cwd: ours.work,
              env: ours.env,
            }),
        },
      ],
      goals: { 'docker pull': 0.6 },
      async [Symbol.asyncDispose]() {
        await registry[Symbol.asyncDispose]();
        rmSync(ours.project('bench-pull', {}), { recursive: true });
      },
    },
  ];
}

/** Layers that no other image of the benchmark has, so that none is there before the pull. */
async function makeImage(ours: Ours, docker: NonNullable<Peers['docker']>, image: string): Promise<void> {
  const tar = (name: string, ...args: readonly string[]): unknown => execFileSync('tar', ['-cf', join(folder, name), ...args]);
  const folder = ours.project('bench-pull-image', { Dockerfile: 'FROM scratch\nADD system.tar /\nADD share.tar /\nADD node.tar /\n' });
  tar('system.tar', '--mtime=@1', '--exclude=./usr/share', '-C', ours.debianLayer, '.');
  tar('share.tar', '--mtime=@1', '-C', ours.debianLayer, './usr/share');
  const node = workspaceNode();
  tar('node.tar', '--mtime=@1', '--transform', 's,^,usr/local/,', '-C', join(node, '../..'), 'bin/node');
  await docker.output('build', '-q', '-t', image, folder);
  await docker.output('push', '-q', image);
  await docker.output('rmi', '-f', image);
  await docker.output('builder', 'prune', '-af');
  rmSync(folder, { recursive: true });
}
