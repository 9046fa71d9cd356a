import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../base/errors.ts';
import { lock } from '../../base/locks.ts';
import { idMapping } from '../../base/user-namespace.ts';
import type { ContainerSpec } from '../engine.ts';
import { capabilitiesOf } from './capabilities.ts';
import { removeCgroup } from './cgroup.ts';
import { writeCertificates } from './certificates.ts';
import { checkCommand, defaultPath } from './command.ts';
import {
  cgroupPath,
  containerFiles,
  containerFormat,
  containersDirectory,
  isContainerId,
  readRecord,
  writeJson,
  type ContainerFiles,
  type ContainerRecord,
  type Journal,
} from './container-files.ts';
import { containerLock, EmbeddedContainer, removeContainer } from './container.ts';
import { checkMounts } from './container-mounts.ts';
import { giveToRoot, swapOwner, type IdSwap } from './id-swap.ts';
import { hostLabels } from './host-labels.ts';
import { initPath, installInit } from './init.ts';
import { identify } from './living-process.ts';
import { claimPorts } from './network.ts';
import { ociProcess } from './oci-process.ts';
import { deleteFromRuntime } from './oci-runtime.ts';
import type { OciRuntime } from './runtime-call.ts';
import { detachAll } from './overlay.ts';
import { lowerDirectories, mountRoot, type StartContext } from './start-container.ts';
import { seccompFilter } from './seccomp.ts';
import { endStrays } from './strays.ts';
import { find, type Owner } from './tree.ts';
import { asHeld, lookUpUser } from './user.ts';

/**
 * Makes the container's directory, checks all that can be checked before it runs, and leaves its tree mounted for the
 * `start` that mostly follows in the same process. container.json comes last: without it there is no container.
 * @throws UserError BAD_VALUE, MOUNT_SOURCE_MISSING, PORT_TAKEN, TOOL_MISSING, NOT_SUPPORTED, COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE
 */
export async function createContainer(spec: ContainerSpec, runtime: OciRuntime, context: StartContext): Promise<EmbeddedContainer> {
  if (!isContainerId(spec.id)) throw new Error(`not a container id: ${spec.id}`);
  checkMounts(spec.mounts);
  const directory = join(containersDirectory(context.directories), spec.id);
  using _held = await lock(containerLock(context.directories, spec.id));
  if (readRecord(directory)) throw new Error(`the container ${spec.id} exists already`);
  if (existsSync(directory)) await removeContainer(directory, context, async () => {});
  await forgetFormer(spec.id, directory, runtime, context);
  const files = containerFiles(directory);
  try {
    const ids = await swapFor(spec, files, context);
    const layers = await lowerDirectories(context, { spec, ...(ids ? { ids } : {}) });
    makeDirectories(files, layers[0]!);
    writeJson(files.journal, { doing: 'create', owner: identify(process.pid) } satisfies Journal);
    installInit(files.run);
    if (spec.certificates !== undefined) writeCertificates(files.run, spec.certificates);
    giveToRoot(files.run, ids);
    const driver = await context.storage.choose();
    await mountRoot(files, layers, driver);
    const record = await decide(spec, ids, files, runtime, context);
    writeJson(files.record, { ...record, storage: driver.name } satisfies ContainerRecord);
    rmSync(files.journal);
  } catch (error) {
    detachAll(directory);
    await context.storage.release(files);
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
  return new EmbeddedContainer(directory, context);
}

/** A container of this id whose directory was removed by hand, or whose record was damaged: the runtime still knows it, and it may run. */
async function forgetFormer(id: string, directory: string, runtime: OciRuntime, context: StartContext): Promise<void> {
  if (!existsSync(join(runtime.root, id))) return;
  await endStrays(directory);
  await deleteFromRuntime(runtime, id);
  await removeCgroup(cgroupPath(context.directories, id));
}

/** The root of the tree has the owner and mode of its upper directory. */
function makeDirectories(files: ContainerFiles, lowest: string): void {
  for (const path of [files.directory, files.work, files.rootfs]) mkdirSync(path, { recursive: true, mode: 0o700 });
  for (const path of [files.upper, files.run]) mkdirSync(path, { recursive: true });
  const root = lstatSync(lowest);
  chownSync(files.upper, root.uid, root.gid);
  chmodSync(files.upper, root.mode & 0o7777);
  chmodSync(files.run, 0o755);
}

/**
 * In a user's namespace: when the owner of a bind mount is to be somebody else inside, those two change places.
 * Whom the name means is seen in the tree, which is mounted for that alone.
 */
async function swapFor(spec: ContainerSpec, files: ContainerFiles, context: StartContext): Promise<IdSwap | undefined> {
  if (idMapping().kind !== 'range') return undefined;
  const [owned] = spec.mounts.flatMap((mount) =>
    mount.type === 'bind' && mount.ownedBy !== undefined ? [[mount.source, mount.ownedBy] as const] : [],
  );
  if (!owned) return undefined;
  const outside = statSync(owned[0]);
  const layers = await lowerDirectories(context, { spec });
  makeDirectories(files, layers[0]!);
  await mountRoot(files, layers, await context.storage.choose());
  const inside = lookUpUser(files.rootfs, owned[1]);
  detachAll(files.directory);
  await context.storage.release(files);
  rmSync(files.work, { recursive: true, force: true }); // the driver's own
  mkdirSync(files.work, { mode: 0o700 });
  const isHeld = ({ uid, gid }: Owner): boolean => uid < idMapping().count && gid < idMapping().count && uid !== nobody && gid !== nobody;
  if (!isHeld(outside) || !isHeld(inside) || (outside.uid === inside.uid && outside.gid === inside.gid)) return undefined;
  return { uid: [outside.uid, inside.uid], gid: [outside.gid, inside.gid] };
}

const nobody = 65534; // how an id that the namespace has not shows (/proc/sys/fs/overflowuid)

async function decide(
  spec: ContainerSpec,
  ids: IdSwap | undefined,
  files: ContainerFiles,
  runtime: OciRuntime,
  context: StartContext,
): Promise<ContainerRecord> {
  const user = asHeld(lookUpUser(files.rootfs, spec.user));
  const capabilities = capabilitiesOf(spec.security);
  if (!spec.security.privileged) seccompFilter(spec.security.seccomp, capabilities);
  const terminal = spec.stdin === 'terminal';
  const env = { PATH: defaultPath, HOME: user.home, ...(terminal ? { TERM: 'xterm' } : {}), ...spec.env }; // TERM as Docker's
  using workdir = find(files.rootfs, spec.workdir, { create: { ...swapOwner(ids, user), mode: 0o755 } });
  if (!workdir?.stats.isDirectory()) throw new UserError('BAD_VALUE', `the working directory ${spec.workdir} is no directory in the image`);
  if (spec.command[0] !== undefined && !isBelowMount(spec, spec.command[0]))
    checkCommand(spec.command[0], { root: files.rootfs, path: env.PATH, workdir: spec.workdir, user, ids });
  const args = spec.command.length > 0 ? [initPath, '--', ...spec.command] : [initPath, '-P'];
  const cgroup = cgroupPath(context.directories, spec.id);
  return {
    format: containerFormat,
    spec: { ...spec, certificates: undefined },
    createdAt: new Date().toISOString(),
    ...(spec.ephemeral ? { owner: identify(process.pid) } : {}),
    ports: await claimPorts(spec.ports),
    runtime: runtime.program,
    runtimeRoot: runtime.root,
    ...(cgroup === undefined ? {} : { cgroup }),
    ...(ids ? { ids } : {}),
    process: ociProcess({
      args,
      env,
      user,
      workdir: spec.workdir,
      capabilities,
      noNewPrivileges: spec.security.noNewPrivileges,
      terminal,
      labels: await hostLabels(context.directories.data, { id: spec.id, privileged: spec.security.privileged }),
    }),
  };
}

/** What a mount will bring cannot be looked at yet. */
function isBelowMount(spec: ContainerSpec, command: string): boolean {
  const path = command.startsWith('/') ? command : `${spec.workdir}/${command}`;
  return command.includes('/') && spec.mounts.some(({ target }) => path.startsWith(`${target}/`));
}
