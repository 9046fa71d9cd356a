import { readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Directories } from '../../base/directories.ts';
import { UserError } from '../../base/errors.ts';
import { readJson, readText, writeFileAtomically } from '../../base/files.ts';
import { lock } from '../../base/locks.ts';
import { replaceProcess, run, start } from '../../base/processes.ts';
import { isMapped } from '../../base/user-namespace.ts';
import { containersDirectory, listContainers, readProcesses } from './container-files.ts';
import { initProgram } from './init.ts';
import { identify, isAlive, signalProcess, type LivingProcess } from './living-process.ts';
import { findProgram } from './programs.ts';
import { subordinateIds } from './subordinate-ids.ts';
import { whyNoNamespace } from './why-no-namespace.ts';

/**
 * For a normal user: goes on with this very command as root of a user namespace (user_namespaces(7)), in which 0 is the user
 * and 1… are the subordinate ids. All commands of a user share the namespace, since a container can be entered from the one
 * that it was made in only; a process that does nothing else, the holder, keeps it while no container does.
 * Does not return, except for who is root already.
 * @throws UserError ENGINE_UNAVAILABLE, TOOL_MISSING
 */
export async function becomeMappedRoot(directories: Directories): Promise<void> {
  if (process.getuid?.() === 0) return;
  const holder = findHolder(directories) ?? (await makeHolder(directories));
  const nsenter = findProgram('nsenter') ?? missing('nsenter', 'util-linux');
  // Our own id is 0 there; groups that have no id there still open what they open.
  const mapped = ['--target', String(holder.pid), '--user', '--preserve-credentials', '--'];
  replaceProcess(nsenter, [...mapped, process.execPath, ...process.execArgv, ...process.argv.slice(1)]);
}

function holderFile(directories: Directories): string {
  return join(directories.runtime, 'holder.json');
}

function findHolder(directories: Directories): LivingProcess | undefined {
  const known = readJson<LivingProcess>(holderFile(directories));
  return known && isAlive(known) && namespaceOf(known.pid) !== undefined ? known : undefined;
}

/** The user namespace of a process, when it is not our own. */
function namespaceOf(pid: number): string | undefined {
  try {
    const found = readlinkSync(`/proc/${pid}/ns/user`);
    return found === readlinkSync('/proc/self/ns/user') ? undefined : found;
  } catch {
    return undefined; // it ended, or is not ours
  }
}

async function makeHolder(directories: Directories): Promise<LivingProcess> {
  using _held = await lock(join(directories.runtime, 'holder.lock'));
  const made = findHolder(directories); // by the command that had the lock
  if (made) return made;
  const init = initProgram() ?? missing('catatonit', 'catatonit');
  // When the holder was killed, the containers still have its namespace.
  const heir = listConmons(directories).find(({ pid }) => namespaceOf(pid) !== undefined);
  const holder = heir ? await holdAgain(heir, init) : await holdNew(init);
  writeFileAtomically(holderFile(directories), JSON.stringify(holder));
  return holder;
}

function listConmons(directories: Directories): LivingProcess[] {
  const folder = containersDirectory(directories);
  let names: string[] = [];
  try {
    names = readdirSync(folder);
  } catch {
    return []; // there was none yet
  }
  return names
    .map((name) => readProcesses(join(folder, name))?.conmon)
    .filter((conmon) => conmon !== undefined && isAlive(conmon)) as LivingProcess[];
}

async function holdAgain(heir: LivingProcess, init: string): Promise<LivingProcess> {
  const nsenter = findProgram('nsenter') ?? missing('nsenter', 'util-linux');
  return await startHolder(nsenter, ['--target', String(heir.pid), '--user', '--preserve-credentials', '--', init, '-P']);
}

async function holdNew(init: string): Promise<LivingProcess> {
  const unshare = findProgram('unshare') ?? missing('unshare', 'util-linux');
  const [uid, gid] = [process.getuid!(), process.getgid!()];
  const ids = subordinateIds(uid);
  const holder = await startHolder(unshare, ['--user', '--', init, '-P']);
  try {
    if (ids) {
      await writeMap('uid', holder.pid, [[0, uid, 1], [1, ids.uids.first, ids.uids.count]]); // prettier-ignore
      await writeMap('gid', holder.pid, [[0, gid, 1], [1, ids.gids.first, ids.gids.count]]); // prettier-ignore
    } else {
      // Who maps nothing but themselves needs no help, but has to give up groups first (user_namespaces(7)).
      for (const [file, text] of [
        ['setgroups', 'deny'],
        ['uid_map', `0 ${uid} 1`],
        ['gid_map', `0 ${gid} 1`],
      ] as const)
        // prettier-ignore
        writeFileSync(`/proc/${holder.pid}/${file}`, text);
    }
  } catch (error) {
    signalProcess(holder, 'SIGKILL');
    throw error;
  }
  return holder;
}

/** Started in a session of its own, with nothing of ours, and waited for until it is in its namespace. */
async function startHolder(program: string, args: readonly string[]): Promise<LivingProcess> {
  const child = start(program, args, { stdio: 'ignore', env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }, detached: true, cwd: '/' });
  child.unref();
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  const entered = (async () => {
    for (let waited = 0; child.exitCode === null && child.signalCode === null && waited < 10_000; waited++) {
      if (child.pid !== undefined && namespaceOf(child.pid) !== undefined) return identify(child.pid);
      await delay(1);
    }
    const reason = whyNoNamespace(readText);
    throw new UserError('ENGINE_UNAVAILABLE', `No user namespace can be made here${reason ? `: ${reason.answer}` : ''}.`, {
      hint: reason?.fix ?? 'devenv doctor says more; root needs none',
    });
  })();
  return await Promise.race([entered, failed]);
}

/** newuidmap(1): set-user-ID programs write maps with more than our own id, as far as /etc/subuid allows. */
async function writeMap(kind: 'uid' | 'gid', pid: number, map: readonly (readonly number[])[]): Promise<void> {
  const tool = `new${kind}map`;
  const program = findProgram(tool) ?? missing(tool, 'uidmap');
  const { exitCode, stderr } = await run(program, [String(pid), ...map.flat().map(String)]);
  if (exitCode === 0) return;
  throw new UserError('ENGINE_UNAVAILABLE', `${tool} could not write the ids of the user namespace: ${stderr.trim()}`, {
    hint: 'devenv doctor says what it needs',
  });
}

/** The holder, for who is about to remove what names it. */
export function holderOf(directories: Directories): LivingProcess | undefined {
  return readJson<LivingProcess>(holderFile(directories));
}

/** Ends the holder of a namespace that nobody else is in. The next command makes another one. */
export async function releaseHolder(directories: Directories, holder: LivingProcess | undefined = holderOf(directories)): Promise<void> {
  if (!isMapped() || !holder || listContainers(directories).length > 0) return;
  for (let attempt = 0; hasOthers(holder); attempt++) {
    if (attempt === 50) return; // a build, of another command
    await delay(20); // what has just been told to end ends
  }
  rmSync(holderFile(directories), { force: true });
  signalProcess(holder, 'SIGKILL');
}

function hasOthers(holder: LivingProcess): boolean {
  const own = readlinkSync('/proc/self/ns/user');
  const others = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && ![process.pid, holder.pid].includes(Number(name)));
  return others.some((name) => {
    try {
      return readlinkSync(`/proc/${name}/ns/user`) === own && isAlive(identify(Number(name)));
    } catch {
      return false; // it ended, or is not ours to look at
    }
  });
}

function missing(program: string, debianPackage: string): never {
  throw new UserError('TOOL_MISSING', `${program} is not installed: devenv needs it when you are not root`, {
    hint: `apt-get install ${debianPackage}`,
  });
}
