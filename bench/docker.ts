import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { outputOf, timed, type Command } from './command.ts';
import type { Ours } from './ours.ts';

/** Docker Engine with a daemon of its own. Disposed: daemon, containers and bridge are gone. */
export interface Docker extends AsyncDisposable {
  readonly program: string;
  readonly env: Readonly<Record<string, string>>;
  /** The daemon's process. */
  readonly pid: number;
  command(...args: readonly string[]): Command;
  time(...args: readonly string[]): Promise<number>;
  output(...args: readonly string[]): Promise<string>;
}

/** The name under which every peer has the Debian base of ours. */
export const debianImage = 'bench/debian:latest';

/** Debian's client knows the daemon's BuildKit; a newer one beside it may want a plug-in for that. */
const program = existsSync('/usr/bin/docker') ? '/usr/bin/docker' : 'docker';

/** @returns undefined when it is not installed. It changes this machine's network: a bridge and firewall rules while it runs. */
export async function startDocker(ours: Ours): Promise<Docker | undefined> {
  const daemon = ['/usr/sbin/dockerd', '/usr/bin/dockerd'].find((path) => existsSync(path));
  if (!daemon) return undefined;
  const folder = join(ours.work, 'docker');
  mkdirSync(folder);
  const host = `unix://${folder}/socket`;
  const places = ['data-root', 'exec-root'].flatMap((name) => [`--${name}`, join(folder, name)]);
  const log = ['--log-level', 'error', '--host', host, '--pidfile', join(folder, 'pid')];
  const server = spawn(daemon, [...places, ...log], { env: { ...ours.env }, stdio: 'ignore', detached: true }); // Ctrl-C is for us
  const ended = new Promise<void>((resolve) => server.once('close', () => resolve()));
  const env = { ...ours.env, DOCKER_HOST: host, DOCKER_BUILDKIT: '1' };
  const command = (...args: readonly string[]): Command => ({ program, args, cwd: ours.work, env });
  const docker: Docker = {
    program,
    env,
    pid: server.pid!,
    command,
    time: (...args) => timed(command(...args)),
    output: (...args) => outputOf(command(...args)),
    async [Symbol.asyncDispose]() {
      const containers = (await docker.output('ps', '-aq')).split('\n').filter(Boolean);
      if (containers.length > 0) await docker.output('rm', '-f', ...containers);
      server.kill();
      await ended;
    },
  };
  try {
    await answering(docker, join(folder, 'pid'));
    await importImage(docker, ours.debianLayer);
    return docker;
  } catch (error) {
    server.kill();
    await ended;
    throw error;
  }
}

async function answering(docker: Docker, pidFile: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    await delay(200);
    if (existsSync(pidFile) && Number(readFileSync(pidFile, 'utf8')) === docker.pid) {
      const answered = await docker.output('version').then(
        () => true,
        () => false,
      );
      if (answered) return;
    }
  }
  throw new Error('dockerd does not answer');
}

async function importImage(docker: Docker, layer: string): Promise<void> {
  const script = 'tar -C "$1" -cf - . | "$2" import --change "ENV PATH=$PATH" - "$3"';
  await outputOf({ ...docker.command(), program: 'sh', args: ['-e', '-c', script, 'sh', layer, docker.program, debianImage] });
}
