import * as z from 'zod';
import type { CallOptions } from './api-connection.ts';
import { badAnswer } from './classify-answer.ts';
import type { KubeClient } from './kube-client.ts';
import { apiVersionOf, TOKEN_REVIEWS } from './resource.ts';

export interface TokenToReview {
  /** Secret. */
  readonly token: string;
  /** The token must be meant for one of these; at least one. */
  readonly audiences: readonly string[];
}

export interface AuthenticatedToken {
  readonly outcome: 'authenticated';
  /** `system:serviceaccount:NAMESPACE:NAME` */
  readonly username: string;
  readonly uid: string;
  readonly groups: readonly string[];
  /** `authentication.kubernetes.io/pod-name`, `…/pod-uid`, `…/node-name` of a token that is bound to a pod. */
  readonly extra: Readonly<Record<string, readonly string[]>>;
  /** Those asked for that the token is meant for. */
  readonly audiences: readonly string[];
}

export type ReviewedToken = AuthenticatedToken | { readonly outcome: 'rejected'; readonly reason: string };

const reviewSchema = z.object({
  status: z.object({
    authenticated: z.boolean().default(false),
    error: z.string().default(''),
    audiences: z.array(z.string()).default([]),
    user: z
      .object({
        username: z.string().default(''),
        uid: z.string().default(''),
        groups: z.array(z.string()).default([]),
        extra: z.record(z.string(), z.array(z.string())).default({}),
      })
      .default({ username: '', uid: '', groups: [], extra: {} }),
  }),
});

/** Has the API server say whose token this is. A token of another audience, or of none that the API server tells, is rejected. */
export async function createTokenReview(
  client: Pick<KubeClient, 'review' | 'server'>,
  { token, audiences }: TokenToReview,
  call: CallOptions,
): Promise<ReviewedToken> {
  const review = { apiVersion: apiVersionOf(TOKEN_REVIEWS), kind: 'TokenReview', spec: { token, audiences } };
  const answer = reviewSchema.safeParse(await client.review({ resource: TOKEN_REVIEWS }, review, call));
  if (!answer.success) {
    throw badAnswer({ intent: { verb: 'create', resource: TOKEN_REVIEWS }, server: client.server }, 'no TokenReview', answer.error);
  }
  const { status } = answer.data;
  if (!status.authenticated) return { outcome: 'rejected', reason: status.error === '' ? 'the token is not valid' : status.error };
  // An authenticator that knows of no audiences answers without any: its yes is for anybody's token.
  const meant = status.audiences.filter((audience) => audiences.includes(audience));
  if (meant.length === 0) return { outcome: 'rejected', reason: `the token is not meant for ${audiences.join(', ')}` };
  return { outcome: 'authenticated', ...status.user, audiences: meant };
}
