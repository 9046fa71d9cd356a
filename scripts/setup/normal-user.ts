// A fresh user of this machine without any privilege, for tests. Root prepares what a distribution and its session manager have
// prepared for a user who logs in: subordinate ids, devices, a runtime directory, control groups.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';

const groups = '/sys/fs/cgroup';

export interface NormalUser {
  readonly name: string;
  readonly home: string;
  readonly uid: number;
  readonly gid: number;
  readonly env: Readonly<Record<string, string>>;
  wrap(command: readonly string[]): string[];
  remove(): Promise<void>;
}

/** Makes the user. `wrap` puts before a command what makes it the user's; `remove` ends all that the user runs and leaves nothing. */
export function makeNormalUser(): NormalUser {
  const name = `devenv-test-${process.pid}`;
  const home = `/var/tmp/${name}`;
  execFileSync('useradd', ['--create-home', '--home-dir', home, '--shell', '/bin/bash', name]);
  const id = (flag: string): number => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }));
  const [uid, gid] = [id('-u'), id('-g')];
  const runtime = `/run/user/${uid}`;
  mkdirSync(runtime, { recursive: true, mode: 0o700 });
  chownSync(runtime, uid, gid);
  const devices = ['/dev/net/tun', '/dev/fuse']
    .filter((path) => existsSync(path))
    .map((path) => [path, statSync(path).mode & 0o777] as const);
  for (const [path] of devices) chmodSync(path, 0o666);
  const delegated = delegateGroups(name, uid, gid);
  const env = { HOME: home, USER: name, LOGNAME: name, SHELL: '/bin/bash', LANG: 'C.UTF-8', XDG_RUNTIME_DIR: runtime };
  return {
    name,
    home,
    uid,
    gid,
    env,
    wrap: (command) => [
      'sh', '-c', `${delegated.map((path) => `echo $$ > ${join(path, 'cgroup.procs')}`).join('; ')}; exec "$@"`, 'sh',
      'setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--init-groups', ...command,
    ], // prettier-ignore
    async remove() {
      await endProcesses(name, uid);
      for (const path of delegated) removeGroups(path);
      for (const [path, mode] of devices) chmodSync(path, mode);
      rmSync(runtime, { recursive: true, force: true });
      execFileSync('userdel', ['--force', name], { stdio: 'ignore' });
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** cgroups(7), "Delegating a hierarchy": a group in each hierarchy of version 1, or one of version 2 with a group for the processes in it. */
function delegateGroups(name: string, uid: number, gid: number): string[] {
  if (existsSync(join(groups, 'cgroup.controllers'))) {
    const path = join(groups, name);
    mkdirSync(join(path, 'session'), { recursive: true });
    for (const file of [join(groups, 'cgroup.subtree_control'), join(path, 'cgroup.subtree_control')]) {
      try {
        writeFileSync(file, '+memory +cpu +pids');
      } catch {
        return []; // the machine keeps its controllers to itself
      }
    }
    for (const group of [path, join(path, 'session')]) give(group, uid, gid);
    return [join(path, 'session')];
  }
  return readdirSync(groups, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'unified')
    .map(({ name: hierarchy }) => {
      const path = join(groups, hierarchy, name);
      mkdirSync(path, { recursive: true });
      for (const file of ['cpuset.cpus', 'cpuset.mems'])
        if (existsSync(join(path, file))) writeFileSync(join(path, file), readFileSync(join(groups, hierarchy, file), 'utf8'));
      // A group of cpuset is of no use until it has both; crun leaves that to the kernel.
      if (hierarchy === 'cpuset') writeFileSync(join(path, 'cgroup.clone_children'), '1');
      give(path, uid, gid);
      return path;
    });
}

function give(group: string, uid: number, gid: number): void {
  chownSync(group, uid, gid);
  for (const file of ['cgroup.procs', 'tasks', 'cgroup.subtree_control', 'cgroup.threads'])
    if (existsSync(join(group, file))) chownSync(join(group, file), uid, gid);
}

/** The user's own processes, and those under the ids of their namespaces. */
async function endProcesses(name: string, uid: number): Promise<void> {
  const range = readFileSync('/etc/subuid', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([owner]) => owner === name);
  const [first, count] = [Number(range?.[1] ?? 0), Number(range?.[2] ?? 0)];
  for (let attempt = 0; attempt < 50; attempt++) {
    const pids = readdirSync('/proc').filter(
      (entry) => /^\d+$/.test(entry) && isOf(entry, (id) => id === uid || (id >= first && id < first + count)),
    );
    for (const pid of pids) {
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {
        // It ended meanwhile.
      }
    }
    if (pids.length === 0) return;
    await delay(100);
  }
}

function isOf(pid: string, owns: (uid: number) => boolean): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return !/^State:\s*[ZX]/m.test(status) && owns(Number(/^Uid:\s*(\d+)/m.exec(status)?.[1]));
  } catch {
    return false;
  }
}

function removeGroups(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) if (entry.isDirectory()) removeGroups(join(path, entry.name));
  try {
    rmdirSync(path);
  } catch {
    // The kernel lets go of a group a moment after its last process.
  }
}
