import { UserError } from '../base/errors.ts';
import { CredentialHelper } from './credential-helper.ts';
import { credentialFiles, ownCredentialFile, writeAuths, type CredentialFile } from './credential-files.ts';
import type { Credentials, Password, StoredCredentials } from './registry.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Credentials for a host, from the files that docker, podman and skopeo write, or from the helpers that these name. `repository`
 * chooses the most exact entry (containers-auth.json(5)). A helper that does not work has none: anonymous access may do.
 */
export async function findCredentials(
  host: string,
  repository: string,
  env: Environment,
  onTrouble: (trouble: UserError) => void = () => {},
): Promise<Credentials | undefined> {
  for (const file of credentialFiles(env)) {
    const found = inAuths(file, host, repository) ?? (await inHelpers(file, host, env, onTrouble));
    if (found) return found;
  }
  return undefined;
}

/** Keeps a password with the helper that Docker's configuration names, else in its file. @throws UserError */
export async function storeCredentials(host: string, credentials: Password, env: Environment): Promise<StoredCredentials> {
  const file = ownCredentialFile(env);
  const helper = helpersOf(file, host, env)[0];
  const server = serverName(host);
  if (helper) {
    await helper.store(server, credentials);
    // Docker keeps an empty entry, by which `docker logout` knows of it; a password from before goes.
    writeAuths(file, { ...without(file.auths, host), [server]: {} });
    return { kind: 'helper', place: helper.program };
  }
  const auth = Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64');
  writeAuths(file, { ...without(file.auths, host), [server]: { auth } });
  return { kind: 'file', place: file.path };
}

/** Forgets the credentials of a host everywhere. Gives the places that had some. @throws UserError */
export async function eraseCredentials(host: string, env: Environment): Promise<readonly StoredCredentials[]> {
  const places: StoredCredentials[] = [];
  for (const file of credentialFiles(env)) {
    for (const helper of helpersOf(file, host, env)) {
      if (!(await helper.get(serverName(host)))) continue;
      await helper.erase(serverName(host));
      places.push({ kind: 'helper', place: helper.program });
    }
    const rest = without(file.auths, host);
    if (Object.keys(rest).length === Object.keys(file.auths).length) continue;
    const had = inAuths(file, host, '') !== undefined;
    writeAuths(file, rest);
    if (had) places.push({ kind: 'file', place: file.path });
  }
  return places;
}

/** Docker Hub has one set of credentials and several hosts. */
export function isDockerHub(host: string): boolean {
  return hubHosts.includes(host) || host === 'auth.docker.io';
}

const hubHosts = ['docker.io', 'index.docker.io', 'registry-1.docker.io'];

/** What Docker's files and helpers call a registry. */
function serverName(host: string): string {
  return isDockerHub(host) ? 'https://index.docker.io/v1/' : host;
}

function inAuths({ auths }: CredentialFile, host: string, repository: string): Credentials | undefined {
  for (const key of keysOf(host, repository)) {
    for (const name of spellings(key)) {
      const found = Object.hasOwn(auths, name) ? credentialsOf(auths[name]) : undefined;
      if (found) return found;
    }
  }
  return undefined;
}

async function inHelpers(
  file: CredentialFile,
  host: string,
  env: Environment,
  onTrouble: (trouble: UserError) => void,
): Promise<Credentials | undefined> {
  for (const helper of helpersOf(file, host, env)) {
    try {
      const found = await helper.get(serverName(host));
      if (found) return found;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      onTrouble(error);
    }
  }
  return undefined;
}

/** The helper for the host, or the one for all: where the first is named, Docker does not ask the second. */
function helpersOf(file: CredentialFile, host: string, env: Environment): readonly CredentialHelper[] {
  const own = keysOf(host, '')
    .flatMap(spellings)
    .find((name) => Object.hasOwn(file.helpers, name));
  const helper = CredentialHelper.named(own === undefined ? file.store : file.helpers[own], env);
  return helper ? [helper] : [];
}

function without(auths: Readonly<Record<string, unknown>>, host: string): Record<string, unknown> {
  const names = keysOf(host, '').flatMap(spellings);
  return Object.fromEntries(Object.entries(auths).filter(([name]) => !names.includes(name)));
}

/** `host/a/b`, `host/a`, `host`; for Docker Hub its old names, too. */
function keysOf(host: string, repository: string): readonly string[] {
  const hosts = isDockerHub(host) ? hubHosts : [host];
  const parts = repository.split('/');
  const paths = parts.map((_, index) => parts.slice(0, parts.length - index).join('/'));
  return hosts.flatMap((name) => [...(repository === '' ? [] : paths.map((path) => `${name}/${path}`)), name]);
}

function spellings(key: string): readonly string[] {
  return [key, `https://${key}`, `http://${key}`, `https://${key}/v1/`, `https://${key}/v2/`];
}

function credentialsOf(value: unknown): Credentials | undefined {
  if (value === null || typeof value !== 'object') return undefined;
  const { auth, username, password, identitytoken, registrytoken } = value as Record<string, unknown>;
  if (typeof registrytoken === 'string' && registrytoken) return { kind: 'bearer', token: registrytoken };
  if (typeof identitytoken === 'string' && identitytoken) return { kind: 'identity', token: identitytoken };
  if (typeof username === 'string' && username && typeof password === 'string') return { kind: 'password', user: username, password };
  if (typeof auth !== 'string' || !auth) return undefined;
  const text = Buffer.from(auth, 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { kind: 'password', user: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') };
}
