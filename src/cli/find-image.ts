import type { NodeImage } from '../api/inventory.ts';
import { indexImages } from '../core/image-index.ts';
import { CliError } from './cli-error.ts';
import { imageName, shortId } from './output/image-name.ts';

/** The images that a person names: by tag, digest, id, or the beginning of an id (four characters or more) as crictl takes it. */
export function findImages(images: readonly NodeImage[], name: string): NodeImage[] {
  const ids = indexImages(images).resolve(name);
  if (ids.size > 0) return images.filter(({ id }) => ids.has(id));
  const prefix = name.replace(/^sha256:/, '');
  const byPrefix = /^[0-9a-f]{4,64}$/.test(prefix) ? images.filter(({ id }) => id.replace(/^sha256:/, '').startsWith(prefix)) : [];
  if (byPrefix.length > 1) {
    const candidates = byPrefix.map((image) => `${shortId(image.id)} ${imageName(image)}`).join('; ');
    throw new CliError({ code: 'not-found', message: `"${name}" is the beginning of more than one image id: ${candidates}` });
  }
  if (byPrefix.length === 0) {
    throw new CliError({
      code: 'not-found',
      message: `no image on this node is named "${name}"`,
      hint: '`image-cleaner list` shows what there is; an image is named by tag, digest, id or the beginning of an id.',
    });
  }
  return byPrefix;
}
