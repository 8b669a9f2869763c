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

/** Names come from registries and manifests: control characters in them must not reach the terminal. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
