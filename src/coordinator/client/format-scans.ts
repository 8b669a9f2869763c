import { encodeScans, type ReadFailure, type ScanExchange, type ScansHead } from '../../api/coordinator/scans-call.ts';

/** Of a text that a program wrote. */
const LONGEST_MESSAGE = 4_096;

/** The body of a call. A part that several images have is in it once. */
export function formatScans({ analyses, failed, wanted, inHand, ...asked }: ScanExchange): Buffer {
  const positions = new Map<string, number>();
  const parts: { readonly key: string; readonly data: Uint8Array }[] = [];
  const positionOf = (part: { readonly key: string; readonly data: Uint8Array }): number => {
    const known = positions.get(part.key);
    if (known !== undefined) return known;
    positions.set(part.key, parts.length);
    return parts.push(part) - 1;
  };
  const head: ScansHead = {
    ...asked,
    wanted: [...wanted],
    inHand: [...inHand],
    analyses: analyses.map((analysis) => ({
      imageId: analysis.imageId,
      parts: analysis.parts.map(positionOf),
      recipeBytes: analysis.recipe.length,
    })),
    parts: [],
    failed: failed.map(({ imageId, failure }) => ({ imageId, failure: cut(failure) })),
  };
  head.parts = parts.map(({ key, data }) => ({ key, bytes: data.length }));
  return encodeScans(head, [...analyses.map(({ recipe }) => recipe), ...parts.map(({ data }) => data)]);
}

function cut(failure: ReadFailure): ReadFailure {
  if (failure.kind === 'unscannable') return { ...failure, error: failure.error.slice(0, LONGEST_MESSAGE) };
  return { ...failure, message: failure.message.slice(0, LONGEST_MESSAGE) };
}
