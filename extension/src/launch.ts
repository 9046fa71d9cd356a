/** A devenv that was started. */
export interface Running {
  /** Its exit code. @throws LaunchError when it could not be started */
  readonly exit: Promise<number>;
  /** As Ctrl-C: it ends what it does and leaves everything whole. */
  interrupt(): void;
}

export interface Listener {
  readonly onStdout: (text: string) => void;
  readonly onStderr: (text: string) => void;
}

/** Starts devenv where the folders are: as a process, or by way of the host that serves this window. */
export type Launch = (args: readonly string[], listener: Listener) => Running;

/** devenv could not be started: `missing` says whether the program was not found. */
export class LaunchError extends Error {
  readonly missing: boolean;

  constructor(message: string, missing: boolean) {
    super(message);
    this.missing = missing;
  }
}
