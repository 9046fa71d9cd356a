import type { Readable, Writable } from 'node:stream';
import type { Report } from '../base/events.ts';
import type { Digest } from '../oci/digest.ts';
import type { Image, Layer } from '../oci/image.ts';
import type { AddOptions, LayerId, StepRecord } from '../store/layer-store.ts';
import type { StepKey } from '../oci/step-key.ts';

/** One thing that was tried, for `doctor`: what it found, and what to do when it is not good. */
export interface Probe {
  readonly name: string;
  readonly ok: boolean;
  /** `false`: the engine works without it, with less. */
  readonly required: boolean;
  readonly answer: string;
  readonly fix?: string;
}

/** What an engine can do here, found by trying. */
export interface Features {
  readonly works: boolean;
  readonly probes: readonly Probe[];
}

/** Runs containers: every engine. */
export interface Runner {
  /** Names the engine in messages, environment ids and records: `embedded`. */
  readonly name: string;
  probe(): Promise<Features>;
  /** Makes the container; nothing of it runs yet. Idempotent by `spec.id`: an unfinished one of that id is replaced. */
  create(spec: ContainerSpec): Promise<Container>;
  list(labels: Readonly<Record<string, string>>): Promise<readonly Container[]>;
  /** The one of this id: costs the same however many there are. */
  find(id: string): Promise<Container | undefined>;
  /** Removes the volumes whose names begin so; idempotent. */
  removeVolumes(prefix: string): Promise<void>;
  /** Removes the one of this very name; idempotent. */
  removeVolume(name: string): Promise<void>;
  /** Walks them, for their bytes on the disk. `used`: a container, running or not, has it among its mounts. */
  volumes(): Promise<readonly { readonly name: string; readonly bytes: number; readonly used: boolean }[]>;
  /** Removes what crashed commands left: containers, mounts, network namespaces, drafts whose owner is gone. */
  reap(report: Report): Promise<void>;
}

/** Turns images plus steps into images. */
export interface Builder {
  lookup(key: StepKey): Promise<StepRecord | undefined>;
  records(): Promise<readonly StepRecord[]>;
  /** What the step of this key made, and what that stands on, is of use now. */
  used(key: StepKey): Promise<void>;
  /** A layer as it travels (LayerStore.open), and what identifies it with all that it stands on. */
  open(layer: LayerId): Promise<TravellingLayer>;
  /** Opens a build: one network namespace for all its steps, made when the first step needs it. */
  begin(options: BuildOptions): Promise<Build>;
}

export interface TravellingLayer {
  /** `size` is that of its archive. */
  readonly layer: Layer & { readonly size: number };
  readonly chainId: Digest;
  readonly parent: LayerId | undefined;
}

export interface BuildOptions {
  readonly report: Report;
  readonly signal: AbortSignal;
  /** Absolute host path of a PEM bundle, shown at /run/devenv/ca.pem in every step. */
  readonly certificates: string | undefined;
}

export interface Build extends AsyncDisposable {
  /** Waits until no other process makes this key; held until disposed. Calls `onWait` once when it has to wait. */
  claim(key: StepKey, onWait: (holders: readonly number[]) => void): Promise<AsyncDisposable>;
  /** Unpacks an image's layers, each once. Returns the topmost; undefined for an image without layers. */
  load(image: Image, task: string): Promise<LayerId | undefined>;
  /** Unpacks one layer on another. @throws UserError what reading the layer throws; nothing of it remains then */
  add(layer: Layer, parent: LayerId | undefined, options: AddOptions): Promise<LayerId>;
  /** Makes a layer on nothing from what `make` puts into an empty directory of this machine (only processes and synchronous calls see it). */
  fill(make: (directory: string) => Promise<void>): Promise<LayerId>;
  /** A writable copy of what `parent` describes. Disposed before commit: nothing remains. */
  workbench(parent: LayerId | undefined): Promise<Workbench>;
  record(record: StepRecord): Promise<void>;
}

export interface Workbench extends AsyncDisposable {
  /**
   * Puts a host file or symlink at a path of the tree, making parents (0755, root) that are missing. The path is resolved
   * inside the tree: no link leads out of it. `temporary`: removed at commit when the step left it unchanged.
   */
  put(entry: PutEntry): Promise<void>;
  /** Runs one process in a container on the tree and waits. Returns its exit code. Several runs may follow each other. */
  run(process: StepProcess): Promise<{ readonly exitCode: number; readonly oomKilled: boolean }>;
  commit(): Promise<LayerId>;
}

export interface PutEntry {
  readonly path: string;
  readonly content:
    | { readonly type: 'file'; readonly source: string; readonly sha256: string }
    | { readonly type: 'symlink'; readonly target: string }
    | /** Made when missing; one that is there is left as it is. */ { readonly type: 'directory' };
  /** Permission bits; ignored for symlinks. */
  readonly mode: number;
  /** Name or id of the owner in the image's own /etc/passwd; default root. */
  readonly owner?: string;
  readonly temporary: boolean;
}

export interface StepProcess {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  /** Created (owned by `user`) when missing. */
  readonly workdir: string;
  readonly network: boolean;
  /** Host directories, most of them kept between builds, by target path; never in the layer. */
  readonly caches: readonly { readonly source: string; readonly target: string; readonly readonly?: boolean }[];
  /** Files of a tmpfs at /run/secrets, readable by `user` only. */
  readonly secrets: readonly { readonly name: string; readonly value: string }[];
  readonly onOutput: (chunk: Buffer) => void;
  readonly signal: AbortSignal;
}

export type Mount =
  /** `ownedBy`: files of the host owner of `source` appear as this user's inside, and the other way round. */
  | { readonly type: 'bind'; readonly source: string; readonly target: string; readonly readonly: boolean; readonly ownedBy?: string }
  /** A named directory of the engine that outlives the container; starts as a copy of what the image has at `target`. */
  | { readonly type: 'volume'; readonly name: string; readonly target: string; readonly readonly: boolean }
  | { readonly type: 'tmpfs'; readonly target: string; readonly size?: number }
  /** A directory of the image, `source`, shown at `target` copy-on-write, private to this container. */
  | { readonly type: 'output'; readonly source: string; readonly target: string };

/** Where a container that stays finds the directory of editors (Directories.editor), read-only. */
export const editorPath = '/run/devenv/editor';

export interface PortMapping {
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp';
}

/** Bytes, CPUs (1.5 = one and a half), processes. Undefined: no limit. */
export interface Limits {
  readonly memory?: number;
  readonly cpus?: number;
  readonly pids?: number;
  /** Size of /dev/shm; default 64 MiB. */
  readonly shm?: number;
}

export interface Security {
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  /** `default`, `unconfined`, or the absolute path of a profile in Docker's format. */
  readonly seccomp: string;
  readonly noNewPrivileges: boolean;
  readonly readonlyRoot: boolean;
  readonly privileged: boolean;
}

/** Everything an engine needs to make a container: plain data, compared to find out whether one is out of date. */
export interface ContainerSpec {
  /** Lower-case letters, digits and `-`; unique per engine. */
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  /** For one command: whoever reaps removes it when the process that made it is gone. */
  readonly ephemeral?: boolean;
  readonly layer: LayerId | undefined;
  readonly hostname: string;
  /** The command that an init runs as its child; empty: the container idles until stopped. */
  readonly command: readonly string[];
  /** What the command is asked to end with, as images write it (`SIGQUIT`); absent: SIGTERM. */
  readonly stopSignal?: string | undefined;
  /** Nobody writes to the command's stdin, but it does not end: an open pipe, or a terminal of its own. Absent: it is empty. */
  readonly stdin?: 'open' | 'terminal' | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** Name or uid, with an optional `:group`, looked up in the image's /etc/passwd and /etc/group. */
  readonly user: string;
  readonly workdir: string;
  readonly mounts: readonly Mount[];
  readonly network: 'private' | 'none';
  readonly ports: readonly PortMapping[];
  readonly limits: Limits;
  readonly security: Security;
  /** Absolute host path of a PEM bundle, shown at /run/devenv/ca.pem. */
  readonly certificates: string | undefined;
}

export type ContainerState = 'created' | 'running' | 'exited' | 'gone';

export interface Container {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The topmost layer below what it changed itself. */
  readonly layer: LayerId | undefined;
  /** As published: a host port 0 is replaced by the one that was free. */
  readonly ports: readonly PortMapping[];
  inspect(): Promise<{
    readonly state: ContainerState;
    readonly exitCode?: number;
    readonly oomKilled?: boolean;
    readonly startedAt?: Date;
    /** It runs, but what connected it with the network has ended: `start` brings it back. */
    readonly networkLost?: boolean;
  }>;
  /** These are idempotent: they name the state to reach. */
  start(): Promise<void>;
  stop(options?: { readonly graceSeconds?: number }): Promise<void>;
  remove(): Promise<void>;
  exec(command: readonly string[], options: ExecOptions): Promise<Process>;
  /**
   * What was changed in it becomes a layer, and stays in the container, too. Mounts are not in it. While it runs this is what is
   * there file by file: stop it for all of one moment.
   */
  commit(): Promise<LayerId>;
  /** Shows `look` the change set that `commit` would make a layer of, as overlayfs has it; it is gone afterwards. */
  changes<T>(look: (directory: string) => T): Promise<T>;
  /** A tar of a path inside, its names beginning with the path's last; of `/`, without what is mounted in it. @throws UserError FILE_NOT_FOUND */
  archive(path: string): AsyncIterable<Buffer>;
  /** Copies between a path inside and an absolute one of this machine, as cp -r does. @throws UserError FILE_NOT_FOUND, BAD_VALUE */
  copyOut(path: string, target: string, options: CopyOptions): Promise<void>;
  copyIn(source: string, path: string, options: CopyOptions): Promise<void>;
  /** What it uses at this moment; nothing when it does not run. What the engine cannot find out is absent. */
  use(): Promise<ContainerUse>;
  /** Bytes on the disk of what it changed and wrote: its volumes and layers are not its own. Walks them. */
  size(): Promise<number>;
  /** What its command has written to stdout and stderr, oldest first, as far as it is kept; what `exec` runs is not in it. */
  logs(options: LogOptions): AsyncIterable<LogLine>;
  /**
   * Brings in line what can change without a restart: variables of new sessions, published ports, limits of memory, CPU and
   * processes, labels. Idempotent; also while the container is stopped.
   * @throws UserError PORT_TAKEN: then the ports are as they were
   */
  update(changes: Pick<ContainerSpec, 'env' | 'ports' | 'limits' | 'labels'>): Promise<void>;
}

/** Limits are absent where there are none. */
export interface ContainerUse {
  /** Without what the kernel can have back at any time. */
  readonly memory?: { readonly bytes: number; readonly limit?: number };
  /** Processor time since it was started; the limit is in processors. */
  readonly cpu?: { readonly seconds: number; readonly limit?: number };
  /** Processes and threads. */
  readonly pids?: { readonly count: number; readonly limit?: number };
  /** Bytes since it was started. */
  readonly network?: { readonly received: number; readonly sent: number } | undefined;
}

export interface CopyOptions {
  /** Owners as they are; else what comes out is the caller's, and what goes in is root's. */
  readonly keepOwners: boolean;
  /** Hears of devices, pipes and sockets, which are left out. */
  readonly onLeftOut: (name: string) => void;
}

export interface LogOptions {
  /** Go on until the container has stopped. */
  readonly follow: boolean;
  /** How many lines of those that are there; default all. */
  readonly tail?: number;
  /** An abort ends the log, with no error. */
  readonly signal?: AbortSignal;
  /** Called where lines may be missing, since the log had become too long. */
  readonly onGap?: () => void;
}

export interface LogLine {
  /** RFC 3339, with up to nine decimals. */
  readonly time: string;
  readonly stream: 'stdout' | 'stderr';
  /** Without its line feed. */
  readonly bytes: Uint8Array;
  /** `false`: the line goes on in the next entry of its stream, or has no end. */
  readonly complete: boolean;
}

export interface ExecOptions {
  /** Added to the container's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly workdir?: string;
  /** A terminal inside, connected to ours; needs `stdio: 'inherit'` on a terminal. */
  readonly terminal?: boolean;
  /** `inherit`: our own descriptors, bytes untouched. */
  readonly stdio: 'inherit' | 'pipe';
  /** With `inherit`: what it says is added to the container's log, too, as far as one part of that goes. */
  readonly logged?: boolean;
}

export interface Process {
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  kill(signal: NodeJS.Signals): void;
  /** Ends the command and what it started: asks first, and kills what does not end within two seconds. */
  end(): Promise<void>;
  /** Gives the terminal inside another size, in characters. */
  resize(columns: number, rows: number): void;
  /** 128+n when a signal ended it. */
  readonly exit: Promise<{ readonly exitCode: number; readonly oomKilled: boolean }>;
}

export interface Engine extends Runner {
  /** Absent where an engine can run images but not build them. */
  readonly builder: Builder;
}
