import { UserError } from '../base/errors.ts';
import { HttpFailure, type HttpRequest } from '../base/http.ts';
import type { Descriptor } from '../oci/document.ts';
import { BlobReader, type BlobSource } from './blob-source.ts';
import { errorText, isBusy, unreachable, type Answered, type Connection } from './connection.ts';

export interface UploadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onBytes?: ((count: number) => void) | undefined;
  /** A session that the registry has opened already. */
  readonly session?: URL;
}

const attempts = 5;
/** Where a registry, or a proxy before it, does not take a blob at once. The specification lets it name a larger one. */
const pieceSize = 8 * 1024 * 1024;
/** Sent with the request that ends the upload: configs, and layers of a few files. */
const monolithic = 256 * 1024;
/** A registry may move a large blob to its storage before it answers. */
const patience = 300_000; // ms

/**
 * Sends a blob (distribution-spec, Pushing Blobs): as one stream; in pieces to who refuses that. After a cut it goes on where
 * the registry is. @throws UserError REGISTRY_UNREACHABLE, REGISTRY_DENIED, REGISTRY_LIMIT, REGISTRY_ANSWER
 */
export async function upload(connection: Connection, source: BlobSource, options: UploadOptions = {}): Promise<Descriptor> {
  const transfer = new Transfer(connection, source, options);
  for (let failures = 0; ;) {
    const before = transfer.offset;
    try {
      return await transfer.run();
    } catch (error) {
      if (!(error instanceof Interrupted) && !(error instanceof HttpFailure)) throw error;
      failures = transfer.offset > before ? 1 : failures + 1;
      if ((error instanceof HttpFailure && !error.temporary) || failures >= attempts) throw transfer.given(error);
      await connection.pause(failures, options.signal);
      await transfer.findPlace();
    }
  }
}

async function wholeOf(reader: BlobReader): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of reader.all()) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** The registry could not go on. */
class Interrupted extends Error {
  readonly answered: UserError;

  constructor(answered: UserError) {
    super(answered.message);
    this.answered = answered;
  }
}

class Transfer {
  /** How far the registry is, as far as we know. */
  offset = 0;
  readonly #connection: Connection;
  readonly #source: BlobSource;
  readonly #options: UploadOptions;
  #location: URL | undefined;
  #least = 0;
  #inPieces = false;
  #told = 0;

  constructor(connection: Connection, source: BlobSource, options: UploadOptions) {
    this.#connection = connection;
    this.#source = source;
    this.#options = options;
    this.#location = options.session;
  }

  async run(): Promise<Descriptor> {
    this.#location ??= await this.#begin();
    const reader = new BlobReader(this.#source, this.#options.signal);
    try {
      await reader.skipTo(this.offset);
      if (this.offset === 0 && (this.#source.known?.size ?? Infinity) <= monolithic)
        return await this.#finish(reader, await wholeOf(reader));
      if (this.#inPieces) await this.#sendPieces(reader);
      else await this.#sendStream(reader);
      return await this.#finish(reader);
    } finally {
      await reader.close().catch(() => {}); // what it fails with after all was read is nobody's concern
    }
  }

  /** Asks how far the registry is; one that knows nothing of it begins anew. */
  async findPlace(): Promise<void> {
    if (!this.#location) return;
    const response = await this.#connection.request(this.#location, { signal: this.#options.signal }).catch((error: unknown) => {
      if (error instanceof UserError && error.code === 'REGISTRY_UNREACHABLE') return undefined;
      throw error;
    });
    response?.discard();
    // "0-0" is said of nothing and of one byte (distribution, blobupload.go).
    const end = Number(/^(?:bytes=)?0-([0-9]+)$/.exec(response?.headers['range'] ?? '')?.[1] ?? 0);
    if (response?.status === 204 && end > 0) {
      this.offset = end + 1;
      this.#locate(response);
    } else this.#forget();
    this.#tell(this.offset);
  }

  given(error: Interrupted | HttpFailure): UserError {
    return error instanceof Interrupted ? error.answered : unreachable(this.#connection.host, error);
  }

  async #begin(): Promise<URL> {
    const response = await this.#connection.request('blobs/uploads/', {
      method: 'POST',
      headers: { 'content-length': '0' },
      signal: this.#options.signal,
    });
    if (response.status !== 202) throw await this.#refused(response);
    response.discard();
    this.offset = 0;
    this.#least = Number(response.headers['oci-chunk-min-length'] ?? 0) || 0;
    return this.#locate(response);
  }

  /** One request for the whole: also what registries take that know no pieces. */
  async #sendStream(reader: BlobReader): Promise<void> {
    const { known } = this.#source;
    const length = known ? { 'content-length': String(known.size - this.offset) } : {};
    const range = this.offset > 0 && known ? { 'content-range': `${this.offset}-${known.size - 1}` } : {};
    let used = false;
    const body = async function* (this: Transfer): AsyncGenerator<Buffer> {
      // Sent a second time after a challenge or a redirect: the bytes are gone, the next attempt has them again.
      if (used) throw new HttpFailure('the registry asks again', { temporary: true });
      used = true;
      for await (const bytes of reader.all()) {
        yield bytes;
        this.#tell(reader.position);
      }
    }.bind(this);
    const response = await this.#patch({ headers: { ...length, ...range }, body });
    if (response.status === 413) {
      response.discard();
      this.#inPieces = true;
      this.#forget();
      throw new HttpFailure('the registry takes no blob of this size at once', { temporary: true });
    }
    await this.#accepted(response, reader);
  }

  async #sendPieces(reader: BlobReader): Promise<void> {
    const size = Math.max(pieceSize, this.#least);
    for (;;) {
      const bytes: Buffer[] = [];
      let count = 0;
      for (let next = await reader.take(size); next; next = await reader.take(size - count)) {
        bytes.push(next);
        count += next.length;
        if (count >= size) break;
      }
      if (count === 0) return;
      const headers = { 'content-length': String(count), 'content-range': `${this.offset}-${this.offset + count - 1}` };
      await this.#accepted(await this.#patch({ headers, body: Buffer.concat(bytes) }), reader);
      this.#tell(this.offset);
    }
  }

  #patch({ headers, body }: Pick<HttpRequest, 'headers' | 'body'>): Promise<Answered> {
    return this.#connection.once(this.#location!, {
      method: 'PATCH',
      headers: { 'content-type': 'application/octet-stream', ...headers },
      ...(body === undefined ? {} : { body }),
      signal: this.#options.signal,
      patience,
    });
  }

  async #accepted(response: Answered, reader: BlobReader): Promise<void> {
    if (response.status !== 202 && response.status !== 201 && response.status !== 204) {
      if (response.status === 404 || response.status === 416) this.#forget();
      throw await this.#refused(response);
    }
    response.discard();
    this.#locate(response);
    this.offset = reader.position;
  }

  async #finish(reader: BlobReader, body: Buffer = Buffer.alloc(0)): Promise<Descriptor> {
    const digest = reader.digest();
    const url = new URL(this.#location!);
    url.searchParams.set('digest', digest);
    const response = await this.#connection.once(url, {
      method: 'PUT',
      headers: { 'content-length': String(body.length), 'content-type': 'application/octet-stream' },
      body,
      signal: this.#options.signal,
      patience,
    });
    // One use only: whatever it says, nothing more can be sent there.
    this.#location = undefined;
    if (response.status !== 201 && response.status !== 204) {
      this.#forget();
      throw await this.#refused(response);
    }
    response.discard();
    this.#tell(reader.position);
    return { mediaType: this.#source.mediaType, digest, size: reader.position };
  }

  #locate(response: Answered): URL {
    const location = response.headers['location'];
    if (location === undefined) {
      if (this.#location) return this.#location;
      throw this.#connection.answer('it does not say where a blob is to be sent');
    }
    this.#location = this.#connection.redirected(location, response.url);
    return this.#location;
  }

  #forget(): void {
    this.#location = undefined;
    this.offset = 0;
  }

  #tell(position: number): void {
    if (position !== this.#told) this.#options.onBytes?.(position - this.#told);
    this.#told = position;
  }

  async #refused(response: Answered): Promise<Error> {
    const said = await errorText(response);
    const error = this.#connection.answer(`it answers ${response.status} to a blob that is sent${said ? ` (${said})` : ''}`);
    // A digest that does not fit is one of bytes that got lost on the way; the others say that they may do better.
    return isBusy(response.status) || [400, 404, 408, 416].includes(response.status) ? new Interrupted(error) : error;
  }
}
