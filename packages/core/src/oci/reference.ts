import { UserError } from '../base/errors.ts';
import { isDigest, type Digest } from './digest.ts';

/** A name of an image, complete: `docker.io/library/node:24@sha256:…`. */
export interface Reference {
  /** Host and optional port, as written; `docker.io` when the name had none. */
  readonly registry: string;
  readonly repository: string;
  /** `latest` when the name had neither tag nor digest. */
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

/**
 * Reads a name as Docker does (github.com/distribution/reference): `node`, `node:24`, `quay.io/a/b`, `localhost:5000/c@sha256:…`.
 * @throws UserError BAD_VALUE
 */
export function parseReference(text: string): Reference {
  const match = /^(.*?)(?::([^:/@]*))?(?:@(.*))?$/s.exec(text)!;
  const [name, tag, digest] = [match[1]!, match[2], match[3]];
  if (tag !== undefined && !tagPattern.test(tag)) throw bad(text, `its tag ${JSON.stringify(tag)} is none`);
  if (digest !== undefined && !isDigest(digest)) throw bad(text, 'its digest is not sha256: and 64 hexadecimal digits');
  const [registry, repository] = splitName(name);
  if (!registryPattern.test(registry)) throw bad(text, `${JSON.stringify(registry)} is no host`);
  if (repository.length > 255) throw bad(text, 'it is longer than 255 characters');
  if (!repositoryPattern.test(repository)) {
    const lower = repository.toLowerCase();
    throw bad(
      text,
      repositoryPattern.test(lower) ? `the repository must be lower case: ${lower}` : `${JSON.stringify(name)} is no repository`,
    );
  }
  if (/^[0-9a-f]{64}$/.test(name)) throw bad(text, 'it is an identifier, not a name');
  return { registry, repository, tag: tag ?? (digest === undefined ? 'latest' : undefined), digest };
}

/** The complete name: `parseReference(formatReference(r))` is r. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${reference.registry}/${reference.repository}${tag}${digest}`;
}

/** As people write a complete name: `docker.io/library/node:24` is `node:24`. What it gives is read as the same name. */
export function familiarName(complete: string): string {
  return complete.replace(/^docker\.io\/(?:library\/(?=[^/]*$)|(?!localhost\/|[^/]*[.:][^/]*\/|library\/))/, '');
}

const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const hostPart = '(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])';
const registryPattern = new RegExp(`^(?:${hostPart}(?:\\.${hostPart})*|\\[[0-9A-Fa-f:]+\\])(?::[0-9]+)?$`);
const pathPart = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const repositoryPattern = new RegExp(`^${pathPart}(?:/${pathPart})*$`);

/** The first part is a host when it looks like one: a dot, a port, `localhost` or a capital letter. */
function splitName(name: string): [registry: string, repository: string] {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(0, slash));
  const isHost = slash >= 0 && (/[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first);
  if (isHost && first !== 'docker.io' && first !== 'index.docker.io') return [first, name.slice(slash + 1)];
  const rest = isHost ? name.slice(slash + 1) : name;
  return ['docker.io', rest.includes('/') ? rest : `library/${rest}`];
}

function bad(text: string, why: string): UserError {
  return new UserError('BAD_VALUE', `${JSON.stringify(text)} is no name of an image: ${why}.`, {
    hint: 'Write it as docker pull takes it: node:24, ghcr.io/owner/name:tag, localhost:5000/name@sha256:…',
  });
}
