/** A value for devenv.json and where it comes from, which becomes its comment. */
export interface Sourced<T> {
  readonly value: T;
  /** `EXPOSE of Dockerfile`. One line. */
  readonly from: string;
}

/** A step as devenv.json writes it. */
export type StepValue =
  | { readonly name?: string; readonly apt: readonly string[] }
  | {
      readonly name?: string;
      readonly run: string;
      readonly inputs?: readonly string[];
      readonly outputs?: readonly string[];
      readonly env?: Readonly<Record<string, string>>;
      readonly user?: string;
      readonly cache?: readonly string[];
    };

export interface ProposedStep {
  readonly comment: string;
  readonly step: StepValue;
}

export type BaseValue = string | { readonly debian: string; readonly packages: readonly string[] };
export type HookValue = string | readonly string[] | Readonly<Record<string, string | readonly string[]>>;
export type CommandValue = string | readonly string[];

/** What a file of the repository, or an image, says about the environment. */
export interface Finding {
  readonly image?: Sourced<string>;
  readonly workspace?: Sourced<string>;
  readonly user?: Sourced<string>;
  readonly packages?: Sourced<readonly string[]>;
  readonly env?: Readonly<Record<string, Sourced<string>>>;
  readonly ports?: readonly Sourced<number | string>[];
  readonly command?: Sourced<CommandValue>;
  readonly create?: Sourced<HookValue>;
  readonly extensions?: Sourced<readonly string[]>;
  /** What was seen and not taken over, and why. */
  readonly notes?: readonly string[];
}

/** Everything that the file will say. */
export interface Proposal extends Omit<Finding, 'image' | 'user' | 'packages'> {
  readonly base: Sourced<BaseValue>;
  readonly user: Sourced<string>;
  readonly steps: readonly ProposedStep[];
  /** What was recognised: `Node.js 24 (.nvmrc)`. */
  readonly recognised: readonly string[];
  /** The command that tests the project, for a shell. */
  readonly test: string | undefined;
}
