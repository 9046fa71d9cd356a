import type { Options } from './contract.ts';
import { openRegistry } from './open-tools.ts';
import type { FoundRepository, StoredCredentials } from './registry/registry.ts';

/** Docker Hub is meant when no host is named. */
const hub = 'docker.io';

/** Asks the registry whether it takes the credentials, and only then keeps them. */
export async function login(
  options: Options & { readonly registry?: string; readonly user: string; readonly password: string },
): Promise<StoredCredentials & { readonly registry: string }> {
  const registry = hostOf(options.registry);
  const { user, password, signal } = options;
  return { registry, ...(await (await openRegistry(options)).login(registry, { user, password }, signal)) };
}

/** Gives the places that had credentials of the registry. */
export async function logout(
  options: Options & { readonly registry?: string },
): Promise<{ readonly registry: string; readonly places: readonly StoredCredentials[] }> {
  const registry = hostOf(options.registry);
  return { registry, places: await (await openRegistry(options)).logout(registry) };
}

/** Repositories whose name has the text. `host/text` asks that registry, else Docker Hub. */
export async function search(options: Options & { readonly text: string; readonly limit?: number }): Promise<readonly FoundRepository[]> {
  const { registry, text } = target(options.text);
  const limit = options.limit === undefined ? {} : { limit: options.limit };
  return (await openRegistry(options)).search({ registry, text, signal: options.signal, ...limit });
}

/** Every tag of a repository. */
export async function tags(options: Options & { readonly repository: string }): Promise<readonly string[]> {
  const { parseReference } = await import('./oci/reference.ts');
  return (await openRegistry(options)).tags(parseReference(options.repository), options.signal);
}

function target(text: string): { readonly registry: string; readonly text: string } {
  const slash = text.indexOf('/');
  const host = text.slice(0, Math.max(0, slash));
  return /[.:]|^localhost$/.test(host) ? { registry: host, text: text.slice(slash + 1) } : { registry: hub, text };
}

/** `https://index.docker.io/v1/` and such are what Docker's own files call the Hub. */
function hostOf(text: string | undefined): string {
  const host = (text ?? hub).replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return /^(?:index|registry-1)\.docker\.io$/.test(host) ? hub : host;
}
