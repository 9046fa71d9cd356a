import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../base/errors.ts';
import { readText, writeFileAtomically } from '../base/files.ts';

/** Docker's config.json as far as it is about credentials (docker/cli, cli/config/configfile); podman's auth.json is the same. */
export interface CredentialFile {
  readonly path: string;
  /** By host, or host and path, in the spellings of every tool. */
  readonly auths: Readonly<Record<string, unknown>>;
  /** Name of the helper that keeps everything, and of those for some hosts: `docker-credential-NAME`. */
  readonly store: string | undefined;
  readonly helpers: Readonly<Record<string, unknown>>;
  /** Everything, to be written back; undefined when the file is no JSON object. */
  readonly document: Readonly<Record<string, unknown>> | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** $REGISTRY_AUTH_FILE, podman's own, then $DOCKER_CONFIG/config.json or ~/.docker/config.json: in this order they are asked. */
export function credentialFiles(env: Environment): readonly CredentialFile[] {
  const podman = env['XDG_RUNTIME_DIR'] ? join(env['XDG_RUNTIME_DIR'], 'containers/auth.json') : undefined;
  return [env['REGISTRY_AUTH_FILE'], podman, dockerFile(env)].filter((path): path is string => !!path).map(readCredentialFile);
}

/** The file that a login is written to. @throws UserError NOT_WRITABLE when the environment names none */
export function ownCredentialFile(env: Environment): CredentialFile {
  const path = env['REGISTRY_AUTH_FILE'] || dockerFile(env);
  if (!path) throw new UserError('NOT_WRITABLE', 'There is no place to keep credentials in.', { hint: 'Set HOME or DOCKER_CONFIG.' });
  return readCredentialFile(path);
}

/** Replaces the credentials of a file and keeps what else it says. Only its owner can read it. @throws UserError NOT_WRITABLE */
export function writeAuths(file: CredentialFile, auths: Readonly<Record<string, unknown>>): void {
  if (!file.document)
    throw new UserError('NOT_WRITABLE', `${file.path} is no JSON object: what it says would be lost.`, {
      hint: 'Repair it, or move it away.',
    });
  try {
    writeFileAtomically(realPath(file.path), `${JSON.stringify({ ...file.document, auths }, undefined, '\t')}\n`, 0o600);
  } catch (error) {
    throw new UserError('NOT_WRITABLE', `${file.path} cannot be written: ${(error as NodeJS.ErrnoException).code}`, { cause: error });
  }
}

function dockerFile(env: Environment): string | undefined {
  const folder = env['DOCKER_CONFIG'] || (env['HOME'] ? join(env['HOME'], '.docker') : undefined);
  return folder && join(folder, 'config.json');
}

/** What cannot be read says nothing: anonymous access may do. */
function readCredentialFile(path: string): CredentialFile {
  const document = readDocument(path);
  const { auths, credsStore, credHelpers } = document ?? {};
  return {
    path,
    auths: isObject(auths) ? auths : {},
    store: typeof credsStore === 'string' && credsStore !== '' ? credsStore : undefined,
    helpers: isObject(credHelpers) ? credHelpers : {},
    document,
  };
}

function readDocument(path: string): Record<string, unknown> | undefined {
  try {
    const text = readText(path);
    if (text === undefined || text.trim() === '') return {};
    const document: unknown = JSON.parse(text);
    return isObject(document) ? document : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A file that is kept elsewhere and linked to stays so. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
