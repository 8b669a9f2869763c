import { isIPv6 } from 'node:net';
import type { KubeClient } from '../../kube/kube-client.ts';
import { apiVersionOf, ENDPOINT_SLICES } from '../../kube/resource.ts';
import { FIELD_MANAGER, NotLeading } from './bind-cluster-api.ts';

export interface EndpointOptions {
  readonly client: Pick<KubeClient, 'patch'>;
  readonly namespace: string;
  /** A Service without a selector: not every replica answers, only the one that leads. */
  readonly service: string;
  /** An IP address that pods can reach, no host name. */
  readonly address: string;
  readonly port: number;
  /** As the Service's port is named. */
  readonly portName: string;
  readonly isHeld: () => boolean;
}

/** From now on the Service leads to this process. */
export async function publishEndpoint(options: EndpointOptions, signal: AbortSignal): Promise<void> {
  const { client, namespace, service, address, port, portName, isHeld } = options;
  const addressType = isIPv6(address) ? 'IPv6' : 'IPv4';
  const name = `${service}-${addressType.toLowerCase()}`;
  const object = {
    apiVersion: apiVersionOf(ENDPOINT_SLICES),
    kind: 'EndpointSlice',
    metadata: {
      name,
      namespace,
      labels: { 'kubernetes.io/service-name': service, 'endpointslice.kubernetes.io/managed-by': FIELD_MANAGER },
    },
    addressType,
    ports: [{ name: portName, port, protocol: 'TCP' }],
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
  };
  if (!isHeld()) throw new NotLeading();
  const patch = { strategy: 'apply', object, fieldManager: FIELD_MANAGER, force: true } as const;
  await client.patch({ resource: ENDPOINT_SLICES, namespace, name }, patch, { signal });
}
