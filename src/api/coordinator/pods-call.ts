import * as z from 'zod';

/**
 * `GET /v1/pods`: the pods bound to the caller's node that have not ended, read from the API server after the call came in. Asked before the plan, and
 * before a removal when the last answer is older than a moment: an image that one of them names stays.
 */

export const pendingPodSchema = z.object({
  namespace: z.string(),
  name: z.string(),
  /** Of all its containers and image volumes. */
  imageReferences: z.array(z.string()),
});

export const podsAnswerSchema = z.object({ node: z.string(), pods: z.array(pendingPodSchema) });
export type PodsAnswer = z.output<typeof podsAnswerSchema>;
