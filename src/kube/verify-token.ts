import { errors, jwtVerify, type createLocalJWKSet } from 'jose';
import * as z from 'zod';
import type { AuthenticatedToken } from './create-token-review.ts';

/** What tokens of service accounts are signed with, and by whom. */
export interface TokenIssuer {
  /** As tokens name it. */
  readonly issuer: string;
  readonly keys: ReturnType<typeof createLocalJWKSet>;
}

export interface TokenExpectations {
  readonly issuedBy: TokenIssuer;
  /** The token must be meant for one of these; at least one. */
  readonly audiences: readonly string[];
  /** Milliseconds since the epoch. */
  readonly wallNow: number;
}

/** `unknown-key`: it may be of a newer one. `unproven`: it is not seen here that it is valid, which does not say that it is not. */
export type VerifiedToken = AuthenticatedToken | { readonly outcome: 'unknown-key' | 'unproven' };

/** Those that Kubernetes signs with. None by which who can check could sign. */
const ALGORITHMS = ['RS256', 'ES256', 'ES384', 'ES512'];

const identity = z.object({ name: z.string().min(1), uid: z.string().min(1) });
const claimsSchema = z.object({
  sub: z.string(),
  aud: z.union([z.string().transform((audience) => [audience]), z.array(z.string())]),
  'kubernetes.io': z.object({
    namespace: z.string().min(1),
    serviceaccount: identity,
    pod: identity,
    /** From Kubernetes 1.30 on. */
    node: z.object({ name: z.string().min(1) }).optional(),
  }),
});

/**
 * Whose token this is, by its signature: that of a service account, bound to a pod. Says the same as a TokenReview, but for what the API server looks up:
 * whether pod and service account are still there.
 */
export async function verifyToken(token: string, { issuedBy, audiences, wallNow }: TokenExpectations): Promise<VerifiedToken> {
  let payload: unknown;
  try {
    const verified = await jwtVerify(
      token,
      (header, jws) => {
        if (header.kid === undefined) throw new errors.JWSInvalid('the token names no key');
        return issuedBy.keys(header, jws);
      },
      {
        algorithms: ALGORITHMS,
        issuer: issuedBy.issuer,
        audience: [...audiences],
        currentDate: new Date(wallNow),
        requiredClaims: ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat'],
      },
    );
    payload = verified.payload;
  } catch (error) {
    // Whatever else is wrong with the token, or with a key: the API server may know it all the same.
    return { outcome: error instanceof errors.JWKSNoMatchingKey ? 'unknown-key' : 'unproven' };
  }
  const claims = claimsSchema.safeParse(payload);
  if (!claims.success) return { outcome: 'unproven' };
  const { sub, aud, 'kubernetes.io': bound } = claims.data;
  const username = `system:serviceaccount:${bound.namespace}:${bound.serviceaccount.name}`;
  if (sub !== username) return { outcome: 'unproven' };
  return {
    outcome: 'authenticated',
    username,
    uid: bound.serviceaccount.uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${bound.namespace}`, 'system:authenticated'],
    extra: {
      'authentication.kubernetes.io/pod-name': [bound.pod.name],
      'authentication.kubernetes.io/pod-uid': [bound.pod.uid],
      ...(bound.node === undefined ? {} : { 'authentication.kubernetes.io/node-name': [bound.node.name] }),
    },
    audiences: aud.filter((audience) => audiences.includes(audience)),
  };
}
