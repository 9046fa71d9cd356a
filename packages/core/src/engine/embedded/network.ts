import { chmodSync, closeSync, existsSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createSocket } from 'node:dgram';
import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '../../base/errors.ts';
import type { Report } from '../../base/events.ts';
import { readText } from '../../base/files.ts';
import { run } from '../../base/processes.ts';
import { isMapped } from '../../base/user-namespace.ts';
import { makeNetworkNamespace, mount, mountFlags, SystemCallError, unmount } from '../../base/system-calls.ts';
import type { PortMapping } from '../engine.ts';
import { identify, isAlive, signalProcess, type LivingProcess } from './living-process.ts';
import { enterEngineNamespace } from './oci-runtime.ts';
import { runtimeEnvironment } from './runtime-call.ts';
import { endStrays } from './strays.ts';

/** Address inside at which pasta answers for a resolver that listens on the host's loopback only. */
const dnsForward = '169.254.1.53';

/**
 * Makes a network namespace at `file`, at once, and attaches pasta: what is inside reaches the network as the host does, but
 * neither the host's loopback nor, unless published, is anything inside reached. On a machine without any network it says
 * so and leaves the namespace with its loopback: what needs no network works there too.
 * @throws UserError PORT_TAKEN, RUNTIME_FAILED, TOOL_MISSING
 */
export async function openNetwork(file: string, ports: readonly PortMapping[], report: Report): Promise<void> {
  if (isMapped()) await makeNetworkApart(file);
  else makeEmptyNetwork(file);
  await attachPasta(file, ports, report);
}

/** Gives a running container other published ports: its connections to the outside are cut, its listeners stay. */
export async function reopenNetwork(file: string, initPid: number, ports: readonly PortMapping[]): Promise<void> {
  await closeNetwork(file);
  await connectNetwork(file, initPid, ports, () => {});
}

/** Attaches pasta to the network namespace that a container has already. */
export async function connectNetwork(file: string, initPid: number, ports: readonly PortMapping[], report: Report): Promise<void> {
  // What was mounted at `file` is only in the mount namespace of the command that made it; pasta may not look into /proc.
  enterEngineNamespace();
  makePlace(file);
  mount(`/proc/${initPid}/ns/net`, file, null, mountFlags.bind, null);
  await attachPasta(file, ports, report);
}

async function attachPasta(file: string, ports: readonly PortMapping[], report: Report): Promise<void> {
  const resolver = needsForward() ? ['--dns-forward', dnsForward] : [];
  const args = [
    '--config-net', '--quiet', '--runas', '0', '--netns-only', '--netns', file, '--no-map-gw', ...resolver,
    ...publish('tcp', ports), ...publish('udp', ports), '-T', 'none', '-U', 'none', '-P', pidFileOf(file),
  ]; // prettier-ignore
  // Empty until pasta has written it: who finds it so knows that somebody was killed here.
  writeFileSync(pidFileOf(file), '', { mode: 0o600 });
  const { exitCode, stderr } = await runPasta(args);
  if (exitCode === 0) return;
  await endStrays(file); // killed, it may live on as its child
  const taken = /Failed to bind .* '-[tu] ([^/']+)\/(\d+)/.exec(stderr);
  if (taken) throw portTaken(taken[1]!, Number(taken[2]));
  if (/External interface not usable|No external routable interface/.test(stderr)) {
    rmSync(pidFileOf(file), { force: true });
    report({
      type: 'notice',
      level: 'warning',
      message: 'this machine has no network: the container has none, and no port is published',
      hint: 'devenv stop && devenv up, once there is one',
    });
    return;
  }
  throw new UserError('RUNTIME_FAILED', `pasta could not open the network: ${stderr}`, { hint: 'devenv doctor says what pasta needs' });
}

/** A network namespace at `file` in which nothing is connected. */
export function makeEmptyNetwork(file: string): void {
  enterEngineNamespace();
  makePlace(file);
  makeNetworkNamespace(file);
}

/** Afterwards `file` is an ordinary one to mount a namespace at: one that we have mounted there before can't be opened for writing. */
function makePlace(file: string): void {
  try {
    unmount(file, { detach: true });
  } catch (error) {
    if (!(error instanceof SystemCallError) || !['EINVAL', 'ENOENT'].includes(error.code)) throw error;
  }
  closeSync(openSync(file, 'a', 0o600));
}

/** As makeEmptyNetwork for who could not come back: root of a user namespace has no right to enter the machine's network again. */
async function makeNetworkApart(file: string): Promise<void> {
  enterEngineNamespace();
  makePlace(file);
  const { exitCode, stderr } = await run('unshare', [`--net=${file}`, '--', 'true'], { env: runtimeEnvironment });
  if (exitCode !== 0) throw new UserError('RUNTIME_FAILED', `a network namespace could not be made: ${stderr.trim()}`);
}

/** Idempotent: afterwards no pasta serves the network namespace at `file`. */
export async function closeNetwork(file: string): Promise<void> {
  const pasta = pastaOf(file);
  if (readText(pidFileOf(file)) === '') await endStrays(file);
  signalProcess(pasta, 'SIGTERM');
  for (let waited = 0; isAlive(pasta); waited += 2) {
    if (waited >= 1000) signalProcess(pasta, 'SIGKILL');
    await delay(2);
  }
  rmSync(pidFileOf(file), { force: true });
}

/** Whether a pasta was started for the namespace at `file` and not yet ended. */
export function hasNetwork(file: string): boolean {
  return existsSync(pidFileOf(file));
}

/** Whether pasta was killed, or who started it before it had come that far. */
export function hasLostNetwork(file: string): boolean {
  return hasNetwork(file) && pastaOf(file) === undefined;
}

/** The pasta that was started for this very file: its arguments say so, whoever has the pid now. */
function pastaOf(file: string): LivingProcess | undefined {
  const pid = Number(readText(pidFileOf(file)) ?? NaN);
  if (!(pid > 0)) return undefined;
  const args = (readText(`/proc/${pid}/cmdline`) ?? '').split('\0');
  try {
    return args.includes(pidFileOf(file)) ? identify(pid) : undefined;
  } catch {
    return undefined; // it ended while we looked
  }
}

function pidFileOf(file: string): string {
  return `${file}.pid`;
}

/** Replaces a host port 0 by a free one. @throws UserError PORT_TAKEN naming the first that is in use. */
export async function claimPorts(ports: readonly PortMapping[]): Promise<PortMapping[]> {
  const claimed: PortMapping[] = [];
  for (const port of ports) claimed.push({ ...port, hostPort: await tryPort(port) });
  return claimed;
}

/** resolv.conf for a container: the host's, unless its resolver is reachable from the host only. */
function resolvConf(): string {
  const [text, upstream] = [readText('/etc/resolv.conf') ?? '', readText('/run/systemd/resolve/resolv.conf')];
  if (nameservers(text).some((address) => !isLoopback(address))) return withoutLoopback(text);
  if (upstream && nameservers(upstream).some((address) => !isLoopback(address))) return withoutLoopback(upstream);
  return `${withoutLoopback(text)}nameserver ${dnsForward}\n`;
}

function hostsFile(hostname: string): string {
  return `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n127.0.1.1\t${hostname}\n`;
}

function needsForward(): boolean {
  return nameservers(resolvConf()).includes(dnsForward);
}

function nameservers(text: string): string[] {
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(([, address]) => address!);
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

function withoutLoopback(text: string): string {
  const lines = text.split('\n').filter((line) => line !== '' && !nameservers(line).some(isLoopback));
  return lines.map((line) => `${line}\n`).join('');
}

function publish(protocol: 'tcp' | 'udp', ports: readonly PortMapping[]): string[] {
  const option = protocol === 'tcp' ? '-t' : '-u';
  const chosen = ports.filter((port) => port.protocol === protocol);
  if (chosen.length === 0) return [option, 'none'];
  return chosen.flatMap(({ hostAddress, hostPort, containerPort }) => [option, `${hostAddress}/${hostPort}:${containerPort}`]);
}

async function runPasta(args: readonly string[]): Promise<{ exitCode: number; stderr: string }> {
  try {
    const { exitCode, stderr } = await run('pasta', args, { env: runtimeEnvironment }); // it lives on: with none of our caller's variables
    const said = stderr.split('\n').filter((line) => line && !/^Failed to send \d+ bytes to syslog|Couldn't get any nameserver/.test(line));
    return { exitCode, stderr: said.join('; ') };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new UserError('TOOL_MISSING', 'pasta is not installed: it connects containers to the network', { hint: 'apt-get install passt' });
  }
}

/** The port, when it can be bound now. */
function tryPort({ hostAddress, hostPort, protocol }: PortMapping): Promise<number> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException): void => reject(portTaken(hostAddress, hostPort, error));
    if (protocol === 'tcp') {
      const server = createServer().once('error', refuse);
      server.listen({ host: hostAddress, port: hostPort, exclusive: true }, () => {
        const { port } = server.address() as { port: number };
        server.close(() => resolve(port));
      });
    } else {
      const socket = createSocket(hostAddress.includes(':') ? 'udp6' : 'udp4').once('error', refuse);
      socket.bind({ address: hostAddress, port: hostPort, exclusive: true }, () => {
        const { port } = socket.address();
        socket.close(() => resolve(port));
      });
    }
  });
}

function portTaken(address: string, port: number, error?: NodeJS.ErrnoException): UserError {
  const isInUse = error === undefined || error.code === 'EADDRINUSE';
  return new UserError(
    'PORT_TAKEN',
    `port ${port} of ${address} cannot be published: ${isInUse ? 'it is already in use' : error.message}`,
    {
      hint: isInUse ? 'stop what uses it (ss -ltnup shows it), or publish another port' : 'publish another port or address',
      cause: error,
    },
  );
}

export function writeNetworkFiles(directory: string, hostname: string): void {
  const files = { 'resolv.conf': resolvConf(), hosts: hostsFile(hostname), hostname: `${hostname}\n` };
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(`${directory}/${name}`, text);
    chmodSync(`${directory}/${name}`, 0o644); // every user inside reads them, whatever our umask
  }
}
