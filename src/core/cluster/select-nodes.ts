import type { ClusterNode, NodeRuntime, NodeSkipReason, ParticipatingNode, SkippedNode } from '../../api/cluster-node.ts';
import { compareTexts } from '../compare-texts.ts';
import { findSelector, type NodeFilter } from './node-filter.ts';

/** Which nodes take part in a run; each node is in one of the lists, in order of names. */
export interface NodeSelection {
  readonly participating: readonly ParticipatingNode[];
  readonly skipped: readonly SkippedNode[];
}

/** Cordoned and tainted nodes take part: their images are as vulnerable as those of others. */
export function selectNodes(nodes: readonly ClusterNode[], filter: NodeFilter): NodeSelection {
  const participating: ParticipatingNode[] = [];
  const skipped: SkippedNode[] = [];
  for (const node of [...nodes].sort((a, b) => compareTexts(a.name, b.name))) {
    const { name, isUnderDiskPressure } = node;
    const runtime = runtimeOf(node);
    const reason = skipReason(node, filter);
    if (reason !== null) skipped.push({ name, reason });
    else if (runtime === null) skipped.push({ name, reason: unknownRuntime(node) });
    else participating.push({ name, runtime, isUnderDiskPressure });
  }
  return { participating, skipped };
}

/** First what never changes, then what the operator chose, then what may be otherwise in the next run. */
function skipReason(node: ClusterNode, filter: NodeFilter): NodeSkipReason | null {
  const sign = virtualSign(node);
  if (sign !== null) return { code: 'virtual', sign };
  if (isWindows(node)) return { code: 'windows' };
  const filtered = filteredReason(node, filter);
  if (filtered !== null) return filtered;
  if (node.isBeingDeleted) return { code: 'being-deleted' };
  return node.ready?.status === 'True' ? null : { code: 'not-ready', condition: node.ready };
}

function filteredReason({ labels }: ClusterNode, filter: NodeFilter): NodeSkipReason | null {
  const selector = findSelector(filter, labels);
  if (filter.type === 'exclude') return selector === null ? null : { code: 'filtered', type: 'exclude', selector };
  return selector === null ? { code: 'filtered', type: 'include', selectors: filter.selectors.map(({ text }) => text) } : null;
}

/** By what the kubelet says and by both labels: a node has the one without the other before its kubelet has registered in full. */
function isWindows({ operatingSystem, labels }: ClusterNode): boolean {
  return [operatingSystem, labels['kubernetes.io/os'], labels['beta.kubernetes.io/os']].some((os) => os?.toLowerCase() === 'windows');
}

/** Labels of nodes that are no machine: Virtual Kubelet (Azure Container Instances, Alibaba, …), AKS virtual nodes 2, Fargate, Liqo. */
const VIRTUAL_LABELS = [
  ['type', 'virtual-kubelet'],
  ['virtualization', 'virtualnode2'],
  ['eks.amazonaws.com/compute-type', 'fargate'],
  ['liqo.io/type', 'virtual-node'],
] as const;
/** Virtual Kubelet's own taint, which it sets unless told not to. */
const VIRTUAL_TAINT = 'virtual-kubelet.io/provider';

/** What shows that there is no machine with a container runtime behind the node; null: nothing does. */
function virtualSign({ labels, taintKeys, providerId, kubeletVersion }: ClusterNode): string | null {
  const label = VIRTUAL_LABELS.find(([key, value]) => labels[key] === value);
  if (label !== undefined) return `label ${label.join('=')}`;
  if (taintKeys.includes(VIRTUAL_TAINT)) return `taint ${VIRTUAL_TAINT}`;
  if (/virtual-?kubelet/i.test(providerId)) return `provider ${providerId}`;
  // Virtual Kubelet's providers call themselves `v1.25.0-vk-azure-aci-1.6.2`.
  return /-vk-/.test(kubeletVersion) ? `kubelet ${kubeletVersion}` : null;
}

/** By the names that the runtimes give themselves in CRI; Docker is there by way of cri-dockerd. */
const RUNTIMES: ReadonlyMap<string, NodeRuntime> = new Map([
  ['containerd', 'containerd'],
  ['cri-o', 'crio'],
  ['docker', 'dockershim'],
]);

function runtimeOf({ containerRuntimeVersion }: ClusterNode): NodeRuntime | null {
  return RUNTIMES.get(containerRuntimeVersion.split('://')[0] ?? '') ?? null;
}

function unknownRuntime({ containerRuntimeVersion }: ClusterNode): NodeSkipReason {
  return { code: 'unknown-runtime', containerRuntimeVersion };
}

/** For events and for `status`. */
export function formatSkipReason(reason: NodeSkipReason): string {
  switch (reason.code) {
    case 'virtual':
      return `a virtual node (${reason.sign})`;
    case 'windows':
      return 'a Windows node';
    case 'filtered':
      return reason.type === 'exclude'
        ? `excluded by the node filter "${reason.selector}"`
        : `not included by the node filter ("${reason.selectors.join('", "')}")`;
    case 'being-deleted':
      return 'the node is being deleted';
    case 'not-ready':
      return reason.condition === null ? 'not ready: it has not reported yet' : `not ready${explain(reason.condition)}`;
    case 'not-started':
      return `not started: ${reason.failed} of ${reason.nodes} nodes failed`;
    case 'unknown-runtime':
      return reason.containerRuntimeVersion === ''
        ? 'the node does not say which container runtime it has'
        : `its container runtime ${reason.containerRuntimeVersion} is not known; containerd, CRI-O and Docker are`;
  }
}

function explain({ reason, message }: { readonly reason: string; readonly message: string }): string {
  const texts = [reason, message].filter((text) => text !== '');
  return texts.length === 0 ? '' : `: ${texts.join(': ')}`;
}
