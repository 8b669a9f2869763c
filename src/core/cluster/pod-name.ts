export interface PodNameInput {
  readonly jobUid: string;
  readonly node: string;
}

/** The SHA-256 of a text, as lower-case hexadecimal digits. */
export type Sha256 = (text: string) => string;

const PREFIX = 'eraser-';
/** A pod's name is its host name too, so it must be a DNS label. */
const LONGEST = 63;
/** 40 bits: of ten thousand pods on nodes whose names are cut alike, two have one name once in 20,000 such clusters. */
const HASH_DIGITS = 10;

/**
 * The name of the worker pod of a job on a node: `eraser-aks-nodepool1-12345678-vmss000000-1f8a02b7c3`. Always the same, so that a controller
 * that does not know what an earlier one has done makes no second pod.
 */
export function podName({ jobUid, node }: PodNameInput, sha256: Sha256): string {
  const hash = sha256(`${jobUid}\n${node}`).slice(0, HASH_DIGITS);
  const room = LONGEST - PREFIX.length - HASH_DIGITS - 1;
  // Node names may have dots, a DNS label none.
  const cut = node
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, '-')
    .slice(0, room)
    .replaceAll(/^-+|-+$/g, '');
  return `${PREFIX}${cut === '' ? '' : `${cut}-`}${hash}`;
}
