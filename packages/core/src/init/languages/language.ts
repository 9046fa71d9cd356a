import type { ProposedStep, Sourced } from '../proposal.ts';
import type { Repository } from '../repository.ts';

/** Where a project's steps will run. */
export interface Place {
  readonly user: string;
  /** The user's home inside. */
  readonly home: string;
  /** The base, when it is an image with a name; undefined: a bare Debian. */
  readonly image: string | undefined;
}

/** A language that a repository is written in. */
export interface Found {
  readonly name: string;
  /** The file it was recognised by. */
  readonly from: string;
  /** As far as the repository says one. */
  readonly version: Sourced<string> | undefined;
  /** Its official image on Debian, in the version wanted; undefined: there is none. */
  readonly image: string | undefined;
  /** Repositories of images that hold it. */
  readonly images: RegExp;
  /** Debian packages that give it to a base without it. */
  readonly packages: readonly string[];
  steps(place: Place): readonly ProposedStep[];
  readonly env?: Readonly<Record<string, Sourced<string>>>;
  /** A hook for what needs the sources. */
  readonly create?: Sourced<string>;
  readonly test: string | undefined;
}

/** Recognises one language. */
export type Detector = (repository: Repository) => Found | undefined;

/** Those of the paths that are there. */
export function present(repository: Repository, ...paths: readonly string[]): readonly string[] {
  return paths.filter((path) => repository.has(path));
}

/** The first of several version files that names one. `.tool-versions` is asdf's and mise's: `nodejs 24.1.0`. */
export function versionFrom(repository: Repository, file: string, tool: string): Sourced<string> | undefined {
  const own = /^[^#\s]+/m.exec(repository.text(file) ?? '')?.[0];
  if (own) return { value: own, from: file };
  for (const line of (repository.text('.tool-versions') ?? '').split('\n')) {
    const [name, value] = line.trim().split(/\s+/);
    if (name === tool && value) return { value, from: '.tool-versions' };
  }
  return undefined;
}

/** `3.12` of `3.12.4`, `v3.12` and `python-3.12.1`; undefined when there are no two numbers. */
export function minorVersion(text: string | undefined): string | undefined {
  return /(\d+\.\d+)/.exec(text ?? '')?.[1];
}
