/** A registry that misbehaves as a test says, for suites. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { sha256 } from '../base/canonical-json.ts';
import { tarOfOneFile } from './registry.suite.ts';

export interface FakeServer extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** `GET /v2/… authorization range`, in order. */
  readonly requests: readonly { readonly method: string; readonly path: string; readonly headers: IncomingMessage['headers'] }[];
}

/** True when it has answered. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => boolean;

/** Serves `documents` by path unless `answer` does. */
export async function startFakeServer(
  documents: Readonly<Record<string, Served>>,
  answer: Answer = () => false,
  options: { readonly tls?: { readonly key: string; readonly cert: string }; readonly address?: string } = {},
): Promise<FakeServer> {
  const requests: { method: string; path: string; headers: IncomingMessage['headers'] }[] = [];
  const listener: RequestListener = (request, response) => {
    requests.push({ method: request.method!, path: request.url!, headers: request.headers });
    if (answer(request, response)) return;
    const found = documents[request.url!];
    if (found) response.writeHead(200, { 'content-type': found.type }).end(found.bytes);
    else response.writeHead(404).end('{"errors":[{"code":"MANIFEST_UNKNOWN"}]}');
  };
  const server = options.tls ? createSecureServer(options.tls, listener) : createServer(listener);
  const address = options.address ?? '127.0.0.1';
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  return {
    host: `${address}:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface Served {
  readonly type: string;
  readonly bytes: Buffer | string;
}

/** One small image and where a registry serves its parts. `change` spoils what is served, not what is named. */
export function fakeImage(
  repository = 'image',
  lines = 20_000,
): {
  readonly documents: Record<string, Served>;
  readonly layerPath: string;
  readonly configPath: string;
  readonly manifestPath: string;
  readonly manifestDigest: string;
  readonly layer: Buffer;
  readonly tar: Buffer;
} {
  const tar = tarOfOneFile('file', Array.from({ length: lines }, (_, index) => sha256(String(index))).join('')); // hardly compresses
  const layer = gzipSync(tar);
  const config = JSON.stringify({
    os: 'linux',
    architecture: 'amd64',
    config: {},
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(tar)}`] },
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: 'application/vnd.docker.container.image.v1+json', digest: `sha256:${sha256(config)}`, size: config.length },
    layers: [{ mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip', digest: `sha256:${sha256(layer)}`, size: layer.length }],
  });
  const manifestDigest = `sha256:${sha256(manifest)}`;
  const path = (kind: string, name: string) => `/v2/${repository}/${kind}/${name}`;
  const layerPath = path('blobs', `sha256:${sha256(layer)}`);
  const configPath = path('blobs', `sha256:${sha256(config)}`);
  const manifestPath = path('manifests', 'latest');
  const documents = {
    [manifestPath]: { type: manifestType, bytes: manifest },
    [path('manifests', manifestDigest)]: { type: manifestType, bytes: manifest },
    [configPath]: { type: 'application/octet-stream', bytes: config },
    [layerPath]: { type: 'application/octet-stream', bytes: layer },
  };
  return { documents, layerPath, configPath, manifestPath, manifestDigest, layer, tar };
}

const manifestType = 'application/vnd.docker.distribution.manifest.v2+json';
