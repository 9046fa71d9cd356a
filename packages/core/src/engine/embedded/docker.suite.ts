import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

/** Docker Engine with a daemon of its own that leaves this machine's network alone. Disposed: the daemon has ended. */
export interface Docker extends AsyncDisposable {
  /** What a command in a new container of the default security says. */
  run(command: readonly string[], input: string): Promise<string>;
  /** What its client says when it is called like this. */
  call(args: readonly string[], input?: string): Promise<string>;
}

/** Debian's client belongs to the daemon; there may be another beside it. */
const client = existsSync('/usr/bin/docker') ? '/usr/bin/docker' : 'docker';

/** Starts a daemon with its files below `folder`, and gives it the directory `root`, when one is named, as its only image. */
export async function startDocker(folder: string, root?: string): Promise<Docker> {
  mkdirSync(folder);
  const host = `unix://${folder}/socket`;
  const places = ['data-root', 'exec-root'].flatMap((name) => [`--${name}`, join(folder, name)]);
  const network = ['--bridge', 'none', '--iptables=false', '--ip6tables=false', '--ip-forward=false', '--ip-masq=false'];
  const pidFile = join(folder, 'pid');
  const daemon = spawn('/usr/sbin/dockerd', [...places, ...network, '--log-level', 'error', '--host', host, '--pidfile', pidFile], {
    stdio: 'ignore',
  });
  const ended = new Promise<void>((resolve, reject) => daemon.once('error', reject).once('close', () => resolve()));
  ended.catch(() => {});
  const call = async (args: readonly string[], input?: string): Promise<string> => {
    const running = promisify(execFile)(client, args, { env: { ...process.env, DOCKER_HOST: host }, maxBuffer: 2 ** 24 });
    running.child.stdin!.end(input);
    return (await running).stdout;
  };
  const docker: Docker = {
    call,
    run: (command, input) => call(['run', '--rm', '--interactive', '--network', 'none', 'base', ...command], input),
    async [Symbol.asyncDispose]() {
      daemon.kill();
      await ended;
    },
  };
  try {
    for (let attempt = 0; !existsSync(pidFile) || Number(readFileSync(pidFile, 'utf8')) !== daemon.pid; attempt++) {
      if (attempt === 300 || daemon.exitCode !== null) throw new Error('dockerd does not start');
      await delay(100);
    }
    const isThere = (): Promise<boolean> => call(['version']).then(() => true, () => false); // prettier-ignore
    for (let attempt = 0; !(await isThere()); attempt++) {
      if (attempt === 300 || daemon.exitCode !== null) throw new Error('dockerd does not answer');
      await delay(100);
    }
    if (root === undefined) return docker;
    await promisify(execFile)('tar', ['-C', root, '-cf', `${folder}/root.tar`, '.']);
    await call(['import', `${folder}/root.tar`, 'base']);
    return docker;
  } catch (error) {
    await docker[Symbol.asyncDispose]();
    throw error;
  }
}
