import * as z from 'zod';
import { parseWith, type Parsed } from '../../api/problem.ts';
import type { KeyedCertificate } from './issue-certificate.ts';

/** Milliseconds since the epoch. */
const time = z.number();
const authoritySchema = z.object({ certificate: z.string(), key: z.string(), issuedAt: time, expiresAt: time });

const authoritiesSchema = z.object({
  /** Signs the server's certificate. */
  signing: authoritySchema,
  /** Will, once every worker has had the time to learn of it; `publishedAt` null: not even the bundle has it yet. */
  next: z.object({ authority: authoritySchema, publishedAt: time.nullable() }).nullable(),
  /** Signed once, and is still in the bundles of workers; without its key. */
  retired: z.array(z.object({ certificate: z.string(), retiredAt: time })),
});

/** An authority of the coordinator's own. Its key is secret. */
export type Authority = KeyedCertificate & z.output<typeof authoritySchema>;
/** What is kept of the authorities, in a Secret, as JSON. */
export type Authorities = z.output<typeof authoritiesSchema>;

export function parseAuthorities(raw: unknown): Parsed<Authorities> {
  return parseWith(authoritiesSchema, raw);
}

export interface RotationTimes {
  /** The age at which a successor is made. */
  readonly rotateAfterMs: number;
  /** How long a successor is published before it signs: until the bundle has reached every worker that runs. */
  readonly publishMs: number;
  /** How long a retired authority stays in the bundle: longer than any run. */
  readonly dropAfterMs: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The kubelet brings a changed configmap to a running pod within two minutes or so; a run lasts two hours at most. */
export const ROTATION_TIMES: RotationTimes = { rotateAfterMs: 180 * DAY_MS, publishMs: HOUR_MS, dropAfterMs: 6 * HOUR_MS };
/** Twice the age of rotation, so that a controller may be away for half a year. */
export const AUTHORITY_LIFE_MS = 360 * DAY_MS;

/**
 * The authorities as they have to be now: the new one is published, signs after a while, and the old one is dropped after another. The same object
 * when nothing is due; else it is to be stored before anything is done with it. A bundle that has been written is told by `markPublished`.
 */
export function planAuthorities(
  known: Authorities | null,
  now: number,
  options: RotationTimes & { readonly make: () => Authority },
): Authorities {
  if (known === null) return { signing: options.make(), next: null, retired: [] };
  const { signing, next } = known;
  // Nobody trusts what it signs: there is nothing to wait for.
  if (signing.expiresAt <= now) return { signing: next?.authority ?? options.make(), next: null, retired: [] };
  if (next === null && now - signing.issuedAt >= options.rotateAfterMs) {
    return { ...dropRetired(known, now, options), next: { authority: options.make(), publishedAt: null } };
  }
  if (next !== null && next.publishedAt !== null && now - next.publishedAt >= options.publishMs) {
    const retired = [...known.retired, { certificate: signing.certificate, retiredAt: now }];
    return { signing: next.authority, next: null, retired };
  }
  return dropRetired(known, now, options);
}

/** After the bundle, with the next authority in it, has been written to where workers read it. */
export function markPublished(known: Authorities, now: number): Authorities {
  return known.next?.publishedAt === null ? { ...known, next: { ...known.next, publishedAt: now } } : known;
}

/** What workers trust: PEM, one certificate after the other. */
export function bundleOf({ signing, next, retired }: Authorities): string {
  return [signing, ...(next === null ? [] : [next.authority]), ...retired].map(({ certificate }) => certificate).join('');
}

function dropRetired(known: Authorities, now: number, { dropAfterMs }: RotationTimes): Authorities {
  const retired = known.retired.filter(({ retiredAt }) => now - retiredAt < dropAfterMs);
  return retired.length === known.retired.length ? known : { ...known, retired };
}
