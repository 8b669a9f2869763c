import { Resolver } from 'node:dns/promises';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ApiServer } from './api-server.ts';
import type { ClusterNetwork } from './cluster-network.ts';
import { dnsAddress } from './cluster-network.ts';
import { startProcess, untilReady } from './lab-process.ts';
import type { Place } from './place.ts';

export interface DnsSpec {
  readonly coredns: string;
  readonly place: Place;
  readonly network: ClusterNetwork;
  readonly server: ApiServer;
}

/** Cluster DNS: a process of the machine, not a pod, behind the Service that has no selector. */
export async function startDns({ coredns, place, network, server }: DnsSpec): Promise<void> {
  const config = join(place.root, 'Corefile');
  const zones = `kubernetes cluster.local in-addr.arpa {\n    kubeconfig ${server.kubeconfig}\n  }`;
  await writeFile(config, `.:53 {\n  bind ${network.host}\n  errors\n  ${zones}\n  cache 5\n}\n`);
  const logFile = join(place.root, 'log/coredns.log');
  const part = await startProcess({ name: 'coredns', logFile, command: coredns, args: ['-conf', config] });
  const ports = [
    { name: 'dns', port: 53, protocol: 'UDP' },
    { name: 'dns-tcp', port: 53, protocol: 'TCP' },
  ];
  await server.client.create('/api/v1/namespaces/kube-system/services', {
    metadata: { name: 'kube-dns', namespace: 'kube-system' },
    spec: { clusterIP: dnsAddress(network), ports },
  });
  await server.client.create('/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices', {
    metadata: { name: 'kube-dns', namespace: 'kube-system', labels: { 'kubernetes.io/service-name': 'kube-dns' } },
    addressType: 'IPv4',
    ports,
    endpoints: [{ addresses: [network.host], conditions: { ready: true } }],
  });
  const resolver = new Resolver({ timeout: 500, tries: 1 });
  resolver.setServers([network.host]);
  await untilReady(part, async () => (await resolver.resolve4('kube-dns.kube-system.svc.cluster.local')).includes(dnsAddress(network)));
}
