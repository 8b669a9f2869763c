import { randomBytes } from 'node:crypto';
import { AUTHORITY_LIFE_MS, type Authority } from './authorities.ts';
import { issueAuthority, issueServerCertificate, type KeyedCertificate } from './issue-certificate.ts';

/** Clocks of nodes and controller differ; nobody's does by more than this and has a working cluster. */
const CLOCK_SKEW_MS = 3_600_000;
/** The server's certificate is not kept: each leader makes its own, and a new one long before it ends. */
const SERVER_LIFE_MS = 14 * 24 * 3_600_000;

export function makeAuthority(now: number): Authority {
  const expiresAt = now + AUTHORITY_LIFE_MS;
  const name = `image-cleaner-${randomBytes(6).toString('hex')}`;
  return { ...issueAuthority(name, { from: now - CLOCK_SKEW_MS, until: expiresAt }), issuedAt: now, expiresAt };
}

export interface ServerIdentity extends KeyedCertificate {
  /** When another has to be made, milliseconds since the epoch. */
  readonly renewAt: number;
}

/** `names`: the DNS names under which workers find the coordinator. */
export function makeServerIdentity(signing: Authority, names: readonly string[], now: number): ServerIdentity {
  const until = Math.min(now + SERVER_LIFE_MS, signing.expiresAt);
  const issued = issueServerCertificate(signing, names, { from: now - CLOCK_SKEW_MS, until });
  return { ...issued, renewAt: now + (until - now) / 2 };
}
