import { randomBytes } from 'node:crypto';
import { homedir } from 'node:os';
import { join, posix, resolve } from 'node:path';
import type { CommandOptions, Exit } from './contract.ts';
import { UserError } from './base/errors.ts';
import { requireTerminal } from './base/terminal.ts';
import { parsePort } from './config/read-ports.ts';
import type { Container, ContainerSpec, Engine, Mount, PortMapping } from './engine/engine.ts';
import { commandOptions } from './enter.ts';
import { shownName } from './images.ts';
import { keepImage } from './keep-image.ts';
import { parseImageConfig } from './oci/image-config.ts';
import type { ImageConfig } from './oci/image.ts';
import { hostPlatform } from './oci/platform.ts';
import { familiarName, formatReference, parseReference } from './oci/reference.ts';
import { openImages, openTools, shareStore, type ImageTools } from './open-tools.ts';
import { execute } from './session/execute.ts';
import type { KeptImage } from './store/image-store.ts';
import { hostTransport } from './transport.ts';
import { watchLog } from './watch-log.ts';

export interface RunImageOptions extends CommandOptions {
  /** A name, or the beginning of an id: found here, or pulled. An empty `command` is the image's own. */
  readonly image: string;
  /** Replaces the image's. */
  readonly entrypoint?: string;
  readonly name?: string;
  /** As Docker writes them: `/host:/inside:ro`, `volume:/inside`. */
  readonly volumes: readonly string[];
  /** `8080:80`, `0.0.0.0:8080:80/tcp`, `80`; only this machine unless an address is named. */
  readonly ports: readonly string[];
  /** The container stays when its command has ended. */
  readonly keep: boolean;
  /** Leave it running; implies `keep`. */
  readonly detach: boolean;
  /** It reads our stdin; of one that is left running, stdin stays open. */
  readonly interactive: boolean;
  /** Hears what the command of a container that stays writes: core never prints. */
  readonly onOutput: (stream: 'stdout' | 'stderr', bytes: Uint8Array) => void;
}

export interface RunResult extends Exit {
  readonly containerId: string;
  /** Whether its command was connected with us, and is not the container's own: to start it again starts nothing. */
  readonly connected: boolean;
}

/** The role of containers that were made from an image and belong to no environment. */
export const containerRole = 'container';
/** The label of one whose command was connected with its user: nobody adds to its log afterwards. */
export const connectedLabel = 'devenv.connected';

/**
 * Runs a command in a new container of an image: a writable layer on top, a network of its own. Without `keep` nothing of it
 * is left afterwards, however the command ends.
 * @throws UserError IMAGE_NOT_FOUND and those of a registry, BAD_VALUE, PORT_TAKEN, MOUNT_SOURCE_MISSING, COMMAND_NOT_FOUND
 */
export async function runImage(options: RunImageOptions): Promise<RunResult> {
  // A command that reads our stdin or our terminal is connected with us; else it is the container's own, which can be started again.
  const connected = !options.detach && (!options.keep || options.interactive || options.terminal === true);
  if (connected && options.terminal) requireTerminal(); // a refusal leaves no container
  const { container, command } = await create(options, connected);
  const { id: containerId } = container;
  try {
    await container.start().catch(async (error: unknown) => {
      await container.remove(); // it never ran: whoever tries again wants its name
      throw error;
    });
    if (options.detach) return { exitCode: 0, oomKilled: false, containerId, connected };
    const exit = connected
      ? await execute(container, command, {
          ...commandOptions({ ...options, extraEnv: {}, workdir: '.' }),
          logged: options.keep,
          signal: options.signal,
        })
      : await watchLog(container, options);
    return { ...exit, containerId, connected };
  } finally {
    if (!options.keep && !options.detach) await container.remove();
    else if (connected) await container.stop();
  }
}

/** The store is shared until the container is there: from then on it says itself what it stands on. */
async function create(
  options: RunImageOptions,
  connected: boolean,
): Promise<{ readonly container: Container; readonly command: readonly string[] }> {
  const ports = options.ports.map(portOf);
  const mounts = options.volumes.map((volume) => mountOf(volume, options));
  using _store = await shareStore(options);
  const [images, { engine }] = [await openImages(options), await openTools(options)];
  await engine.reap(options.report);
  await refuseTakenName(options.name, engine);
  const image = await findOrPull(images, options);
  const { config } = parseImageConfig(Buffer.from(image.document, 'base64'));
  const command = commandOf(config, options);
  const transport = hostTransport(true, options.env);
  const name = options.name ?? `${slugOf(shownName(image) ?? 'image')}-${randomBytes(3).toString('hex')}`;
  const spec: ContainerSpec = {
    id: name,
    labels: {
      ...config.labels,
      'devenv.role': containerRole,
      'devenv.image': shownName(image) ?? image.id,
      'devenv.image-id': image.id,
      ...(connected ? { [connectedLabel]: 'true' } : {}),
    },
    ephemeral: !options.keep && !options.detach,
    layer: image.layers.at(-1)?.layer,
    hostname: name.slice(0, 63),
    command: connected ? [] : command,
    stopSignal: config.stopSignal,
    stdin: options.detach ? openStdin(options) : undefined,
    env: { PATH: defaultPath, ...transport.env, ...config.env, ...options.extraEnv },
    user: options.user ?? (config.user === '' ? 'root' : config.user),
    workdir: posix.resolve('/', config.workdir, options.workdir ?? '.'),
    mounts,
    network: 'private',
    ports,
    limits: {},
    security: { capAdd: [], capDrop: [], seccomp: 'default', noNewPrivileges: false, readonlyRoot: false, privileged: false },
    certificates: transport.certificates,
  };
  return { container: await engine.create(spec), command };
}

function openStdin({ terminal, interactive }: RunImageOptions): ContainerSpec['stdin'] {
  return terminal === true ? 'terminal' : interactive ? 'open' : undefined;
}

/** As Docker's: of an image that names none (moby, oci/defaults). */
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What is here is used as it is here; only what is not is asked of a registry. */
export async function findOrPull(tools: ImageTools, options: Pick<RunImageOptions, 'image' | 'report' | 'signal'>): Promise<KeptImage> {
  const here = tools.images.find(options.image);
  if (here) return here;
  const reference = parseReference(options.image);
  const title = familiarName(formatReference(reference));
  options.report({ type: 'notice', level: 'info', message: `There is no image ${title} on this machine; pulling it.` });
  const image = await (await tools.registry()).get(reference, hostPlatform());
  const repository = `${reference.registry}/${reference.repository}`;
  const names = reference.tag === undefined ? [] : [`${repository}:${reference.tag}`];
  return (await keepImage(image, { names, digests: [`${repository}@${image.manifest!.digest}`], title }, tools, options)).image;
}

async function refuseTakenName(name: string | undefined, engine: Engine): Promise<void> {
  if (name === undefined) return;
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(name))
    throw new UserError('BAD_VALUE', `${JSON.stringify(name)} cannot be the name of a container.`, {
      hint: 'Use lower-case letters, digits and -.',
    });
  if ((await engine.list({})).some(({ id }) => id === name))
    throw new UserError('BAD_VALUE', `There is a container ${name} already.`, {
      hint: `Remove it: devenv rm ${name}; or choose another name.`,
    });
}

function commandOf({ entrypoint, command }: ImageConfig, options: RunImageOptions): readonly string[] {
  const own = options.entrypoint === undefined ? entrypoint : [options.entrypoint];
  // As Docker: who replaces the entrypoint does not get the image's command with it.
  const rest = options.command.length > 0 ? options.command : options.entrypoint === undefined ? command : [];
  if (own.length + rest.length > 0) return [...own, ...rest];
  throw new UserError('USAGE', `The image ${options.image} has no command of its own.`, {
    hint: `Name one: devenv run --image ${options.image} /bin/sh`,
  });
}

function portOf(text: string): PortMapping {
  const port = parsePort(text);
  if (typeof port !== 'string') return port;
  throw new UserError('USAGE', `-p ${text}: ${port}`, { hint: 'Write -p 8080:80, or -p 0.0.0.0:8080:80 for other machines, too.' });
}

function mountOf(text: string, { cwd, env }: Pick<RunImageOptions, 'cwd' | 'env'>): Mount {
  const match = /^([^:]+):(\/[^:]*)(?::([a-zA-Z,]+))?$/.exec(text);
  const options = (match?.[3] ?? 'rw').split(',');
  // z and Z relabel for SELinux, which containers here have no label of.
  if (!match || options.some((option) => !['ro', 'rw', 'z', 'Z'].includes(option)))
    throw new UserError('USAGE', `-v ${text} is not understood.`, {
      hint: 'Write -v /host/path:/inside, -v ./here:/inside:ro, or -v name:/inside.',
    });
  const [, source = '', target = ''] = match;
  const readonly = options.includes('ro');
  if (/^[./~]/.test(source)) {
    const path = source.startsWith('~/') ? join(env['HOME'] ?? homedir(), source.slice(2)) : resolve(cwd, source);
    return { type: 'bind', source: path, target: posix.normalize(target), readonly };
  }
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(source))
    throw new UserError('USAGE', `-v ${text}: ${JSON.stringify(source)} is no name of a volume.`, { hint: 'A path begins with / or ./' });
  return { type: 'volume', name: source, target: posix.normalize(target), readonly };
}

/** `ghcr.io/team/shop:1` is `shop`. */
function slugOf(name: string): string {
  const last = name.slice(name.lastIndexOf('/') + 1).replace(/[:@].*$/, '');
  return (
    last
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-+|-+$/g, '')
      .slice(0, 40) || 'image'
  );
}
