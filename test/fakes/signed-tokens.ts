import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';

export const ISSUER = 'https://kubernetes.default.svc.cluster.local';
export const AUDIENCE = 'eraser-coordinator';

/** A key as an API server signs tokens with. */
export interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  /** As the API server publishes it. */
  readonly published: JWK;
}

export async function makeSigningKey(kid: string, alg = 'ES256'): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, published: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** The claims of a token that the kubelet mounts into a worker pod, in seconds since the epoch. */
export function claimsOf(now: number): Readonly<Record<string, unknown>> {
  return {
    iss: ISSUER,
    sub: 'system:serviceaccount:eraser-system:eraser-imagejob-pods',
    aud: [AUDIENCE],
    iat: now,
    nbf: now,
    exp: now + 600,
    jti: '4a2c1b3e-7c1c-4a55-9a53-0d6f3f2f7a11',
    'kubernetes.io': {
      namespace: 'eraser-system',
      node: { name: 'node-1', uid: 'node-uid' },
      pod: { name: 'worker-1', uid: 'uid-1' },
      serviceaccount: { name: 'eraser-imagejob-pods', uid: 'account-uid' },
    },
  };
}

/** `header`: in the place of what it usually says. */
export function sign(
  key: SigningKey,
  claims: Readonly<Record<string, unknown>>,
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: key.alg, kid: key.kid, ...header }).sign(key.privateKey);
}
