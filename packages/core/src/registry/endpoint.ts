import { isLoopback } from '../base/http.ts';

/** What the user's configuration says of a registry. */
export interface RegistrySettings {
  /** Addresses that are asked first for what is pulled; a path is put before the repository. */
  readonly mirrors?: readonly string[];
  /** Absolute path of a file of authorities that sign its certificate. */
  readonly ca?: string;
  /** It is spoken to without encryption. */
  readonly insecure?: boolean;
  /** Another host that may be given the credentials of this one, for a token. */
  readonly tokenServer?: string;
}

/** By host (and port) as in names of images. */
export type Settings = Readonly<Record<string, RegistrySettings>>;

/** Where a registry is spoken to. */
export class Endpoint {
  /** Whose credentials are used, and what messages call it. */
  readonly host: string;
  readonly #url: URL;
  readonly #settings: Settings;
  /** This machine itself may speak either: found out by the first request. */
  readonly #mayBePlain: boolean;

  static ofRegistry(host: string, settings: Settings): Endpoint {
    return new Endpoint(host, new URL(`https://${host === 'docker.io' ? 'registry-1.docker.io' : host}`), settings);
  }

  static ofMirror(address: string, settings: Settings): Endpoint {
    const url = new URL(address);
    return new Endpoint(url.host, url, settings);
  }

  private constructor(host: string, url: URL, settings: Settings) {
    this.host = host;
    this.#settings = settings;
    this.#url = url;
    const { insecure, ca } = settingsOf(settings, host);
    url.protocol = insecure ? 'http:' : 'https:';
    this.#mayBePlain = !insecure && ca === undefined && isLoopback(url.hostname);
  }

  get origin(): string {
    return this.#url.origin;
  }

  /** The repository's own address, with a slash at its end; of the empty one, that of the interface as a whole. */
  repository(name: string): URL {
    const path = [this.#url.pathname.replace(/^\/+|\/+$/g, ''), name].filter((part) => part !== '').join('/');
    return new URL(`/v2/${path}${path === '' ? '' : '/'}`, this.#url);
  }

  /** It does not speak https: whether it is allowed to. Later requests know. */
  becomePlain(): boolean {
    if (this.#mayBePlain) this.#url.protocol = 'http:';
    return this.#mayBePlain;
  }

  /** Whether something may be fetched from an address that the registry names: https, or http where the registry itself has it. */
  allows(url: URL): boolean {
    if (url.protocol === 'https:') return true;
    if (url.protocol !== 'http:') return false;
    return (isLoopback(url.hostname) && isLoopback(this.#url.hostname)) || settingsOf(this.#settings, url.host).insecure === true;
  }

  /**
   * Whether a token server may have the credentials of this registry: it is the registry itself, or one of the two public
   * services that are known to have theirs elsewhere, or the user's configuration names it.
   */
  sharesCredentialsWith(url: URL): boolean {
    const known = settingsOf(this.#settings, this.host).tokenServer ?? publicTokenServers[this.host];
    return url.origin === this.origin || url.host === known;
  }
}

const publicTokenServers: Readonly<Record<string, string>> = {
  'docker.io': 'auth.docker.io',
  'registry-1.docker.io': 'auth.docker.io',
  'index.docker.io': 'auth.docker.io',
  'registry.gitlab.com': 'gitlab.com',
};

export function settingsOf(settings: Settings, host: string): RegistrySettings {
  return Object.hasOwn(settings, host) ? settings[host]! : {};
}
