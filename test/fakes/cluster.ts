import type { ClusterNode } from '../../src/api/cluster-node.ts';
import type { EraserConfig } from '../../src/api/eraser-config.ts';
import { parseEraserConfig } from '../../src/api/eraser-config/parse-eraser-config.ts';
import { acceptConfiguration, type AcceptConfiguration, type AcceptedConfiguration } from '../../src/core/cluster/accept-configuration.ts';
import { parseYaml } from '../../src/platform/parse-yaml.ts';
import type { OwnContainers } from '../../src/core/cluster/resolve-components.ts';
import { parseDuration } from '../../src/platform/duration.ts';
import { parseQuantity } from '../../src/platform/quantity.ts';

/** A node that takes part in every run. */
export function clusterNode(name: string, fields: Partial<ClusterNode> = {}): ClusterNode {
  return {
    name,
    labels: { 'kubernetes.io/os': 'linux' },
    taintKeys: [],
    providerId: '',
    isBeingDeleted: false,
    ready: { status: 'True', reason: 'KubeletReady', message: '' },
    isUnderDiskPressure: false,
    operatingSystem: 'linux',
    containerRuntimeVersion: 'containerd://1.7.27',
    kubeletVersion: 'v1.35.4',
    ...fields,
  };
}

const PARSERS = { duration: parseDuration, quantity: parseQuantity, yaml: parseYaml };

/** The configuration that this is read into, as plain values. */
export function configOf(written: object): EraserConfig {
  const parsed = parseEraserConfig(written, PARSERS);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.config;
}

/** The configuration with these parts, and defaults for the rest. */
export function eraserConfig(manager: object = {}, components: object = {}): EraserConfig {
  return configOf({ apiVersion: 'eraser.sh/v1alpha3', kind: 'EraserConfig', manager, components });
}

export const OWN_CONTAINERS: OwnContainers = {
  collector: { image: 'registry.example/image-cleaner-worker:1.0.0', command: ['image-cleaner-collector'] },
  scanner: { image: 'registry.example/image-cleaner-scanner:1.0.0', command: ['image-cleaner-scanner'] },
  remover: { image: 'registry.example/image-cleaner-worker:1.0.0', command: ['image-cleaner-remover'] },
};

/** As the manager of these containers reads a configuration. */
export const acceptInTest: AcceptConfiguration = (text) => acceptConfiguration(text, PARSERS, OWN_CONTAINERS);

/** As the manager accepts the configuration with these parts. */
export function acceptedConfiguration(manager: object = {}, components: object = {}): AcceptedConfiguration {
  const judged = acceptInTest(JSON.stringify({ apiVersion: 'eraser.sh/v1alpha3', kind: 'EraserConfig', manager, components }));
  if (!judged.ok) throw new Error(JSON.stringify(judged.errors));
  return judged.accepted;
}
