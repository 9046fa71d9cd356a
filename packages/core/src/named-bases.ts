import type { Options } from './contract.ts';
import { UserError } from './base/errors.ts';
import type { Digest } from './oci/digest.ts';
import { runsOn } from './oci/choose-platform.ts';
import type { Platform } from './oci/platform.ts';
import { familiarName, formatReference, type Reference } from './oci/reference.ts';
import type { Registry } from './registry/registry.ts';
import { imageOf, type ImageStore, type KeptImage } from './store/image-store.ts';
import type { LayerStore } from './store/layer-store.ts';

/**
 * What a name of a base means. An image that was made on this machine (built, committed, imported, loaded, tagged) is meant by
 * its name: no registry knows it better, and none need hear of it. A name that was pulled means what its registry says, so
 * that every clone of the repository gets the same; where the registry has it no more or does not answer, what was pulled
 * serves, and that is said. A digest of a local image is its id: it had no manifest.
 */
export function namedBases(
  remote: () => Promise<Registry>,
  local: { readonly images: ImageStore; readonly store: LayerStore },
  report: Options['report'],
): Registry {
  const here = (reference: Reference, platform: Platform): KeptImage | undefined => {
    const image = local.images.find(formatReference(reference));
    return image && runsOn(image.platform, platform) ? image : undefined;
  };
  const byId = (id: Digest | undefined): KeptImage | undefined => local.images.all().find((image) => image.id === id);
  return {
    async resolve(reference, platform) {
      const image = here(reference, platform);
      if (image && !wasPulled(image, reference)) return { manifest: image.id };
      if (reference.registry === 'localhost') return image && { manifest: image.id };
      try {
        const meaning = await (await remote()).resolve(reference, platform);
        if (meaning || !image) return meaning;
        tell(report, reference, 'the registry has it no more');
      } catch (error) {
        if (!image || !(error instanceof UserError) || error.code !== 'REGISTRY_UNREACHABLE') throw error;
        tell(report, reference, 'the registry does not answer');
      }
      return { manifest: image.id };
    },
    async get(reference, platform) {
      const kept = byId(reference.digest);
      if (kept) return imageOf(kept, local.store);
      return (await remote()).get(reference, platform);
    },
  };
}

/** By this name, or pushed by it: then its registry knows it. */
function wasPulled({ digests }: KeptImage, { registry, repository }: Reference): boolean {
  return digests.some((digest) => digest.startsWith(`${registry}/${repository}@`));
}

function tell(report: Options['report'], reference: Reference, why: string): void {
  const message = `${familiarName(formatReference(reference))} is what was pulled before: ${why}.`;
  report({ type: 'notice', level: 'warning', message, hint: 'devenv up --refresh asks again' });
}
