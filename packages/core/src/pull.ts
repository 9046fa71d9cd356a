import type { Options } from './contract.ts';
import { UserError } from './base/errors.ts';
import { keepImage } from './keep-image.ts';
import { hostPlatform, parsePlatform, type Platform } from './oci/platform.ts';
import { familiarName, formatReference, parseReference } from './oci/reference.ts';
import { openImages, shareStore } from './open-tools.ts';

export interface PullOptions extends Options {
  readonly name: string;
  /** `linux/arm64`; default this machine's. */
  readonly platform?: string;
}

export interface PullResult {
  readonly name: string;
  readonly id: string;
  /** Of the manifest. */
  readonly digest: string;
  readonly layers: number;
  readonly reused: number;
  readonly bytes: number;
  readonly seconds: number;
}

/** Asks the registry what the name means now, and fetches what is not here. */
export async function pull(options: PullOptions): Promise<PullResult> {
  const started = performance.now();
  const reference = parseReference(options.name);
  const platform = platformOf(options.platform);
  using _store = await shareStore(options);
  const tools = await openImages(options);
  const image = await (await tools.registry()).get(reference, platform);
  const repository = `${reference.registry}/${reference.repository}`;
  const name = reference.tag === undefined ? undefined : `${repository}:${reference.tag}`;
  const kept = await keepImage(
    image,
    {
      names: name === undefined ? [] : [name],
      digests: [`${repository}@${image.manifest!.digest}`],
      title: familiarName(formatReference(reference)),
    },
    tools,
    options,
  );
  return {
    name: familiarName(formatReference(reference)),
    id: image.id,
    digest: image.manifest!.digest,
    layers: kept.layers,
    reused: kept.reused,
    bytes: kept.bytes,
    seconds: (performance.now() - started) / 1000,
  };
}

/** @throws UserError BAD_VALUE */
export function platformOf(text: string | undefined): Platform {
  const platform = text === undefined ? hostPlatform() : parsePlatform(text);
  if (platform) return platform;
  throw new UserError('BAD_VALUE', `${JSON.stringify(text)} is no platform.`, { hint: 'Write linux/amd64, linux/arm64 or linux/arm/v7.' });
}
