import * as z from 'zod';
import { ACCESS_REVIEWS, apiVersionOf, type Resource, type Verb } from '../kube/resource.ts';
import { ClusterError } from './cluster-error.ts';
import type { ClusterSite } from './cluster-site.ts';

/** What a command is going to do. */
export interface NeededRight {
  readonly verb: Verb;
  readonly resource: Resource;
  readonly namespace?: string;
}

const reviewSchema = z.object({ status: z.object({ allowed: z.boolean() }) });

/** Asks the API server for each. Throws a ClusterError `unfit` that names all that are missing. */
export async function requireRights(site: ClusterSite, needed: readonly NeededRight[]): Promise<void> {
  const distinct = [...new Map(needed.map((right) => [describeRight(right), right])).values()];
  const answers = await Promise.all(distinct.map(async (right) => ({ right, allowed: await isAllowed(site, right) })));
  const missing = answers.flatMap(({ right, allowed }) => (allowed ? [] : [`  ${describeRight(right)}`]));
  if (missing.length === 0) return;
  throw new ClusterError({
    code: 'unfit',
    message: `Rights are missing:\n${missing.join('\n')}`,
    hint: 'Nothing was changed. Let somebody with the role cluster-admin do it, or grant these verbs. `kubectl auth whoami` shows who you are.',
  });
}

async function isAllowed({ client, call }: ClusterSite, { verb, resource, namespace }: NeededRight): Promise<boolean> {
  const resourceAttributes = {
    verb,
    group: resource.group,
    resource: resource.plural,
    ...(namespace === undefined ? {} : { namespace }),
  };
  const review = { apiVersion: apiVersionOf(ACCESS_REVIEWS), kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } };
  return reviewSchema.parse(await client.review({ resource: ACCESS_REVIEWS }, review, call)).status.allowed;
}

function describeRight({ verb, resource: { group, plural }, namespace }: NeededRight): string {
  return `${verb} ${group === '' ? plural : `${plural}.${group}`}${namespace === undefined ? '' : ` in namespace ${namespace}`}`;
}
