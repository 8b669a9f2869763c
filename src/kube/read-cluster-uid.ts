import type { KubeClient } from './kube-client.ts';
import { hasCode, KubeError } from './kube-error.ts';
import { IDENTITY_NAMESPACE, NAMESPACES } from './resource.ts';

/**
 * What tells this cluster from every other, for as long as it exists.
 * @throws KubeError
 */
export async function readClusterUid(client: Pick<KubeClient, 'find' | 'server'>, signal: AbortSignal): Promise<string> {
  const namespace = await client.find({ resource: NAMESPACES, name: IDENTITY_NAMESPACE }, { signal }).catch((error: unknown) => {
    throw hasCode(error, 'forbidden') ? withRight(error) : error;
  });
  const uid = namespace?.metadata.uid ?? '';
  if (uid !== '') return uid;
  throw new KubeError({
    code: 'bad-answer',
    message: `The API server ${client.server} tells no uid of the namespace ${IDENTITY_NAMESPACE}, which every cluster has`,
    hint: 'It is tried again when the manager starts anew. Nothing is written to a history whose cluster is not known.',
  });
}

/** Where only the image was brought up to date. */
function withRight(error: KubeError): KubeError {
  return new KubeError({
    code: 'forbidden',
    message: error.message,
    hint: `Bring the roles up to date, too: the manager needs the verb "get" on the namespace ${IDENTITY_NAMESPACE}, to know whose history it opens.`,
    cause: error,
  });
}
