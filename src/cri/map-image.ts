import type { NodeImage } from '../api/inventory.ts';
import type { Image } from './gen/cri_pb.js';

export function mapImage(image: Image): NodeImage {
  return {
    id: image.id,
    repoTags: image.repoTags.filter(isNamed),
    repoDigests: image.repoDigests.filter(isNamed),
    sizeBytes: Number(image.size),
    pinned: image.pinned,
  };
}

/** cri-dockerd fills a missing tag or digest in as `<none>`; where the repository alone is missing, the digest still says something. */
function isNamed(reference: string): boolean {
  return reference !== '' && !/[:@]<none>$/.test(reference);
}
