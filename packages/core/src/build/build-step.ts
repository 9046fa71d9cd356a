import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { UserError } from '../base/errors.ts';
import { writeWhileThereIsSpace } from '../base/disk-trouble.ts';
import type { Build, StepProcess, Workbench } from '../engine/engine.ts';
import type { InputEntry } from '../oci/step-key.ts';
import type { PlannedStep, ResolvedFile } from '../plan/plan.ts';
import type { LayerId } from '../store/layer-store.ts';
import { defaultEpoch } from '../store/normalise.ts';
import type { BuildTools } from './build-tools.ts';
import { logOf } from './claim-step.ts';
import { failureHint } from './failure-hint.ts';
import { OutputMask } from './mask-output.ts';
import { indexScript, makePackageFolder, packagesPath } from './package-folder.ts';
import { secretsOf } from './step-secrets.ts';
import { aptScript, userScript } from './scripts.ts';

export interface StepContext {
  readonly session: Build;
  readonly tools: BuildTools;
  /** Id of the step's task in events. */
  readonly task: string;
  /** The workspace on the host. */
  readonly folder: string;
}

/**
 * Runs one step on `parent` and commits what it changed.
 * @throws UserError STEP_FAILED with the path of the step's log; nothing of the step remains then.
 */
export async function buildStep(step: PlannedStep, parent: LayerId | undefined, context: StepContext): Promise<LayerId> {
  await using workbench = await context.session.workbench(parent);
  const { definition } = step;
  switch (definition.kind) {
    case 'copy':
      for (const file of step.files)
        await put(workbench, file, context.folder, { mode: definition.mode, owner: definition.owner, temporary: false });
      break;
    case 'apt':
      await runProcess(step, ['/bin/sh', '-c', aptScript, 'apt', ...definition.packages], workbench, context);
      break;
    case 'user':
      await runProcess(step, ['/bin/sh', '-c', userScript, 'user', definition.user], workbench, context);
      break;
    case 'run':
      await putInputs(step, workbench, context.folder);
      await runProcess(step, definition.command, workbench, context);
      break;
    case 'env':
      throw new Error('an env step makes no layer');
    default:
      throw new Error(`unexpected step: ${JSON.stringify(definition satisfies never)}`);
  }
  return await workbench.commit(); // before it is disposed
}

/** The working directory and all that is made in it for the step belong to its user, so that writing beside inputs works. */
async function putInputs(step: PlannedStep, workbench: Workbench, folder: string): Promise<void> {
  const { workdir, user } = step.process!;
  const directories = new Set([workdir]);
  for (const file of step.files) {
    for (let parent = dirname(file.target); parent.startsWith(`${workdir}/`); parent = dirname(parent)) directories.add(parent);
  }
  for (const path of [...directories].toSorted())
    await workbench.put({ path, content: { type: 'directory' }, mode: 0o755, owner: user, temporary: true });
  for (const file of step.files) await put(workbench, file, folder, { mode: undefined, owner: user, temporary: true });
}

async function put(
  workbench: Workbench,
  file: ResolvedFile,
  folder: string,
  how: { readonly mode: number | undefined; readonly owner: string | undefined; readonly temporary: boolean },
): Promise<void> {
  await workbench.put({
    path: file.target,
    content: contentOf(file.entry, join(folder, file.path)),
    mode: how.mode ?? (file.entry.type === 'file' && file.entry.executable ? 0o755 : 0o644),
    ...(how.owner === undefined ? {} : { owner: how.owner }),
    temporary: how.temporary,
  });
}

function contentOf(entry: InputEntry, source: string): Parameters<Workbench['put']>[0]['content'] {
  return entry.type === 'symlink' ? { type: 'symlink', target: entry.target } : { type: 'file', source, sha256: entry.sha256 };
}

/** With packages that are locked, these are all there is for apt: what the step says stays as it is. */
async function runProcess(step: PlannedStep, args: readonly string[], workbench: Workbench, context: StepContext): Promise<void> {
  if (!step.locked) return runOn(workbench, step, args, context);
  using folder = await makePackageFolder(step.locked, context.tools);
  const mount = { source: folder.path, target: packagesPath };
  const index = ['/bin/sh', '-c', `cd ${packagesPath}\n${indexScript}`, 'index', 'locked', 'optional'];
  const { signal } = context.tools;
  const plain = { env: { PATH: defaultPath }, user: 'root', workdir: '/', network: false, secrets: [], signal };
  let output = '';
  const { exitCode } = await workbench.run({ ...plain, args: index, caches: [mount], onOutput: (chunk) => (output += chunk.toString()) });
  if (exitCode !== 0)
    throw new UserError('STEP_FAILED', `The packages of the step "${step.name}" cannot be read: ${output.trim()}`, {
      place: placeOf(step),
    });
  await runOn(workbench, step, args, context, { caches: [{ ...mount, readonly: true }], env: { APT_CONFIG: `${packagesPath}/apt.conf` } });
}

async function runOn(
  workbench: Workbench,
  step: PlannedStep,
  args: readonly string[],
  context: StepContext,
  locked: Pick<StepProcess, 'caches' | 'env'> = { caches: [], env: {} },
): Promise<void> {
  const { tools } = context;
  const secrets = secretsOf(step, tools);
  const log = new StepLog(logOf(tools, step.key));
  const { definition } = step;
  const own: Partial<Pick<StepProcess, 'network' | 'caches'>> =
    definition.kind === 'run'
      ? { network: definition.network, caches: cachesOf(definition.cache, tools.caches) }
      : { network: definition.kind === 'apt' && !step.locked };
  const mask = new OutputMask(secrets.map(({ value }) => value));
  const decoder = new StringDecoder(); // a chunk may end within a character
  const tell = (bytes: Buffer): void => {
    if (bytes.length === 0) return;
    log.write(bytes);
    tools.report({ type: 'output', id: context.task, text: decoder.write(bytes) });
  };
  const result = await workbench.run({
    args,
    // What honours it writes the same on every day (reproducible-builds.org/specs/source-date-epoch).
    env: { SOURCE_DATE_EPOCH: String(defaultEpoch), ...tools.transport.env, ...step.process!.env, ...locked.env },
    user: step.process!.user,
    workdir: step.process!.workdir,
    network: (own.network ?? false) && !tools.offline,
    caches: [...(own.caches ?? []), ...locked.caches],
    secrets,
    onOutput: (chunk) => tell(mask.write(chunk)),
    signal: tools.signal,
  });
  tell(mask.end());
  if (result.exitCode === 0) {
    log.remove();
    return;
  }
  log.close();
  throw stepFailure(step, result, log, context.folder);
}

function stepFailure(
  step: PlannedStep,
  result: { readonly exitCode: number; readonly oomKilled: boolean },
  log: StepLog,
  folder: string,
): UserError {
  const hint = failureHint(step, log.tail, { folder, disk: dirname(log.path) });
  const ended = result.oomKilled ? 'ran out of memory (exit code 137)' : `ended with exit code ${result.exitCode}`;
  return new UserError('STEP_FAILED', `The step "${step.name}" ${ended}.`, { hint, log: log.path, place: placeOf(step) });
}

/** Where the step is written; undefined for one that devenv adds itself. */
function placeOf({ definition }: PlannedStep): UserError['place'] {
  return definition.kind === 'user' ? undefined : definition.place;
}

function cachesOf(targets: readonly string[], folder: string): StepProcess['caches'] {
  return targets.map((target) => ({ source: join(folder, encodeURIComponent(target)), target }));
}

/** Of Debian's root. */
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** So that a step that never stops talking does not fill the disk; its end is in memory. */
const logLimit = 64 * 1024 * 1024; // bytes

/** The output of a step on disk, as far as the limit, and its end in memory. Kept only when the step fails. */
class StepLog {
  readonly path: string;
  tail = '';
  private written = 0;
  private readonly descriptor: number;

  constructor(path: string) {
    this.path = path;
    mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 });
    this.descriptor = openSync(path, 'w', 0o600);
  }

  write(chunk: Buffer): void {
    if (this.written < logLimit) writeWhileThereIsSpace(this.descriptor, chunk);
    this.written += chunk.length;
    this.tail = (this.tail + chunk.toString()).slice(-32 * 1024);
  }

  close(): void {
    if (this.written > logLimit)
      writeWhileThereIsSpace(this.descriptor, Buffer.from(`\n… the step wrote ${this.written} bytes; this is their end:\n${this.tail}`));
    closeSync(this.descriptor);
  }

  remove(): void {
    this.close();
    rmSync(this.path, { force: true });
  }
}
