import type { NodeImage } from '../../api/inventory.ts';

/** The first twelve characters of an image id, as crictl and docker shorten it. */
export function shortId(imageId: string): string {
  return imageId.replace(/^sha256:/, '').slice(0, 12);
}

/** The name that a person knows the image by: its tags, else its digests, else its short id. */
export function imageName({ id, repoTags, repoDigests }: Pick<NodeImage, 'id' | 'repoTags' | 'repoDigests'>): string {
  const names = repoTags.length > 0 ? repoTags : repoDigests;
  if (names.length === 0) return `<none> (${shortId(id)})`;
  const rest = names.length > MOST_NAMES ? [`+${String(names.length - MOST_NAMES)} more`] : [];
  return [...names.slice(0, MOST_NAMES).map((name) => shortened(printable(name))), ...rest].join(', ');
}

/** Some images have a tag for every build; the documents of `-o json` and `-o yaml` have them all. */
const MOST_NAMES = 2;
const LONGEST_NAME = 100;

function shortened(name: string): string {
  return name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1)}…` : name;
}

/**
 * Names come from registries and manifests. Control characters in them must not reach the terminal, nor marks that turn the direction of the
 * text round or that nobody sees, by which one name looks like another.
 */
export function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, (character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16);
    return code.length > 2 ? `\\u{${code}}` : `\\x${code.padStart(2, '0')}`;
  });
}

/** Control and format characters, separators of lines and paragraphs, halves of surrogate pairs. */
export const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
