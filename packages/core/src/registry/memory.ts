import { sha256 } from '../base/canonical-json.ts';
import { sha256Digest, type Digest } from '../oci/digest.ts';
import type { ImageConfig } from '../oci/image.ts';
import type { Platform } from '../oci/platform.ts';
import { parseReference, type Reference } from '../oci/reference.ts';
import { contentRegistry } from './content-registry.ts';
import type { Registry } from './registry.ts';

/** What to make an image of. */
export interface MemoryImage {
  readonly platform: Platform;
  readonly config?: Partial<ImageConfig>;
  /** Uncompressed tars, lowest first. */
  readonly layers: readonly Buffer[];
}

/** A registry whose images lie in memory: for tests. */
export interface MemoryRegistry extends Registry {
  /** Gives a name to one image, or to several for different platforms. Returns the digest of what the name means. */
  add(reference: string, ...images: readonly MemoryImage[]): Digest;
  /** Every call so far, as `manifest docker.io/library/a:1` or `blob sha256:…`. */
  readonly requests: readonly string[];
}

export function memoryRegistry(): MemoryRegistry {
  const blobs = new Map<string, Buffer>();
  const tags = new Map<string, Digest>();
  const requests: string[] = [];
  const keep = (bytes: Buffer): { digest: Digest; size: number } => {
    const digest = sha256Digest(sha256(bytes));
    blobs.set(digest, bytes);
    return { digest, size: bytes.length };
  };
  const keepJson = (value: unknown): { digest: Digest; size: number } => keep(Buffer.from(JSON.stringify(value)));

  const addImage = ({ platform, config, layers }: MemoryImage): object => {
    const kept = layers.map(keep);
    const document = {
      ...platform,
      config: configOf(config ?? {}),
      rootfs: { type: 'layers', diff_ids: kept.map(({ digest }) => digest) },
    };
    const manifest = {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...keepJson(document) },
      layers: kept.map((layer) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer })),
    };
    return { mediaType: manifest.mediaType, ...keepJson(manifest), platform };
  };

  return {
    requests,
    add(text, ...images) {
      const manifests = images.map(addImage) as { digest: Digest }[];
      const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests };
      const digest = manifests.length === 1 ? manifests[0]!.digest : keepJson(index).digest;
      tags.set(tagKey(parseReference(text)), digest);
      return digest;
    },
    ...contentRegistry({
      async manifest(reference) {
        const digest = reference.digest ?? tags.get(tagKey(reference));
        requests.push(`manifest ${tagKey(reference)}`);
        const bytes = digest && blobs.get(digest);
        return bytes ? { bytes } : undefined;
      },
      async *blob(_reference, { digest }, { onBytes }) {
        requests.push(`blob ${digest}`);
        const bytes = blobs.get(digest)!;
        onBytes?.(bytes.length);
        yield bytes;
      },
    }),
  };
}

function tagKey({ registry, repository, tag, digest }: Reference): string {
  return digest ? `${registry}/${repository}@${digest}` : `${registry}/${repository}:${tag}`;
}

/** In the words of the image specification. */
function configOf({
  env = {},
  user,
  workdir,
  entrypoint,
  command,
  labels,
  exposedPorts = [],
  volumes = [],
  stopSignal,
}: Partial<ImageConfig>): object {
  return {
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    User: user,
    WorkingDir: workdir,
    Entrypoint: entrypoint,
    Cmd: command,
    Labels: labels,
    ExposedPorts: Object.fromEntries(exposedPorts.map((port) => [port, {}])),
    Volumes: Object.fromEntries(volumes.map((path) => [path, {}])),
    StopSignal: stopSignal,
  };
}
