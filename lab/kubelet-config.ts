import { join } from 'node:path';
import type { Authority, Certificate } from './certificates.ts';
import type { ClusterNetwork } from './cluster-network.ts';
import { dnsAddress, podSubnet } from './cluster-network.ts';

export interface KubeletSettings {
  readonly authority: Authority;
  /** What the kubelet shows to the API server. */
  readonly serving: Certificate;
  /** `image-cleaner-lab-…/n0`, which exists. */
  readonly controlGroup: string;
  readonly directory: string;
  readonly network: ClusterNetwork;
}

/** The kubelet's configuration file. In JSON, which is YAML too. */
export function formatKubeletConfig(settings: KubeletSettings): string {
  return JSON.stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: settings.authority.certificate } },
    authorization: { mode: 'Webhook' },
    tlsCertFile: settings.serving.certificate,
    tlsPrivateKeyFile: settings.serving.key,
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${settings.controlGroup}`,
    failCgroupV1: false,
    failSwapOn: false,
    clusterDomain: 'cluster.local',
    clusterDNS: [dnsAddress(settings.network)],
    resolvConf: join(settings.directory, 'resolv.conf'),
    volumePluginDir: join(settings.directory, 'volume-plugins'),
    // Images are ours to remove, and a full disk of the developer's is no reason to end pods.
    imageGCHighThresholdPercent: 100,
    evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1%', 'imagefs.available': '1%', 'nodefs.inodesFree': '1%' },
    // A lease is renewed after a quarter of its time; NODE_GRACE_SECONDS goes with it.
    nodeLeaseDurationSeconds: 12,
    nodeStatusUpdateFrequency: '3s',
    nodeStatusReportFrequency: '10s',
    // Without CAP_SYS_RESOURCE (many virtual machines) it can't be lowered.
    oomScoreAdj: 0,
  });
}

/** How long the controller manager waits for a sign of life before it calls a node not ready. */
export const NODE_GRACE_SECONDS = 12;

export function formatKubeProxyConfig(node: string, kubeconfig: string, network: ClusterNetwork): string {
  return JSON.stringify({
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'nftables',
    clientConnection: { kubeconfig },
    clusterCIDR: `${network.pods}.0.0/16`,
    hostnameOverride: node,
    oomScoreAdj: 0,
    // They are the whole machine's.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  });
}

/** The CNI configuration of a node: its pods hang on a bridge of its own. */
export function formatPodNetwork(network: ClusterNetwork, index: number): string {
  const ipam = { type: 'host-local', ranges: [[{ subnet: podSubnet(network, index) }]], routes: [{ dst: '0.0.0.0/0' }] };
  const bridge = { type: 'bridge', bridge: 'cni0', isGateway: true, ipMasq: false, hairpinMode: true, ipam };
  return JSON.stringify({ cniVersion: '0.4.0', name: 'image-cleaner-lab', plugins: [bridge] });
}
