/** Debian's docker-registry and skopeo, for suites: the real server, and images put there by another tool. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createPrivateKey, createSign, X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { sha256 } from '../base/canonical-json.ts';
import type { MemoryImage } from './memory.ts';

export interface RealRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** With `tls`: the file of the authority. */
  readonly ca: string;
  /** With `tokens`: what tokens were made for, `USER SCOPE SCOPE…`. */
  readonly granted: readonly string[];
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
  /** https with an authority of its own. */
  readonly tls?: boolean;
  /** `user:password` that its token server wants; then every access needs a token. */
  readonly tokens?: string;
}

export async function startRealRegistry(options: RealRegistryOptions = {}): Promise<RealRegistry> {
  const directory = mkdtempSync(join(tmpdir(), 'devenv-registry-'));
  const host = `127.0.0.1:${await freePort()}`;
  const ca = join(directory, 'cert.pem');
  const key = join(directory, 'key.pem');
  if (options.tls || options.tokens !== undefined) makeCertificate(key, ca);
  const config = {
    version: '0.1',
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(directory, 'data') } },
    http: { addr: host, ...(options.tls ? { tls: { certificate: ca, key } } : {}) },
  };
  const granted: string[] = [];
  const tokens = options.tokens === undefined ? undefined : await startTokenServer(options.tokens, { key, certificate: ca }, granted);
  if (tokens) {
    const token = { realm: `${tokens.address}/token`, service: 'registry', issuer: 'test', rootcertbundle: ca };
    Object.assign(config, { auth: { token } });
  }
  if (options.htpasswd !== undefined) {
    writeFileSync(join(directory, 'htpasswd'), options.htpasswd);
    Object.assign(config, { auth: { htpasswd: { realm: 'test', path: join(directory, 'htpasswd') } } });
  }
  writeFileSync(join(directory, 'config.yml'), JSON.stringify(config)); // JSON is YAML
  const server = spawn('docker-registry', ['serve', join(directory, 'config.yml')], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => server.once('close', () => resolve()));
  await listening(host);
  let layouts = 0;
  const skopeo = (...args: readonly string[]): string => {
    const done = spawnSync('skopeo', args, { encoding: 'utf8' });
    if (done.status !== 0) throw new Error(`skopeo ${args.join(' ')}: ${done.stderr}`);
    return done.stdout;
  };
  return {
    host,
    ca,
    granted,
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
      await tokens?.[Symbol.asyncDispose]();
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

async function listening(host: string): Promise<void> {
  const [address, port] = host.split(':');
  for (let attempt = 0; attempt < 400; attempt++) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(Number(port), address, () => (socket.destroy(), resolve(true)));
      socket.on('error', () => resolve(false));
    });
    if (isOpen) return;
    await delay(25);
  }
  throw new Error(`${host} does not listen`);
}

/** For this machine's own address, signed by itself. */
function makeCertificate(key: string, certificate: string): void {
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=test', '-keyout', key, '-out', certificate];
  execFileSync('openssl', [...request, '-addext', 'subjectAltName=IP:127.0.0.1'], { stdio: 'ignore' });
}

/** Gives whoever knows the password what they ask for, and others nothing (distribution, token authentication). */
async function startTokenServer(
  password: string,
  files: { readonly key: string; readonly certificate: string },
  granted: string[],
): Promise<AsyncDisposable & { readonly address: string }> {
  const key = createPrivateKey(readFileSync(files.key));
  const x5c = [new X509Certificate(readFileSync(files.certificate)).raw.toString('base64')];
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const server = createHttpServer((request, response) => {
    const known = Buffer.from((request.headers.authorization ?? '').replace('Basic ', ''), 'base64').toString();
    if (known !== password) {
      response.writeHead(401).end();
      return;
    }
    const scopes = new URL(request.url!, 'http://x').searchParams.getAll('scope');
    granted.push([known.split(':')[0], ...scopes].join(' '));
    const access = scopes.map((scope) => {
      const [, type, name, actions] = /^([^:]+):(.*):([^:]*)$/.exec(scope)!;
      return { type, name, actions: actions!.split(',') };
    });
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: 'test',
      sub: 'user',
      aud: 'registry',
      nbf: now - 10,
      iat: now,
      exp: now + 300,
      jti: String(granted.length),
      access,
    };
    const signed = `${encode({ typ: 'JWT', alg: 'RS256', x5c })}.${encode(claims)}`;
    const token = `${signed}.${createSign('RSA-SHA256').update(signed).sign(key).toString('base64url')}`;
    response.writeHead(200).end(JSON.stringify({ token }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
