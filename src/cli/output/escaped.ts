import { UNPRINTABLE } from './image-name.ts';

/**
 * With an escape for what must not reach a terminal, if it is shown on one; both JSON and YAML read it back as what it was. Line breaks and
 * tabs are the document's own: in texts they have escapes already.
 */
export function escaped(piece: string): string {
  return piece.replaceAll(UNPRINTABLE, (character) => (LAYOUT.has(character) ? character : unicodeEscape(character)));
}

const LAYOUT: ReadonlySet<string> = new Set(['\n', '\t']);

/** Of each of its units of UTF-16. */
function unicodeEscape(character: string): string {
  return Array.from({ length: character.length }, (_value, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`).join('');
}
