/** What devenv.json says, checked, defaulted, and with `${localEnv}` and folder variables filled in: plain data. */
export interface Config {
  /** The file's own name in its folder's real path. */
  readonly path: string;
  /** The workspace: the folder that holds the file, absolute and real. */
  readonly folder: string;
  /** Default: the folder's own name. */
  readonly name: string;
  readonly base: Base;
  /** `linux/arm64`; undefined: this machine's. */
  readonly platform: string | undefined;
  readonly args: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
  /** undefined: the image's own. */
  readonly user: string | undefined;
  /** Absolute path inside, default /workspace. */
  readonly workspace: string;
  readonly command: readonly string[] | undefined;
  readonly entrypoint: readonly string[] | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly healthcheck: Healthcheck | undefined;
  /** Values may still hold `${containerEnv:NAME}`; they are filled in when the image is known. */
  readonly env: Readonly<Record<string, string>>;
  readonly mounts: readonly ConfigMount[];
  readonly ports: readonly ConfigPort[];
  readonly limits: { readonly memory?: number; readonly cpus?: number; readonly pids?: number; readonly shm?: number };
  readonly security: {
    /** `CAP_SYS_PTRACE` or `ALL`, sorted. */
    readonly capAdd: readonly string[];
    readonly capDrop: readonly string[];
    /** `default`, `unconfined`, or an absolute path of a profile. */
    readonly seccomp: string;
    readonly noNewPrivileges: boolean;
    readonly readonlyRoot: boolean;
    readonly privileged: boolean;
  };
  readonly certificates: boolean;
  /** Repositories of steps that others made, and where those made here go. */
  readonly cache: { readonly from: readonly string[]; readonly to: string | undefined };
  readonly hooks: { readonly create: readonly Hook[]; readonly start: readonly Hook[]; readonly attach: readonly Hook[] };
  readonly customizations: { readonly [name: string]: unknown };
}

/** Paths are absolute host paths: they say where to read, and are no part of a key. */
export type Base =
  | { readonly kind: 'registry'; readonly reference: string }
  | { readonly kind: 'archive'; readonly path: string }
  | { readonly kind: 'layout'; readonly path: string }
  | { readonly kind: 'scratch' }
  | {
      readonly kind: 'debian';
      readonly suite: string;
      readonly packages: readonly string[];
      readonly mirror: string | undefined;
      readonly snapshot: string | undefined;
    };

/** Where a thing stands in a file; lines and columns count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export type Step = RunStep | CopyStep | AptStep | EnvStep;

interface StepCommon {
  /** As written, or made from the step's text: `apt git curl`, `npm ci`. Unique names are not required. */
  readonly name: string;
  readonly place: Place;
}

export interface RunStep extends StepCommon {
  readonly kind: 'run';
  /** argv; a string in the file is `/bin/sh -c` with it. */
  readonly command: readonly string[];
  /** Workspace-relative paths or globs, sorted; then those that `!` takes out, sorted. None leads out of the workspace by its text. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** undefined: root, or the environment's user when there are outputs. */
  readonly user: string | undefined;
  /** Absolute; undefined: the workspace's path. */
  readonly workdir: string | undefined;
  readonly cache: readonly string[];
  readonly secrets: readonly string[];
  readonly network: boolean;
}

export interface CopyStep extends StepCommon {
  readonly kind: 'copy';
  /** Workspace-relative paths or globs. */
  readonly from: readonly string[];
  /** Absolute; ends in `/` when it names a directory to copy into. */
  readonly to: string;
  /** Permission bits; undefined: 0644 or 0755 by the executable bit. */
  readonly mode: number | undefined;
  readonly owner: string | undefined;
}

export interface AptStep extends StepCommon {
  readonly kind: 'apt';
  /** In sorted order, each once. */
  readonly packages: readonly string[];
}

export interface EnvStep extends StepCommon {
  readonly kind: 'env';
  /** Values may hold `${containerEnv:NAME}`. */
  readonly env: Readonly<Record<string, string>>;
}

export type ConfigMount =
  | { readonly type: 'bind'; readonly source: string; readonly target: string; readonly readonly: boolean; readonly optional: boolean }
  | { readonly type: 'volume'; readonly source: string; readonly target: string; readonly readonly: boolean }
  | { readonly type: 'tmpfs'; readonly target: string; readonly size: number | undefined };

export interface ConfigPort {
  readonly hostAddress: string;
  /** 0: any free one. */
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp';
}

export interface Hook {
  /** The member's name when the hook is an object, else undefined. Hooks of one event run in parallel when named. */
  readonly name: string | undefined;
  readonly command: readonly string[];
}

export interface Healthcheck {
  readonly test: readonly string[];
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  readonly retries: number;
  readonly startPeriodSeconds: number;
}
