import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clusterNode, eraserConfig } from '../../../test/fakes/cluster.ts';
import { parseClusterNode, type ClusterNode, type NodeSkipReason } from '../../api/cluster-node.ts';
import { parseNodeFilter, type NodeFilter } from './node-filter.ts';
import { formatSkipReason, selectNodes } from './select-nodes.ts';

function filter(type: 'exclude' | 'include', ...selectors: string[]): NodeFilter {
  const parsed = parseNodeFilter({ type, selectors });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.value;
}

const LAX = filter('exclude');

function reasonOf(node: ClusterNode, nodeFilter = LAX): NodeSkipReason | null {
  return selectNodes([node], nodeFilter).skipped[0]?.reason ?? null;
}

describe('a node takes part', () => {
  test.each<[string, Partial<ClusterNode>]>([
    ['plain', {}],
    ['cordoned', { taintKeys: ['node.kubernetes.io/unschedulable'] }],
    ['tainted', { taintKeys: ['dedicated', 'node-role.kubernetes.io/control-plane'] }],
    ['unmanaged, as a machine of its own in AKS', { labels: { 'kubernetes.azure.com/managed': 'false', 'kubernetes.io/os': 'linux' } }],
    ['with a label of another kind of node', { labels: { type: 'virtual', 'kubernetes.io/os': 'linux' } }],
    ['that does not say its system', { operatingSystem: '', labels: {} }],
  ])('%s', (_case, fields) => {
    expect(selectNodes([clusterNode('n', fields)], LAX)).toEqual({
      participating: [{ name: 'n', runtime: 'containerd', isUnderDiskPressure: false }],
      skipped: [],
    });
  });

  test.each([
    ['containerd://2.1.4-k3s1', 'containerd'],
    ['cri-o://1.33.0', 'crio'],
    ['docker://27.3.1', 'dockershim'],
  ])('with %s', (containerRuntimeVersion, runtime) => {
    expect(selectNodes([clusterNode('n', { containerRuntimeVersion })], LAX).participating).toMatchObject([{ runtime }]);
  });

  test('under disk pressure, marked', () => {
    const { participating } = selectNodes([clusterNode('n', { isUnderDiskPressure: true })], LAX);
    expect(participating).toMatchObject([{ name: 'n', isUnderDiskPressure: true }]);
  });
});

describe('a node is skipped', () => {
  const notReady = { status: 'Unknown', reason: 'NodeStatusUnknown', message: 'Kubelet stopped posting node status.' };
  test.each<[string, Partial<ClusterNode>, NodeSkipReason]>([
    ['Windows by its kubelet', { operatingSystem: 'windows', labels: {} }, { code: 'windows' }],
    ['Windows by its label', { operatingSystem: '', labels: { 'kubernetes.io/os': 'windows' } }, { code: 'windows' }],
    ['Windows by the old label', { operatingSystem: '', labels: { 'beta.kubernetes.io/os': 'Windows' } }, { code: 'windows' }],
    ['not ready', { ready: notReady }, { code: 'not-ready', condition: notReady }],
    ['without a state', { ready: null }, { code: 'not-ready', condition: null }],
    ['being deleted', { isBeingDeleted: true, ready: notReady }, { code: 'being-deleted' }],
    ['AKS virtual node', { labels: { type: 'virtual-kubelet' } }, { code: 'virtual', sign: 'label type=virtual-kubelet' }],
    ['AKS virtual node 2', { labels: { virtualization: 'virtualnode2' } }, { code: 'virtual', sign: 'label virtualization=virtualnode2' }],
    [
      'Fargate',
      { labels: { 'eks.amazonaws.com/compute-type': 'fargate' } },
      { code: 'virtual', sign: 'label eks.amazonaws.com/compute-type=fargate' },
    ],
    [
      'Virtual Kubelet by its taint',
      { taintKeys: ['virtual-kubelet.io/provider'] },
      { code: 'virtual', sign: 'taint virtual-kubelet.io/provider' },
    ],
    ['by its provider', { providerId: 'virtual-kubelet://n' }, { code: 'virtual', sign: 'provider virtual-kubelet://n' }],
    ['by its kubelet', { kubeletVersion: 'v1.25.0-vk-azure-aci-1.6.2' }, { code: 'virtual', sign: 'kubelet v1.25.0-vk-azure-aci-1.6.2' }],
    ['a runtime of another kind', { containerRuntimeVersion: 'rkt://1' }, { code: 'unknown-runtime', containerRuntimeVersion: 'rkt://1' }],
    ['no runtime', { containerRuntimeVersion: '' }, { code: 'unknown-runtime', containerRuntimeVersion: '' }],
    [
      'filtered',
      { labels: { 'eraser.sh/cleanup.filter': '' } },
      { code: 'filtered', type: 'exclude', selector: 'eraser.sh/cleanup.filter' },
    ],
  ])('%s', (_case, fields, reason) => {
    expect(reasonOf(clusterNode('n', fields))).toEqual(reason);
  });

  test('Windows, also where the filter includes it', () => {
    const windows = clusterNode('n', { operatingSystem: 'windows', labels: { pool: 'a' } });
    expect(reasonOf(windows, filter('include', 'pool'))).toEqual({ code: 'windows' });
  });

  test.each<[NodeSkipReason, string]>([
    [{ code: 'windows' }, 'a Windows node'],
    [{ code: 'virtual', sign: 'label a=b' }, 'a virtual node (label a=b)'],
    [{ code: 'filtered', type: 'exclude', selector: 'a=b' }, 'excluded by the node filter "a=b"'],
    [{ code: 'filtered', type: 'include', selectors: ['a', 'b'] }, 'not included by the node filter ("a", "b")'],
    [{ code: 'not-ready', condition: null }, 'not ready: it has not reported yet'],
    [{ code: 'not-ready', condition: { status: 'False', reason: 'KubeletNotReady', message: '' } }, 'not ready: KubeletNotReady'],
    [{ code: 'not-ready', condition: { status: 'False', reason: '', message: '' } }, 'not ready'],
    [{ code: 'unknown-runtime', containerRuntimeVersion: '' }, 'the node does not say which container runtime it has'],
  ])('%j reads "%s"', (reason, text) => {
    expect(formatSkipReason(reason)).toBe(text);
  });
});

describe('the node filter', () => {
  const pool = (name: string): ClusterNode => clusterNode(name, { labels: { pool: name } });
  const marked = clusterNode('marked', { labels: { 'eraser.sh/cleanup.filter': 'true' } });

  test('excludes what one of its selectors matches', () => {
    const { participating, skipped } = selectNodes([pool('a'), pool('b'), pool('c'), marked], filter('exclude', 'pool=a', 'pool in (b)'));
    expect(participating.map(({ name }) => name)).toEqual(['c']);
    expect(skipped.map(({ reason }) => (reason.code === 'filtered' && reason.type === 'exclude' ? reason.selector : ''))).toEqual([
      'pool=a',
      'pool in (b)',
      'eraser.sh/cleanup.filter',
    ]);
  });

  test('includes what one of its selectors matches, and the label of old', () => {
    const { participating, skipped } = selectNodes([pool('a'), pool('b'), marked], filter('include', 'pool=a'));
    expect(participating.map(({ name }) => name)).toEqual(['a', 'marked']);
    expect(skipped).toEqual([
      { name: 'b', reason: { code: 'filtered', type: 'include', selectors: ['pool=a', 'eraser.sh/cleanup.filter'] } },
    ]);
  });

  test('of a default configuration', () => {
    expect(parseNodeFilter(eraserConfig().manager.nodeFilter)).toMatchObject({
      value: { type: 'exclude', selectors: [{ text: 'eraser.sh/cleanup.filter' }, { text: 'kubernetes.io/os=windows' }] },
    });
  });

  test('names each selector that is none', () => {
    expect(parseNodeFilter({ type: 'exclude', selectors: ['a', 'b in c', ''] })).toEqual({
      ok: false,
      errors: [
        { path: 'manager.nodeFilter.selectors[1]', message: '"b in c" is no label selector: "c" stands where "(" is expected' },
        { path: 'manager.nodeFilter.selectors[2]', message: '"" is no label selector: it is empty' },
      ],
    });
  });
});

describe('a Node as the API server gives it', () => {
  const raw = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'aks-1', uid: 'u', labels: { 'kubernetes.io/os': 'linux' }, managedFields: [{}] },
    spec: { providerID: 'azure:///subscriptions/x', unschedulable: true, taints: [{ key: 'a', effect: 'NoSchedule' }] },
    status: {
      conditions: [
        {
          type: 'DiskPressure',
          status: 'False',
          reason: 'KubeletHasNoDiskPressure',
          message: 'ok',
          lastHeartbeatTime: '2026-11-01T00:00:00Z',
        },
        { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' },
      ],
      nodeInfo: { operatingSystem: 'linux', containerRuntimeVersion: 'containerd://1.7.27', kubeletVersion: 'v1.35.4', machineID: 'm' },
      images: [{ names: ['a'], sizeBytes: 1 }],
    },
  };

  test('is read, and trimmed', () => {
    expect(parseClusterNode(raw)).toEqual({
      ok: true,
      value: {
        name: 'aks-1',
        labels: { 'kubernetes.io/os': 'linux' },
        taintKeys: ['a'],
        providerId: 'azure:///subscriptions/x',
        isBeingDeleted: false,
        ready: { status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' },
        isUnderDiskPressure: false,
        operatingSystem: 'linux',
        containerRuntimeVersion: 'containerd://1.7.27',
        kubeletVersion: 'v1.35.4',
      },
    });
  });

  test('with next to nothing, as one that registers, takes no part', () => {
    const parsed = parseClusterNode({ metadata: { name: 'new' }, spec: {}, status: { conditions: null } });
    expect(parsed.ok && reasonOf(parsed.value)).toEqual({ code: 'not-ready', condition: null });
  });

  test.each([
    ['its condition', { ...raw, status: { ...raw.status, conditions: [{ type: 'DiskPressure', status: 'True' }] } }],
    ['its taint', { ...raw, spec: { taints: [{ key: 'node.kubernetes.io/disk-pressure' }] } }],
  ])('is under disk pressure by %s', (_case, node) => {
    expect(parseClusterNode(node)).toMatchObject({ value: { isUnderDiskPressure: true } });
  });

  test('is being deleted', () => {
    const node = { ...raw, metadata: { ...raw.metadata, deletionTimestamp: '2026-11-01T00:00:00Z' } };
    expect(parseClusterNode(node)).toMatchObject({ value: { isBeingDeleted: true } });
  });

  test.each([null, {}, { metadata: {} }, { metadata: { name: '' } }, { ...raw, status: { conditions: 'none' } }])('%j is none', (node) => {
    expect(parseClusterNode(node).ok).toBe(false);
  });
});

const nodeArbitrary = fc
  .record({
    name: fc.stringMatching(/^[a-z]{1,3}$/),
    operatingSystem: fc.constantFrom('linux', 'windows', ''),
    labels: fc.dictionary(
      fc.constantFrom('pool', 'type', 'kubernetes.io/os', 'eraser.sh/cleanup.filter'),
      fc.constantFrom('a', 'windows', 'virtual-kubelet', ''),
    ),
    ready: fc.constantFrom(null, { status: 'True', reason: '', message: '' }, { status: 'False', reason: '', message: '' }),
    isBeingDeleted: fc.boolean(),
    containerRuntimeVersion: fc.constantFrom('containerd://1', 'cri-o://1', 'docker://1', 'x://1', ''),
  })
  .map(({ name, ...fields }) => clusterNode(name, fields));

test('each node is either in the run or skipped, and none that is in it is Windows, not ready or marked', () => {
  const nodes = fc.uniqueArray(nodeArbitrary, { selector: ({ name }) => name, maxLength: 12 });
  fc.assert(
    fc.property(nodes, fc.constantFrom('pool=a', '!pool', 'type'), (given, selector) => {
      const { participating, skipped } = selectNodes(given, filter('exclude', selector));
      expect([...participating, ...skipped].map(({ name }) => name).sort()).toEqual(given.map(({ name }) => name).sort());
      for (const { name } of participating) {
        const node = given.find((found) => found.name === name);
        expect(node?.operatingSystem).not.toBe('windows');
        expect(node?.labels['kubernetes.io/os']).not.toBe('windows');
        expect(node?.ready?.status).toBe('True');
        expect(node?.labels['eraser.sh/cleanup.filter']).toBeUndefined();
      }
    }),
  );
});
