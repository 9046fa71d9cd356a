import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, utimesSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../base/errors.ts';
import { httpClient, HttpFailure, type HttpResponse } from '../base/http.ts';
import type { LockedInstall, LockedPackage } from '../lock/lock.ts';

export interface PackageStoreOptions {
  /** Holds NAME.deb files named by their SHA-256. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `https://snapshot.example/{archive}/{timestamp}/{path}`: where packages are that their archive has no more. */
  readonly snapshots: string | undefined;
  readonly offline: boolean;
}

/** What `fetch` needs of a package; the hash is unknown when it is to be found out. */
export type WantedPackage = Omit<LockedPackage, 'sha256'> & { readonly name: string; readonly sha256: string | undefined };

/** Debian packages as files of this machine, by their hash. */
export class PackageStore {
  readonly folder: string;
  readonly #options: PackageStoreOptions;
  readonly #get: ReturnType<typeof httpClient>;

  constructor(options: PackageStoreOptions) {
    this.#options = options;
    this.folder = options.folder;
    this.#get = httpClient(options.env);
  }

  /** Names of those that are not on this machine. */
  missing({ packages = {} }: LockedInstall): readonly string[] {
    return Object.entries(packages).flatMap(([name, { sha256, version }]) =>
      existsSync(this.#path(sha256)) ? [] : [`${name} ${version}`],
    );
  }

  /**
   * The file of a package, from this machine, from where it was, or from a snapshot archive. Its bytes are those of its hash.
   * @throws UserError PACKAGE_UNAVAILABLE, DIGEST_MISMATCH, OFFLINE
   */
  async fetch(wanted: WantedPackage, archiveTime: string | undefined, signal: AbortSignal): Promise<{ path: string; sha256: string }> {
    const { sha256 } = wanted;
    if (sha256 !== undefined && this.#isHere(sha256)) return { path: this.#path(sha256), sha256 };
    const title = `${wanted.name} ${wanted.version}`;
    if (this.#options.offline) throw new UserError('OFFLINE', `The package ${title} is not on this machine.`, { hint: offlineHint });
    const failures: string[] = [];
    let mismatch = false;
    for (const url of [wanted.url, ...this.#snapshotsOf(wanted.url, archiveTime)]) {
      try {
        const found = await this.#download(url, signal);
        if (sha256 === undefined || found === sha256) return { path: this.#path(found), sha256: found };
        rmSync(this.#path(found), { force: true });
        mismatch = true;
        failures.push(`${url} has other bytes: their SHA-256 is ${found}, the lock says ${sha256}`);
      } catch (error) {
        if (!(error instanceof HttpFailure)) throw error;
        failures.push(error.message.startsWith(url) ? error.message : `${url}: ${error.message}`);
      }
    }
    throw new UserError(
      mismatch ? 'DIGEST_MISMATCH' : 'PACKAGE_UNAVAILABLE',
      `The package ${title} cannot be had as it was locked.\n${failures.join('\n')}`,
      {
        hint: mismatch
          ? 'Nothing was installed. Find out who changed the package before you lock another: devenv update'
          : 'Name a snapshot archive in "packages" of the settings (docs/lock.md), or lock what there is now: devenv update',
      },
    );
  }

  #path(sha256: string): string {
    return join(this.#options.folder, `${sha256}.deb`);
  }

  /** A file that is damaged is as good as none. What is used is what a collector takes last. */
  #isHere(sha256: string): boolean {
    const path = this.#path(sha256);
    if (!existsSync(path)) return false;
    if (createHash('sha256').update(readFileSync(path)).digest('hex') === sha256) {
      const now = new Date();
      utimesSync(path, now, now);
      return true;
    }
    rmSync(path);
    return false;
  }

  #snapshotsOf(url: string, archiveTime: string | undefined): readonly string[] {
    const { host, pathname } = new URL(url);
    const match = /^(?:.*\/)?([^/]+)\/(pool\/.*)$/.exec(pathname);
    // Names of packages are not told to Debian's machines when they come from elsewhere.
    const template = this.#options.snapshots ?? (/(?:^|\.)debian\.org$/.test(host) ? debianSnapshots : undefined);
    if (!match || archiveTime === undefined || template === undefined) return [];
    const values: Readonly<Record<string, string>> = { archive: match[1]!, timestamp: nextDay(archiveTime), path: match[2]! };
    return [template.replaceAll(/\{(archive|timestamp|path)\}/g, (_text, name: string) => values[name]!)];
  }

  /** @throws HttpFailure */
  async #download(url: string, signal: AbortSignal): Promise<string> {
    const response = await this.#open(new URL(url), signal);
    mkdirSync(this.#options.folder, { recursive: true, mode: 0o700 });
    const partial = join(this.#options.folder, `${process.pid}-${++downloads}.tmp`);
    const hash = createHash('sha256');
    const file = openSync(partial, 'w', 0o644);
    try {
      for await (const chunk of response.body) {
        hash.update(chunk);
        writeSync(file, chunk);
      }
      const found = hash.digest('hex');
      renameSync(partial, this.#path(found));
      return found;
    } finally {
      closeSync(file);
      rmSync(partial, { force: true });
    }
  }

  /** Snapshot archives send on to where a file is kept by its hash. */
  async #open(url: URL, signal: AbortSignal, redirects = 5): Promise<HttpResponse> {
    const response = await this.#get(url, { signal });
    if (response.status === 200) return response;
    response.discard();
    const { location } = response.headers;
    if (response.status < 300 || response.status >= 400 || location === undefined || redirects === 0)
      throw new HttpFailure(`${url.href} answers with ${response.status}`, { temporary: false });
    const next = new URL(location, url);
    if (next.protocol !== 'https:' && next.protocol !== url.protocol)
      throw new HttpFailure(`${url.href} sends on to ${next.href}`, { temporary: false });
    return this.#open(next, signal, redirects - 1);
  }
}

const debianSnapshots = 'https://snapshot.debian.org/archive/{archive}/{timestamp}/{path}';
const offlineHint = 'Run the same once without --offline.';
let downloads = 0;

/** A snapshot archive takes a state some hours after its date; what is in a pool stays there for longer than a day. */
function nextDay(time: string): string {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(time)!;
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  date.setUTCDate(date.getUTCDate() + 1);
  return date.toISOString().replaceAll(/[-:]|\.\d+/g, '');
}
