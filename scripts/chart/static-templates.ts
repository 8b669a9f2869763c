import { stringify } from 'yaml';
import * as z from 'zod';
import { makeDefinitions } from '../../src/installation/make-definitions.ts';
import { makeManifest } from '../../src/installation/make-manifest.ts';

/** Each stands for what helm puts in its place. */
const NAMESPACE = 'namespace-of-the-release';
const LABELS = 'labels-of-the-release';
/** These depend on more than the namespace: their templates are written by hand. */
const BY_HAND = new Set(['ConfigMap', 'Deployment']);

const objectSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
});
type KubernetesObject = z.output<typeof objectSchema>;

/** A file for each definition. Helm leaves them when the release goes: with them, every list would go. */
export function definitionTemplates(): Record<string, string> {
  const definitions = makeDefinitions().map((definition) => objectSchema.parse(definition));
  return Object.fromEntries(
    definitions.map((definition) => [
      `${definition.metadata.name}.yaml`,
      template({
        ...definition,
        metadata: { ...definition.metadata, annotations: { 'helm.sh/resource-policy': 'keep' } },
      }),
    ]),
  );
}

/** What is the same for all values but for the namespace. */
export function staticTemplates(): Record<string, string> {
  const manifest = makeManifest({ namespace: NAMESPACE, image: '', scannerImage: '', configuration: '' });
  // Helm does not own the namespace of its release.
  const objects = manifest.map((object) => objectSchema.parse(object)).filter(({ kind }) => kind !== 'Namespace' && !BY_HAND.has(kind));
  const templatesOf = (kinds: RegExp): string =>
    objects
      .filter(({ kind }) => kinds.test(kind))
      .map(template)
      .join('---\n');
  const files = {
    'rbac.yaml': /^(ServiceAccount|(Cluster)?Role(Binding)?)$/,
    'priority-class.yaml': /^PriorityClass$/,
    'service.yaml': /^Service$/,
  };
  const forgotten = objects.filter(({ kind }) => !Object.values(files).some((kinds) => kinds.test(kind)));
  if (forgotten.length > 0) throw new Error(`no template for ${forgotten.map(({ kind }) => kind).join(', ')}`);
  return Object.fromEntries(Object.entries(files).map(([file, kinds]) => [file, templatesOf(kinds)]));
}

function template(object: KubernetesObject): string {
  const { labels, ...metadata } = object.metadata;
  // The release's labels have a name, too.
  const ownLabels = Object.fromEntries(Object.entries(labels).filter(([name]) => name !== 'app.kubernetes.io/name'));
  const labelled = { ...object, metadata: { ...metadata, labels: { [LABELS]: '', ...ownLabels } } };
  const text = stringify(labelled, { aliasDuplicateObjects: false, lineWidth: 140 });
  if (text.includes('{{')) throw new Error(`${object.metadata.name} has what helm would read as a template`);
  return text
    .replaceAll(NAMESPACE, '{{ .Release.Namespace | quote }}')
    .replace(
      /^( *)labels-of-the-release: ""$/m,
      (_line, indent: string) => `${indent}{{- include "image-cleaner.labels" . | nindent ${String(indent.length)} }}`,
    );
}
