import type { Config, Step } from '../config/config.ts';
import type { LockedInstall } from '../lock/lock.ts';
import type { ImageConfig } from '../oci/image.ts';
import type { Platform } from '../oci/platform.ts';
import type { KeyParts, StepKey } from '../oci/step-key.ts';
import type { ResolvedBase, ResolvedFile } from '../resolve/resolved.ts';

/** What a plan is made of by the stage before. */
export type { ResolvedBase, ResolvedFile };

/** Everything that will happen, as data: what `devenv plan --json` prints and `build` carries out. */
export interface Plan {
  readonly schema: 1;
  readonly platform: Platform;
  readonly base: PlannedBase;
  readonly steps: readonly PlannedStep[];
  /** The image's execution parameters after the last step. */
  readonly image: ImageConfig;
  readonly container: PlannedContainer;
  /** What the lock does not cover, for people; empty: it is the lock of this plan. Undefined: there is none. */
  readonly outdated?: readonly string[];
}

/** What the environment's container is to be, apart from its layers. */
export interface PlannedContainer extends Pick<
  Config,
  'healthcheck' | 'name' | 'folder' | 'workspace' | 'mounts' | 'ports' | 'limits' | 'security' | 'certificates' | 'hooks' | 'labels'
> {
  /** The image's variables with those of the file over them, all filled in. */
  readonly env: Readonly<Record<string, string>>;
  /** Name or id; root when neither the file nor the image names one. */
  readonly user: string;
  /** Directories of the image that appear inside the mounted workspace, copy-on-write; absolute. */
  readonly outputs: readonly string[];
}

export interface PlannedBase {
  readonly definition: ResolvedBase;
  /** For people: `debian bookworm`, `docker.io/library/node:24`. */
  readonly title: string;
  readonly key: StepKey;
  readonly parts: KeyParts;
  readonly state: 'cached' | 'runs';
  readonly seconds: number | undefined;
  /** Of a debian base that is locked. */
  readonly locked?: LockedInstall;
}

export interface PlannedStep {
  /** Position from 1, as in the file; a step that devenv adds itself (making the user) has none. */
  readonly number: number | undefined;
  readonly name: string;
  readonly definition: Step | UserStep;
  readonly key: StepKey;
  readonly parts: KeyParts;
  /** `config`: it changes only the image's parameters, no layer is made. */
  readonly state: 'cached' | 'runs' | 'config';
  /** How long it took when it ran last (this key, else the nearest earlier one); undefined: never seen. */
  readonly seconds: number | undefined;
  /** The workspace files that the step reads, and where it finds them. */
  readonly files: readonly ResolvedFile[];
  /** Environment, user and directory of the process, for steps that run one. */
  readonly process: StepEnvironment | undefined;
  /** Exactly what it installs, where the lock says it. */
  readonly locked?: LockedInstall;
}

export interface StepEnvironment {
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  readonly workdir: string;
}

/** Makes the environment's user when the image lacks it. */
export interface UserStep {
  readonly kind: 'user';
  readonly name: string;
  readonly user: string;
}
