import { posix } from 'node:path';
import { homeOf } from './acceptable.ts';
import { parseJson, textAt } from './document.ts';
import type { Found, Place } from './languages/language.ts';
import { languages } from './languages/languages.ts';
import { portParts } from './port.ts';
import type { BaseValue, Finding, HookValue, Proposal, ProposedStep, Sourced } from './proposal.ts';
import type { BaseImage } from './read-base-image.ts';
import { readCompose } from './read-compose.ts';
import { readDevcontainer } from './read-devcontainer.ts';
import { readDockerfile } from './read-dockerfile.ts';
import { present } from './languages/language.ts';
import type { Repository } from './repository.ts';

export interface Wishes {
  /** The base named by the user; undefined: what suits the repository. */
  readonly base: BaseImage | 'debian' | undefined;
}

/** The environment that a repository seems to need. Reads only; what it does not understand it leaves out. */
export function propose(repository: Repository, wishes: Wishes): Proposal {
  const found = languages.flatMap((detect) => detect(repository) ?? []);
  // make alone is a tool of a project in another language, not a language.
  const used = found.length > 1 ? found.filter(({ name }) => name !== 'Make') : found;
  const given = typeof wishes.base === 'object' ? wishes.base : undefined;
  const findings = readFindings(repository, used);
  const all: readonly Finding[] = given ? [given, ...findings] : findings;

  const base = chooseBase(wishes, used, findings);
  const image = typeof base.value === 'string' ? base.value : undefined;
  const user = first(all, 'user') ?? { value: 'dev', from: 'created when the image has no such user' };
  const place: Place = { user: user.value, home: homeOf(user.value), image };
  const steps = [...packageSteps(used, all, image, given), ...used.flatMap((language) => language.steps(place))];
  const workspace = first(all, 'workspace');
  const command = first(all, 'command');
  const create = createHook(used, all, steps);
  const extensions = first(all, 'extensions');
  const test = found.map((language) => language.test).find((command_) => command_ !== undefined);
  return {
    base,
    user,
    steps,
    ...(workspace ? { workspace } : {}),
    ...(command ? { command } : {}),
    ...(create ? { create } : {}),
    ...(extensions ? { extensions } : {}),
    env: mergeEnv(used, all),
    ports: mergePorts(all),
    notes: all.flatMap(({ notes }) => notes ?? []),
    recognised: [...used.map(describe), ...readFrom(repository)],
    test,
  };
}

const composeFiles = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml'];
const devcontainerFiles = ['.devcontainer/devcontainer.json', '.devcontainer.json'];

function readFrom(repository: Repository): readonly string[] {
  return present(repository, ...devcontainerFiles, 'Dockerfile', ...composeFiles);
}

/** What speaks of development comes before what speaks of production. */
function readFindings(repository: Repository, used: readonly Found[]): readonly Finding[] {
  const suits = (image: string): boolean => used.length === 0 || used.some((language) => language.images.test(repositoryOf(image)));
  const findings: Finding[] = [];
  const [containerFile] = present(repository, ...devcontainerFiles);
  const container = containerFile === undefined ? undefined : parseJson(repository.text(containerFile) ?? '');
  if (container !== undefined) findings.push(readDevcontainer(container, containerFile!));
  const named = textAt(container, 'build', 'dockerfile') ?? textAt(container, 'dockerFile');
  const dockerfile = named === undefined ? 'Dockerfile' : posix.join(posix.dirname(containerFile!), named);
  const text = dockerfile.startsWith('../') ? undefined : repository.text(dockerfile);
  const [composeFile] = present(repository, ...composeFiles);
  // The ports that a compose file publishes are chosen for this machine, those of a Dockerfile are not.
  const compose = composeFile === undefined ? undefined : readCompose(repository.text(composeFile) ?? '', composeFile);
  if (compose) findings.push(compose);
  const production = text === undefined ? undefined : readDockerfile(text, dockerfile, suits);
  if (production) findings.push(production);
  return findings;
}

function chooseBase(wishes: Wishes, used: readonly Found[], findings: readonly Finding[]): Sourced<BaseValue> {
  const debian = (from: string): Sourced<BaseValue> => ({ value: { debian: 'bookworm', packages: ['ca-certificates'] }, from });
  if (wishes.base === 'debian')
    return debian("Debian 12 from its own signed archive, which needs no registry. Languages come in Debian's versions.");
  if (wishes.base) return { value: wishes.base.image.value, from: `As asked: ${wishes.base.image.from}.` };
  const named = first(findings, 'image');
  if (named) return { value: named.value, from: `Named by ${named.from}.` };
  const official = used.find((language) => language.image !== undefined);
  if (!official) return debian('Debian 12, from its own signed archive: needs no registry.');
  const why = official.version ? `the version is from ${official.version.from}` : 'the repository names no version';
  return { value: official.image!, from: `The official image of ${official.name}; ${why}.` };
}

/** What the base lacks, in one step; nothing for a base that apt is unlikely to be in. */
function packageSteps(
  used: readonly Found[],
  all: readonly Finding[],
  image: string | undefined,
  given: BaseImage | undefined,
): readonly ProposedStep[] {
  const named = all.flatMap(({ packages }) => packages ?? []);
  const lacking = used.filter((language) => !holds(image, language, given));
  if (image !== undefined && /alpine|distroless|scratch|busybox/.test(image)) return [];
  const tools =
    image === undefined ? ['git', 'curl'] : /slim|^docker\.io\/library\/(?:debian|ubuntu)|^(?:debian|ubuntu)\b/.test(image) ? ['git'] : [];
  const packages = new Set([...tools, ...lacking.flatMap((language) => language.packages), ...named.flatMap(({ value }) => value)]);
  if (packages.size === 0) return [];
  const reasons = [...lacking.map((language) => `${language.name} (${language.from})`), ...named.map(({ from }) => from)];
  const comment = reasons.length === 0 ? 'Debian packages.' : `Debian packages for ${reasons.join(', ')}.`;
  return [{ comment, step: { name: 'tools', apt: [...packages] } }];
}

function holds(image: string | undefined, language: Found, given: BaseImage | undefined): boolean {
  if (image === undefined) return false;
  // An image that production runs brings what the project is written in, whatever it is called.
  if (given && language.image !== undefined) return true;
  return language.images.test(repositoryOf(image)) && !(language.image === undefined && image.includes('slim'));
}

/** `docker.io/library/node` of `node:24-alpine`. */
function repositoryOf(image: string): string {
  const name = image.replace(/@.*$/, '').replace(/:[^:/]*$/, '');
  return name.includes('/') ? name : `docker.io/library/${name}`;
}

function mergeEnv(used: readonly Found[], all: readonly Finding[]): Readonly<Record<string, Sourced<string>>> {
  const merged = Object.assign({}, ...all.map(({ env }) => env ?? {}).toReversed()) as Record<string, Sourced<string>>;
  for (const language of used) {
    for (const [name, { value, from }] of Object.entries(language.env ?? {})) {
      // Both want their directories in the path: the language's first.
      const before = name === 'PATH' ? merged[name]?.value : undefined;
      const path = before === undefined ? value : value.replace('${containerEnv:PATH}', before);
      merged[name] = { value: path, from: before === undefined ? from : `${from}; ${merged[name]!.from}` };
    }
  }
  return merged;
}

/** The first that speaks of a port decides. */
function mergePorts(all: readonly Finding[]): readonly Sourced<number | string>[] {
  const taken = new Set<string>();
  return all
    .flatMap(({ ports }) => ports ?? [])
    .filter(({ value }) => {
      const { host, container } = portParts(value);
      if (taken.has(`host ${host}`) || taken.has(`container ${container}`)) return false;
      taken.add(`host ${host}`).add(`container ${container}`);
      return true;
    });
}

/** What a step installs already needs no hook. */
function createHook(used: readonly Found[], all: readonly Finding[], steps: readonly ProposedStep[]): Sourced<HookValue> | undefined {
  const named = first(all, 'create') ?? used.map(({ create }) => create).find((hook) => hook !== undefined);
  const installs =
    /^\s*(?:npm (?:ci|i|install)|yarn(?: install)?|pnpm (?:i|install)|pip3? install (?:--user )?-r \S+|bundle install|composer install|poetry install|uv sync|go mod download)\s*$/;
  const covered = typeof named?.value === 'string' && installs.test(named.value) && steps.some(({ step }) => step.name === 'deps');
  return covered ? undefined : named;
}

function describe({ name, from, version }: Found): string {
  return version ? `${name} ${version.value} (${version.from})` : `${name} (${from})`;
}

function first<Name extends keyof Finding>(findings: readonly Finding[], name: Name): NonNullable<Finding[Name]> | undefined {
  return findings.map((finding) => finding[name]).find((value): value is NonNullable<Finding[Name]> => value !== undefined);
}
