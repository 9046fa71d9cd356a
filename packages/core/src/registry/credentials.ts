import { join } from 'node:path';
import { readText } from '../base/files.ts';

/** What a user told the tools of this machine about a registry. Never written to a log. */
export type Credentials =
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  /** A refresh token of OAuth 2. */
  | { readonly kind: 'identity'; readonly token: string }
  /** A token to send as it is. */
  | { readonly kind: 'bearer'; readonly token: string };

/**
 * Credentials for a host, from the files that docker, podman and skopeo write: $REGISTRY_AUTH_FILE, podman's own, then
 * $DOCKER_CONFIG/config.json or ~/.docker/config.json. `repository` chooses the most exact entry (containers-auth.json(5)).
 */
export function findCredentials(
  host: string,
  repository: string,
  env: Readonly<Record<string, string | undefined>>,
): Credentials | undefined {
  for (const file of files(env)) {
    const found = inFile(file, host, repository);
    if (found) return found;
  }
  return undefined;
}

/** Docker Hub has one set of credentials and several hosts. */
export function isDockerHub(host: string): boolean {
  return ['docker.io', 'index.docker.io', 'registry-1.docker.io', 'auth.docker.io'].includes(host);
}

function files(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const docker = env['DOCKER_CONFIG'] || (env['HOME'] ? join(env['HOME'], '.docker') : undefined);
  const podman = env['XDG_RUNTIME_DIR'] ? join(env['XDG_RUNTIME_DIR'], 'containers/auth.json') : undefined;
  return [env['REGISTRY_AUTH_FILE'], podman, docker && join(docker, 'config.json')].filter((path): path is string => !!path);
}

function inFile(path: string, host: string, repository: string): Credentials | undefined {
  const auths = authsOf(path);
  for (const key of keysOf(host, repository)) {
    for (const name of [key, `https://${key}`, `http://${key}`, `https://${key}/v1/`, `https://${key}/v2/`]) {
      const found = Object.hasOwn(auths, name) ? credentialsOf(auths[name]) : undefined;
      if (found) return found;
    }
  }
  return undefined;
}

function authsOf(path: string): Record<string, unknown> {
  try {
    const document = JSON.parse(readText(path) ?? '{}') as { auths?: unknown } | null;
    return document && typeof document.auths === 'object' && document.auths ? (document.auths as Record<string, unknown>) : {};
  } catch {
    return {}; // not ours to repair; anonymous access may do
  }
}

/** `host/a/b`, `host/a`, `host`; for Docker Hub its old name, too. */
function keysOf(host: string, repository: string): readonly string[] {
  const hosts = isDockerHub(host) ? ['docker.io', 'index.docker.io', 'registry-1.docker.io'] : [host];
  const parts = repository.split('/');
  const paths = parts.map((_, index) => parts.slice(0, parts.length - index).join('/'));
  return hosts.flatMap((name) => [...(repository === '' ? [] : paths.map((path) => `${name}/${path}`)), name]);
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
