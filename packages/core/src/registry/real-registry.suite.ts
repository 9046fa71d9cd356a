/** Debian's docker-registry and skopeo, for suites: the real server, and images put there by another tool. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { sha256 } from '../base/canonical-json.ts';
import type { MemoryImage } from './memory.ts';

export interface RealRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Several images make an index. Layers travel as gzip, zstd and plain in turn. */
  put(repository: string, tag: string, images: readonly MemoryImage[]): void;
  /** Runs skopeo; its own addresses begin with `docker://HOST/`. */
  skopeo(...args: readonly string[]): string;
}

export interface RealRegistryOptions {
  /** Lines of an htpasswd file; then every access needs credentials. */
  readonly htpasswd?: string;
  /** `user:password` for skopeo. */
  readonly credentials?: string;
}

export async function startRealRegistry(options: RealRegistryOptions = {}): Promise<RealRegistry> {
  const directory = mkdtempSync(join(tmpdir(), 'devenv-registry-'));
  const host = `127.0.0.1:${await freePort()}`;
  const config = {
    version: '0.1',
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(directory, 'data') } },
    http: { addr: host },
  };
  if (options.htpasswd !== undefined) {
    writeFileSync(join(directory, 'htpasswd'), options.htpasswd);
    Object.assign(config, { auth: { htpasswd: { realm: 'test', path: join(directory, 'htpasswd') } } });
  }
  writeFileSync(join(directory, 'config.yml'), JSON.stringify(config)); // JSON is YAML
  const server = spawn('docker-registry', ['serve', join(directory, 'config.yml')], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => server.once('close', () => resolve()));
  await answering(`http://${host}/v2/`);
  let layouts = 0;
  const skopeo = (...args: readonly string[]): string => {
    const done = spawnSync('skopeo', args, { encoding: 'utf8' });
    if (done.status !== 0) throw new Error(`skopeo ${args.join(' ')}: ${done.stderr}`);
    return done.stdout;
  };
  return {
    host,
    skopeo,
    put(repository, tag, images) {
      const layout = join(directory, `layout-${layouts++}`);
      writeLayout(layout, images);
      const login = options.credentials === undefined ? [] : ['--dest-creds', options.credentials];
      skopeo(
        'copy',
        '-q',
        '--all',
        '--preserve-digests',
        '--dest-tls-verify=false',
        ...login,
        `oci:${layout}:image`,
        `docker://${host}/${repository}:${tag}`,
      );
    },
    async [Symbol.asyncDispose]() {
      server.kill();
      await ended;
      rmSync(directory, { recursive: true });
    },
  };
}

/** An OCI image layout (image-spec, image-layout.md). Layers are gzip, zstd and plain in turn, or the first of these. */
export function writeLayout(directory: string, images: readonly MemoryImage[], compressions: 1 | 2 | 3 = 3): void {
  const blobs = join(directory, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const keep = (bytes: Buffer): { digest: string; size: number } => {
    writeFileSync(join(blobs, sha256(bytes)), bytes);
    return { digest: `sha256:${sha256(bytes)}`, size: bytes.length };
  };
  const keepJson = (value: unknown): { digest: string; size: number } => keep(Buffer.from(JSON.stringify(value)));
  const compress = [
    (tar: Buffer) => ({ mediaType: `${layerType}+gzip`, ...keep(gzipSync(tar)) }),
    (tar: Buffer) => ({ mediaType: `${layerType}+zstd`, ...keep(zstdCompressSync(tar)) }),
    (tar: Buffer) => ({ mediaType: layerType, ...keep(tar) }),
  ];
  const manifests = images.map(({ platform, config = {}, layers }) => {
    const execution = {
      Env: Object.entries(config.env ?? {}).map(([name, value]) => `${name}=${value}`),
      User: config.user,
      WorkingDir: config.workdir,
      Entrypoint: config.entrypoint,
      Cmd: config.command,
      Labels: config.labels,
      ExposedPorts: Object.fromEntries((config.exposedPorts ?? []).map((port) => [port, {}])),
      Volumes: Object.fromEntries((config.volumes ?? []).map((path) => [path, {}])),
      StopSignal: config.stopSignal,
    };
    const rootfs = { type: 'layers', diff_ids: layers.map((tar) => `sha256:${sha256(tar)}`) };
    const manifest = {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...keepJson({ ...platform, config: execution, rootfs }) },
      layers: layers.map((tar, index) => compress[index % compressions]!(tar)),
    };
    return { mediaType: manifest.mediaType, ...keepJson(manifest), platform };
  });
  const index = { schemaVersion: 2, mediaType: indexType, manifests };
  const top = manifests.length === 1 ? manifests[0]! : { mediaType: indexType, ...keepJson(index) };
  const annotations = { 'org.opencontainers.image.ref.name': 'image' };
  writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [{ ...top, annotations }] }));
}

const layerType = 'application/vnd.oci.image.layer.v1.tar';
const indexType = 'application/vnd.oci.image.index.v1+json';

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

async function answering(url: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (
      await fetch(url).then(
        () => true,
        () => false,
      )
    )
      return;
    await delay(25);
  }
  throw new Error(`${url} does not answer`);
}
