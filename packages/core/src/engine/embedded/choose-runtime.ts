import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Directories } from '../../base/directories.ts';
import { diskFull, hasNoSpace, isDiskFull } from '../../base/disk-trouble.ts';
import { UserError } from '../../base/errors.ts';
import { readJson, readText } from '../../base/files.ts';
import { run } from '../../base/processes.ts';
import { defaultCapabilities } from './capabilities.ts';
import { removeCgroup } from './cgroup.ts';
import { cgroupPath, writeJson } from './container-files.ts';
import { initProgram, installInit } from './init.ts';
import { bootId } from './living-process.ts';
import { ociProcess } from './oci-process.ts';
import { deleteFromRuntime, enterEngineNamespace, makePrivateDirectory, runtimeRoot } from './oci-runtime.ts';
import { findProgram } from './programs.ts';
import { runtimeArguments, runtimeEnvironment, type OciRuntime } from './runtime-call.ts';
import { runtimeConfig } from './runtime-config.ts';
import { seccompFilter } from './seccomp.ts';

/** Better ones first: crun starts a container in half of runc's time. */
const candidates: readonly string[] = ['crun', 'runc'];

/** What a runtime answered, good until the machine or the program starts anew. */
interface Answer {
  readonly bootId: string;
  /** What there was to choose from. */
  readonly wanted: string;
  readonly program: string;
  readonly modified: number;
}

/** A function that gives the first runtime that really runs a container here, tried once per boot. */
export function chooseRuntime(directories: Directories, wanted: string | undefined): () => Promise<OciRuntime> {
  let chosen: Promise<OciRuntime> | undefined;
  return () => (chosen ??= choose(directories, wanted === undefined ? candidates : [wanted]));
}

/** The path of a runtime that is given by its path, or by a name that the system has. Undefined when there is none. */
export function runtimeProgram(wanted: string): string | undefined {
  if (!wanted.startsWith('/')) return findProgram(wanted);
  return modified(wanted) === undefined ? undefined : wanted;
}

/** @throws UserError TOOL_MISSING, RUNTIME_FAILED, with the reason of each; DISK_FULL */
async function choose(directories: Directories, names: readonly string[]): Promise<OciRuntime> {
  const file = join(directories.runtime, 'oci-runtime.json');
  const known = readJson<Answer>(file);
  const wanted = names.join();
  if (known && known.bootId === bootId() && known.wanted === wanted && modified(known.program) === known.modified)
    return { program: known.program, root: runtimeRoot(directories) };
  const failures: string[] = [];
  for (const name of names) {
    const runtime = { program: runtimeProgram(name) ?? '', root: runtimeRoot(directories) };
    const failure = runtime.program ? await tryRuntime(runtime, directories) : 'is not installed';
    if (failure === undefined) {
      writeJson(file, { bootId: bootId(), wanted, program: runtime.program, modified: modified(runtime.program)! } satisfies Answer);
      return runtime;
    }
    failures.push(`  ${name}  ${failure}`);
  }
  if (hasNoSpace(directories.runtime)) throw diskFull(directories.runtime);
  const isAbsent = names.every((name) => runtimeProgram(name) === undefined);
  throw new UserError(isAbsent ? 'TOOL_MISSING' : 'RUNTIME_FAILED', ['No OCI runtime works here.', ...failures].join('\n'), {
    hint: isAbsent
      ? `apt-get install crun${names === candidates ? '' : ', or set DEVENV_RUNTIME to the path of one'}`
      : 'devenv doctor shows more',
  });
}

/** Runs a container that consists of the init alone and ends at once. Returns why it failed. */
export async function tryRuntime(runtime: OciRuntime, directories: Directories): Promise<string | undefined> {
  if (initProgram() === undefined) return 'could not be tried: catatonit is not installed';
  const id = `probe-${globalThis.process.pid}-${randomBytes(4).toString('hex')}`;
  const bundle = join(directories.runtime, id);
  const cgroup = cgroupPath(directories, id);
  try {
    enterEngineNamespace();
    makePrivateDirectory(runtime.root);
    makePrivateDirectory(bundle);
    const rootfs = join(bundle, 'rootfs');
    for (const name of ['', 'proc', 'dev', 'sys']) mkdirSync(join(rootfs, name), { mode: 0o755 });
    installInit(rootfs);
    const user = { uid: 0, gid: 0, additionalGids: [], home: '/' };
    const process = ociProcess({
      args: ['/init', '-V'],
      env: {},
      user,
      workdir: '/',
      capabilities: defaultCapabilities,
      noNewPrivileges: false,
    });
    const config = runtimeConfig({
      process, rootfs, readonlyRoot: false, hostname: 'probe', mounts: [], network: undefined, cgroup, limits: {},
      seccomp: seccompFilter('default', defaultCapabilities), privileged: false,
    }); // prettier-ignore
    writeJson(join(bundle, 'config.json'), config);
    const log = join(bundle, 'log');
    const { exitCode, stdout, stderr } = await run(
      runtime.program,
      runtimeArguments(runtime, `--log=${log}`, 'run', '--bundle', bundle, id),
      {
        env: runtimeEnvironment,
      },
    );
    if (exitCode === 0) return stdout.includes('catatonit') ? undefined : 'ran nothing'; // the init was asked for its version
    return `fails: ${(readText(log) || stderr).trim().replace(/^\S+Z: /gm, '')}`;
  } catch (error) {
    return isDiskFull(error) ? 'could not be tried: the disk is full' : `fails: ${(error as Error).message}`;
  } finally {
    if (existsSync(join(runtime.root, id))) await deleteFromRuntime(runtime, id);
    await removeCgroup(cgroup);
    rmSync(bundle, { recursive: true, force: true });
  }
}

function modified(program: string): number | undefined {
  return statSync(program, { throwIfNoEntry: false })?.mtimeMs;
}
